// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "record/kind.h"

namespace rackline::record {

// --- the lines of an audit trail; how they hang together is said in lib/audit/line.h and in audit(1) ---

struct AuditLine : Head {
  std::int64_t seq = 0;
  Text salt, text;
  List salts;
  std::string root, hash;
};

struct AuditBegin : AuditLine {
  std::string chain, after;
  std::int64_t part = 0;
  Text actor, host, lost_chain;
  Integer lost_line;
  static const Kind kKind;
};

struct AuditRecord : AuditLine {
  Text actor, host, request, cause, line;
  static const Kind kKind;
};

struct AuditClose : AuditLine {
  std::int64_t records = 0;
  Text actor, host;
  static const Kind kKind;
};

struct AuditCheckpoint : AuditLine {
  std::string chain, head, key, signature;
  std::int64_t at = 0;
  Text actor, host;
  static const Kind kKind;
};

struct AuditRepaired : AuditLine {
  std::int64_t bytes = 0;
  std::string torn;
  Text actor, host;
  static const Kind kKind;
};

struct AuditRotated : AuditLine {
  std::int64_t part = 0;
  Text actor, host;
  static const Kind kKind;
};

struct AuditRedacted : AuditLine {
  std::int64_t line = 0;
  std::vector<std::string> fields;
  std::string reason;
  Text actor, host;
  static const Kind kKind;
};

struct AuditTruncated : AuditLine {
  std::int64_t lost = 0, lost_from = 0, lost_to = 0;
  std::string lost_hash;
  Text torn, actor, host;
  static const Kind kKind;
};

// --- what audit says about a trail ---

struct AuditFinding : Head {
  std::string problem;
  Integer first, last;
  std::string file;
  std::int64_t line = 0;
  std::string reason;
  static const Kind kKind;
};

struct AuditVerified : Head {
  std::string outcome;
  Text chain;
  Integer first, last;
  Text hash;
  std::int64_t records = 0, findings = 0, redacted = 0, checkpoints = 0, parts = 0;
  Integer repaired;
  Integer signed_to, unsigned_lines;
  static const Kind kKind;
};

struct AuditStep : Head {
  std::int64_t line = 0;
  Time at{};
  std::string phase, by, what;
  Text outcome, reason, actor, on, request;
  static const Kind kKind;
};

struct AuditPart : Head {
  std::string file;
  std::int64_t part = 0, last = 0;
  static const Kind kKind;
};

}  // namespace rackline::record
