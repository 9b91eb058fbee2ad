// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_audit.h"

#include "record/describe.h"
#include "record/kinds.h"

// How every line of a trail begins and ends.
#define TRAIL_HEAD(K) HEAD(K), FIELD(K, seq, "number of the line in its trail, from 0", "SEQ")
#define TRAIL_TAIL(K)                                                                                    \
  FIELD(K, salt, "random: hides the fields that may be taken out later", {}, kOmitted),                  \
      FIELD(K, salts, "in its place where fields were taken out: those of the fields that are left", {}, \
            kOmitted),                                                                                   \
      FIELD(K, text, "then also: SHA-256 of the line before its root, as it was written", {}, kOmitted), \
      FIELD(K, root, "SHA-256 over the commitments to its fields"),                                      \
      FIELD(K, hash, "SHA-256 over the hash of the line before, the text and the root")
#define TRAIL_WHO(K)                                        \
  FIELD(K, actor, "user who ran audit", "ACTOR", kOmitted), \
      FIELD(K, host, "machine on which it ran", "HOST", kOmitted)

namespace rackline::record {
namespace {

constexpr Field kBeginFields[] = {
    TRAIL_HEAD(AuditBegin),
    FIELD(AuditBegin, chain, "name of the chain, random", "CHAIN"),
    FIELD(AuditBegin, part, "number of this part of the trail, from 1", "PART"),
    FIELD(AuditBegin, after, "hash of the last line of the part before; zeros in the first"),
    TRAIL_WHO(AuditBegin),
    FIELD(AuditBegin, lost_chain, "a trail that was here before and was gone when this one began", {},
          kOmitted),
    FIELD(AuditBegin, lost_line, "up to which line it went", {}, kOmitted),
    TRAIL_TAIL(AuditBegin),
};

constexpr Field kRecordFields[] = {
    TRAIL_HEAD(AuditRecord),
    FIELD(AuditRecord, actor, "user who ran the pipe", "ACTOR"),
    FIELD(AuditRecord, host, "machine on which it ran", "HOST"),
    FIELD(AuditRecord, request, "what it was asked for: --request", "REQUEST"),
    FIELD(AuditRecord, cause, "the incident: of the record, else --cause", "CAUSE"),
    FIELD(AuditRecord, line, "what passed, if it was no record; otherwise the member record holds it", {},
          kOmitted),
    TRAIL_TAIL(AuditRecord),
};

constexpr Field kCloseFields[] = {
    TRAIL_HEAD(AuditClose),
    FIELD(AuditClose, records, "how many it had written", "RECORDS"),
    TRAIL_WHO(AuditClose),
    TRAIL_TAIL(AuditClose),
};

constexpr Field kCheckpointFields[] = {
    TRAIL_HEAD(AuditCheckpoint),
    FIELD(AuditCheckpoint, chain, "name of the chain", "CHAIN"),
    FIELD(AuditCheckpoint, at, "number of the line that is signed, and with it all before", "AT"),
    FIELD(AuditCheckpoint, head, "its hash"),
    FIELD(AuditCheckpoint, key, "which key: the beginning of the SHA-256 of its public half", "KEY"),
    FIELD(AuditCheckpoint, signature, "Ed25519, hex"),
    TRAIL_WHO(AuditCheckpoint),
    TRAIL_TAIL(AuditCheckpoint),
};

constexpr Field kRepairedFields[] = {
    TRAIL_HEAD(AuditRepaired),
    FIELD(AuditRepaired, bytes, "how long the torn line was", "BYTES"),
    FIELD(AuditRepaired, torn, "what there was of it", "TORN"),
    TRAIL_WHO(AuditRepaired),
    TRAIL_TAIL(AuditRepaired),
};

constexpr Field kRotatedFields[] = {
    TRAIL_HEAD(AuditRotated),
    FIELD(AuditRotated, part, "number of the part that ends here", "PART"),
    TRAIL_WHO(AuditRotated),
    TRAIL_TAIL(AuditRotated),
};

constexpr Field kRedactedFields[] = {
    TRAIL_HEAD(AuditRedacted),
    FIELD(AuditRedacted, line, "seq of the line that was changed", "OF"),
    FIELD(AuditRedacted, fields, "what was taken out", "FIELDS"),
    FIELD(AuditRedacted, reason, "why", "REASON"),
    TRAIL_WHO(AuditRedacted),
    TRAIL_TAIL(AuditRedacted),
};

constexpr Field kTruncatedFields[] = {
    TRAIL_HEAD(AuditTruncated),
    FIELD(AuditTruncated, lost, "how many lines before it were cut off", "LOST"),
    FIELD(AuditTruncated, lost_from, "number of the first of them", "FROM"),
    FIELD(AuditTruncated, lost_to, "number of the last of them", "TO"),
    FIELD(AuditTruncated, lost_hash, "hash of the last of them, as its writer has kept it"),
    FIELD(AuditTruncated, torn, "what there was of the first of them", {}, kOmitted),
    TRAIL_WHO(AuditTruncated),
    TRAIL_TAIL(AuditTruncated),
};

constexpr Field kFindingFields[] = {
    HEAD(AuditFinding),
    FIELD(AuditFinding, problem,
          "changed, removed, duplicated, reordered, inserted, torn, truncated, foreign (of another chain), "
          "signature, redacted (and nobody said so), or unreadable (the rest of a compressed part)",
          "PROBLEM"),
    FIELD(AuditFinding, first, "seq of the line that it is about", "FIRST-SEQ"),
    FIELD(AuditFinding, last,
          "seq of the last one, where it is about several; null: it is not known how many", "LAST-SEQ"),
    FIELD(AuditFinding, file, "file in which it was seen", "FILE"),
    FIELD(AuditFinding, line, "line of that file, from 1", "FILE-LINE"),
    FIELD(AuditFinding, reason, "what is wrong, for a person", "REASON"),
};

constexpr Field kVerifiedFields[] = {
    HEAD(AuditVerified),
    FIELD(AuditVerified, outcome, "sound or broken", "OUTCOME"),
    FIELD(AuditVerified, chain, "name of the chain", "CHAIN"),
    FIELD(AuditVerified, first, "seq of its first line", "FIRST-SEQ"),
    FIELD(AuditVerified, last, "seq of its last line", "LAST-SEQ"),
    FIELD(AuditVerified, hash, "hash of its last line: keep it, and nobody can change the trail unseen"),
    FIELD(AuditVerified, records, "records in it", "RECORDS"),
    FIELD(AuditVerified, findings, "how many things are wrong", "FINDINGS"),
    FIELD(AuditVerified, redacted, "lines of which fields were taken out in order", "REDACTED"),
    FIELD(AuditVerified, repaired, "last lines that a crash had torn and that were put in order", "REPAIRED"),
    FIELD(AuditVerified, checkpoints, "checkpoints in it", "CHECKPOINTS"),
    FIELD(AuditVerified, parts, "files that it is made of", "PARTS"),
    FIELD(AuditVerified, signed_to,
          "seq of the last line that a good signature covers; null: none, or there was no --key",
          "SIGNED-TO"),
    FIELD(AuditVerified, unsigned_lines, "with --key: lines behind it, which no signature covers", {},
          kOmitted),
};

constexpr Field kStepFields[] = {
    HEAD(AuditStep),
    FIELD(AuditStep, line, "seq of the line in the trail", "SEQ"),
    FIELD(AuditStep, at, "when it was seen, decided or done", "AT"),
    FIELD(AuditStep, phase, "asked, seen, decided, done or told", "PHASE"),
    FIELD(AuditStep, by, "program that said so", "BY"),
    FIELD(AuditStep, actor, "user who ran it", "ACTOR"),
    FIELD(AuditStep, on, "machine on which it ran", "ON"),
    FIELD(AuditStep, request, "what it was asked for", {}, kOmitted),
    FIELD(AuditStep, outcome, "its result", "RESULT"),
    FIELD(AuditStep, what, "the record, in words", "WHAT"),
    FIELD(AuditStep, reason, "why, as the record says", {}, kOmitted),
};

constexpr Field kPartFields[] = {
    HEAD(AuditPart),
    FIELD(AuditPart, file, "what the part is called now", "FILE"),
    FIELD(AuditPart, part, "its number", "PART"),
    FIELD(AuditPart, last, "seq of its last line", "LAST-SEQ"),
};

constexpr const Kind* kDone[] = {&AuditRecord::kKind,     &AuditBegin::kKind,     &AuditClose::kKind,
                                 &AuditCheckpoint::kKind, &AuditRepaired::kKind,  &AuditRotated::kKind,
                                 &AuditRedacted::kKind,   &AuditTruncated::kKind, &AuditFinding::kKind,
                                 &AuditVerified::kKind,   &AuditStep::kKind,      &AuditPart::kKind};

}  // namespace

const Kind AuditBegin::kKind{"audit_begin", Role::kControl, "The first line of a part of an audit trail.",
                             "audit",       "audit",        kBeginFields};
const Kind AuditRecord::kKind{"audit_record",
                              Role::kFact,
                              "A record that passed audit append, kept as it came in the member record.",
                              "audit append",
                              "audit query, people",
                              kRecordFields};
const Kind AuditClose::kKind{"audit_close",  Role::kControl, "A writer of an audit trail has ended in order.",
                             "audit append", "audit verify", kCloseFields};
const Kind AuditCheckpoint::kKind{
    "audit_checkpoint",
    Role::kControl,
    "A signature over a trail up to its line: keep a copy where the trail is not.",
    "audit checkpoint",
    "audit verify",
    kCheckpointFields};
const Kind AuditRepaired::kKind{
    "audit_repaired", Role::kControl, "A line that a crash had torn was taken away from the end of a trail.",
    "audit",          "people",       kRepairedFields};
const Kind AuditRotated::kKind{"audit_rotated", Role::kControl, "The last line of a part of an audit trail.",
                               "audit rotate",  "audit",        kRotatedFields};
const Kind AuditRedacted::kKind{"audit_redacted", Role::kControl, "Fields of an earlier line were taken out.",
                                "audit redact",   "audit verify", kRedactedFields};
const Kind AuditTruncated::kKind{
    "audit_truncated",
    Role::kControl,
    "Lines before it were cut off, and somebody has gone on without them: --accept-loss.",
    "audit append",
    "audit verify, people",
    kTruncatedFields};
const Kind AuditFinding::kKind{"audit_finding", Role::kFact, "Something is wrong with an audit trail.",
                               "audit verify",  "people",    kFindingFields};
const Kind AuditVerified::kKind{"audit_verified", Role::kFact, "What was found out about an audit trail.",
                                "audit verify",   "people",    kVerifiedFields};
const Kind AuditStep::kKind{"audit_step",  Role::kFact, "A step of an incident, as the audit trail tells it.",
                            "audit trail", "people",    kStepFields};
const Kind AuditPart::kKind{"audit_part",   Role::kFact, "A full part of an audit trail was put aside.",
                            "audit rotate", "people",    kPartFields};

const Subject kAuditKinds{.done = kDone};

}  // namespace rackline::record
