// SPDX-License-Identifier: Apache-2.0
#include "fence/records.h"

#include "base/units.h"

namespace rackline::fence {
namespace {

using Outcome = FenceReport::Outcome;

record::Text if_any(const std::string& text) {
  return text.empty() ? record::Text() : record::Text(text);
}

record::Flag if_true(bool value) {
  return value ? record::Flag(true) : record::Flag();
}

const char* outcome_of(const FenceReport& report) {
  if (report.disarmed) return "refused";
  if (report.retry) return "failed";  // also where another fence held the lock: it is only not done yet
  switch (report.outcome) {
    case Outcome::kRefused:
    case Outcome::kBusy:
      return "refused";
    case Outcome::kLeft:
      return "left";
    case Outcome::kWithdrawn:
      return "withdrawn";
    default:
      return "failed";
  }
}

}  // namespace

record::Text power_text(bmc::Power power) {
  return power == bmc::Power::kUnknown ? record::Text() : record::Text(name_of(power));
}

record::HostFenced fenced_record(const FenceReport& report) {
  record::HostFenced record;
  record.id = report.id;
  record.cause = if_any(report.cause);
  record.host = report.host;
  record.method = report.power.method;
  if (report.power.level > 0) record.level = report.power.level;
  record.power_before = power_text(report.power.before);
  record.power_after = power_text(report.power.after);
  record.verified = report.power.proven && !report.planned;
  record.evidence = if_any(report.power.evidence);
  record.already = if_true(report.already);
  record.planned = if_true(report.planned);
  record.attempts = report.power.attempts;
  record.elapsed_ms = report.elapsed.count();
  return record;
}

record::HostNotFenced not_fenced_record(const FenceReport& report) {
  record::HostNotFenced record;
  record.id = report.id;
  record.cause = if_any(report.cause);
  record.host = report.host;
  record.outcome = outcome_of(report);
  record.reason = report.reason;
  record.power_after = power_text(report.power.after);
  record.planned = if_true(report.planned);
  record.attempts = report.power.attempts;
  if (report.retry) record.retry_ms = report.retry->count();
  record.elapsed_ms = report.elapsed.count();
  return record;
}

record::HostUnfenced unfenced_record(const UnfenceReport& report) {
  record::HostUnfenced record;
  record.id = report.id;
  record.cause = if_any(report.cause);
  record.host = report.host;
  record.outcome = act::word_of(report.outcome, report.planned);
  record.method = if_any(report.power.method);
  record.power_after = power_text(report.power.after);
  record.reason = if_any(report.reason);
  record.planned = if_true(report.planned);
  record.elapsed_ms = report.elapsed.count();
  return record;
}

record::HostIdentity identity_record(const IdentityFinding& finding) {
  record::HostIdentity record;
  const auto uuid = [](const auto& value) {
    return value ? record::Text(bmc::to_text(*value)) : record::Text();
  };
  record.host = finding.host;
  record.method = if_any(finding.method);
  record.identity = name_of(finding.identity);
  record.bmc_uuid = uuid(finding.bmc_uuid);
  record.host_uuid = uuid(finding.host_uuid);
  record.reason = if_any(finding.reason);
  record.elapsed_ms = finding.elapsed.count();
  return record;
}

record::HostFenced with_identity(record::HostFenced record, IdentityGuard& guard,
                                 const std::map<std::string, bmc::FenceLevels>& methods) {
  const auto levels = methods.find(record.host);
  if (!record.level || levels == methods.end()) return record;
  for (const auto& level : levels->second) {
    if (level.empty() || level.front().level != *record.level || level.front().self()) continue;
    record.identity = name_of(guard.of_level(level));
  }
  return record;
}

record::HostPower power_record(const HostPowerReport& report) {
  record::HostPower record;
  record.host = report.host;
  record.power = power_text(report.reading.power);
  if (report.mark) {
    record.mark = report.mark->state == cluster::FenceMark::State::kFenced ? "fenced" : "returning";
    record.fence = report.mark->id;
  }
  record.method = if_any(report.reading.method);
  std::string why = report.broken;
  if (!report.reading.why.empty()) why += (why.empty() ? "" : "; ") + report.reading.why;
  record.reason = if_any(why);
  record.elapsed_ms = report.elapsed.count();
  return record;
}

std::string call_for_person(const FenceReport& report) {
  if (report.outcome == Outcome::kFenced) return {};
  if (!report.needs_person) return report.host + " is not fenced: " + report.reason;
  // Once when it fails, and once when it is given up; the rounds between are in the records.
  if (report.retry && report.round > 1) return {};
  std::string again;
  if (report.retry) again = "\n  It is tried again in " + format_duration(*report.retry) + ".";
  return report.host + " is NOT fenced, a person is needed: " + report.reason + again +
         "\n  When you have made sure yourself that it is off: fence --confirm-manual " + report.host +
         " | failover";
}

std::string call_about_life(const std::string& host) {
  return host +
         " is marked as fenced and shows life, a person is needed: its virtual servers may run twice. " +
         "Pull its plug now; then find out which machine its fence method switches.";
}

}  // namespace rackline::fence
