// SPDX-License-Identifier: Apache-2.0
#include "cluster/announce.h"

#include "base/error.h"
#include "base/time.h"
#include "base/units.h"

namespace rackline::cluster {
namespace {

record::Text if_any(const std::string& text) {
  return text.empty() ? record::Text() : record::Text(text);
}

}  // namespace

std::chrono::sys_seconds parse_until(const std::string& text, std::chrono::sys_seconds now) {
  auto until = parse_time(text);
  if (!until) {
    try {
      // Rounded up: it is to hold for as long as was asked for.
      until = now + std::chrono::ceil<std::chrono::seconds>(parse_duration(text));
    } catch (const Error&) {
      // Neither of the two.
    }
  }
  if (!until || *until <= now) {
    throw Error(Status::kUsage, "read the command line", "--until " + text,
                "expected a time to come, such as 2030-01-31T06:00:00Z, or a time from now, such as 2h");
  }
  return *until;
}

record::HostStatus record_of(const HostStatus& status) {
  record::HostStatus record;
  record.host = status.host;
  record.state = name_of(status.state);
  if (status.since != std::chrono::sys_seconds{}) record.since = format_time(status.since);
  if (status.until) record.until = format_time(*status.until);
  record.by = if_any(status.by);
  record.verdict = if_any(status.verdict);
  record.reason = if_any(status.reason);
  return record;
}

std::optional<record::HostStatus> record_of(const MaintenanceMark& mark, std::chrono::sys_seconds now) {
  if (!mark.holds(now)) return std::nullopt;
  return record_of(
      HostStatus{mark.host, HostState::kMaintenance, mark.time, mark.by, mark.reason, mark.until, {}});
}

}  // namespace rackline::cluster
