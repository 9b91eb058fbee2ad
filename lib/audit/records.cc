// SPDX-License-Identifier: Apache-2.0
#include "audit/records.h"

#include <algorithm>

namespace rackline::audit {
namespace {

record::Integer known(std::int64_t number) {
  return number >= 0 ? record::Integer(number) : std::nullopt;
}
record::Text known(const std::string& text) {
  return text.empty() ? std::nullopt : record::Text(text);
}

}  // namespace

record::AuditFinding record_of(const Finding& finding) {
  record::AuditFinding out;
  out.problem = finding.problem;
  out.first = known(finding.first);
  out.last = known(finding.last);
  out.file = finding.file;
  out.line = finding.line;
  out.reason = finding.why;
  return out;
}

record::AuditVerified record_of(const Verified& result, bool keyed) {
  record::AuditVerified out;
  out.outcome = result.findings == 0 ? "sound" : "broken";
  out.chain = known(result.chain);
  out.first = known(result.first);
  out.last = known(result.last);
  out.hash = known(result.hash);
  out.records = result.records;
  out.findings = result.findings;
  out.redacted = result.redacted;
  out.repaired = result.repaired;
  out.checkpoints = result.checkpoints;
  out.parts = result.parts;
  if (keyed) {
    out.signed_to = known(result.signed_to);
    // The line of the checkpoint itself comes behind what it signs.
    out.unsigned_lines =
        std::max<std::int64_t>(0, result.last - std::max<std::int64_t>(result.signed_to, -1) - 1);
  }
  return out;
}

}  // namespace rackline::audit
