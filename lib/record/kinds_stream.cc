// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_stream.h"

#include "record/describe.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

constexpr Field kProgressFields[] = {
    HEAD(Progress),
    FIELD(Progress, id, "the decision that is being carried out"),
    FIELD(Progress, object, "what it is about: a virtual server, a LUN, a server", "OBJECT"),
    FIELD(Progress, percent, "0 to 100", "DONE%"),
    FIELD(Progress, remaining_bytes, "still to be sent", "REMAINING"),
    FIELD(Progress, bytes_per_second, "present rate", "RATE"),
    FIELD(Progress, eta_ms, "expected time to the end", "ETA"),
    FIELD(Progress, disk_bytes, "sent so far of disks that are copied", {}, kOmitted),
    FIELD(Progress, disk_total_bytes, "size of those disks", {}, kOmitted),
    FIELD(Progress, state, "what is being done now", "STATE"),
};

constexpr Field kRoundEndFields[] = {
    HEAD(RoundEnd),
    FIELD(RoundEnd, round, "number of the round, from 1", "ROUND"),
    FIELD(RoundEnd, hosts, "hosts asked", "HOSTS", kSeldom),
    FIELD(RoundEnd, hosts_up, "hosts that answered", "UP", kSeldom),
    FIELD(RoundEnd, vms, "virtual servers seen", "VMS", kSeldom),
    FIELD(RoundEnd, arrays, "arrays asked", "ARRAYS", kSeldom),
    FIELD(RoundEnd, arrays_up, "arrays that answered", "UP", kSeldom),
    FIELD(RoundEnd, luns, "LUNs seen", "LUNS", kSeldom),
    FIELD(RoundEnd, elapsed_ms, "duration of the round", "TIME"),
    FIELD(RoundEnd, at_ms,
          "when the round began, on a clock that never steps and begins with the first round; of a recording",
          {}, kOmitted),
};

constexpr Field kReadSummaryFields[] = {
    HEAD(ReadSummary),
    FIELD(ReadSummary, records, "records read, or found", "RECORDS"),
};

constexpr Field kEndFields[] = {
    HEAD(End),
    FIELD(End, outcome, "ok, failed, refused or interrupted", "OUTCOME"),
    FIELD(End, reason, "why it is not ok", "REASON", kOmitted),
    FIELD(End, skipped, "lines that could not be read and were left out", "SKIPPED", kOmitted),
    FIELD(End, rounds, "see watch_summary and plan_summary; goes with the next release", {}, kOmitted),
    FIELD(End, hosts, "see watch_summary; goes with the next release", {}, kOmitted),
    FIELD(End, vms, "see watch_summary; goes with the next release", {}, kOmitted),
    FIELD(End, fluctuations, "see watch_summary; goes with the next release", {}, kOmitted),
    FIELD(End, records, "see read_summary; goes with the next release", {}, kOmitted),
    FIELD(End, moves, "see plan_summary and move_summary; goes with the next release", {}, kOmitted),
    FIELD(End, done, "done now", "DONE", kOmitted),
    FIELD(End, planned, "what a dry run would have done", "PLANNED", kOmitted),
    FIELD(End, already, "found done", "ALREADY", kOmitted),
    FIELD(End, failed, "failed, or not to be learnt", "FAILED", kOmitted),
    FIELD(End, refused, "refused", "REFUSED", kOmitted),
    FIELD(End, cancelled, "cancelled", "CANCELLED", kOmitted),
    FIELD(End, unplaced, "virtual servers for which there was no host", "UNPLACED", kOmitted),
    FIELD(End, score_before, "see plan_summary; goes with the next release", {}, kOmitted),
    FIELD(End, score_after, "see plan_summary; goes with the next release", {}, kOmitted),
    FIELD(End, lower_bound, "see plan_summary; goes with the next release", {}, kOmitted),
    FIELD(End, elapsed_ms, "duration of the whole run", "TIME", kOmitted),
};

constexpr const Kind* kStream[] = {&Progress::kKind, &RoundEnd::kKind, &ReadSummary::kKind, &End::kKind};

}  // namespace

const Kind Progress::kKind{"progress", Role::kControl, "How far a long piece of work is, written sparsely.",
                           "actors",   "people",       kProgressFields};
const Kind RoundEnd::kKind{
    "round_end", Role::kControl, "Closes a round of samples: a decider decides here, never on half a round.",
    "observers", "deciders",     kRoundEndFields};
const Kind ReadSummary::kKind{"read_summary",
                              Role::kSummary,
                              "What a program that reads or searches records has counted.",
                              "rackline-records --check, audit",
                              "people",
                              kReadSummaryFields};
const Kind End::kKind{"end",
                      Role::kControl,
                      "The last record of every stream. A stream without it was cut off: its producer died.",
                      "every program",
                      "every program",
                      kEndFields};

const Subject kStreamKinds{.stream = kStream};

}  // namespace rackline::record
