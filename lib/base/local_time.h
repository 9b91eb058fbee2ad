// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace rackline {

// What the clocks of the local zone (TZ, /etc/localtime) show at that instant.
std::chrono::local_seconds local_of(std::chrono::sys_seconds at);

// When they show a time. mktime() is no help: what it makes of a time that the clocks skip depends on what it
// was asked before.
struct LocalInstant {
  std::chrono::sys_seconds at;  // the first instant at which they show that time or a later one
  std::optional<std::chrono::sys_seconds> again = {};  // set back, they show it a second time
  bool skipped = false;                                // set forward over it, they never show it
};
LocalInstant instant_of(std::chrono::local_seconds time);
// What has to be said about it, for a person; empty when there is just one such time.
std::string doubt_about(std::string_view text, const LocalInstant& instant);

// What people write for a time in their own zone: "2026-11-25 21:00", "2026-11-25" (its midnight), "21:00"
// (today), "today", "tomorrow 8:00". 24:00 is the end of a day. Nothing when it is none of these.
std::optional<LocalInstant> parse_local_time(std::string_view text, std::chrono::sys_seconds now);

// "2026-11-25".
std::optional<std::chrono::local_days> parse_date(std::string_view text);

// The zone's name, as TZ has it: "Europe/Berlin". Throws Error(kUsage) where this machine knows no such zone.
std::string local_zone();
// For who shows or reads local times. Throws as local_zone() does; parse_local_time() does by itself.
void require_local_zone();

// Local time is that of another zone while it lives; empty: it stays as it is. It changes the environment, so
// that no other thread may need local times or TZ meanwhile. Throws Error(kUsage) where this machine does not
// know it.
class ZoneScope {
 public:
  explicit ZoneScope(const std::string& zone);
  ~ZoneScope();
  ZoneScope(const ZoneScope&) = delete;
  ZoneScope& operator=(const ZoneScope&) = delete;

 private:
  bool changed_ = false;
  std::optional<std::string> before_;
};

}  // namespace rackline
