// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/document.h"

namespace rackline::reserve {

// Whole seconds since 1970, UTC.
using Second = std::int64_t;
// The end of time: what a reservation without an end lasts to.
inline constexpr Second kForever = Second{1} << 36;

// From the first instant to before the second.
struct Span {
  Second from = 0;
  Second until = kForever;
  bool pass(store::Value& value);  // as a list of both
  bool operator==(const Span&) const = default;
};

// "2026-11-22T12:00:00Z"; in local time "2026-11-22 08:00", "2026-11-22", "08:00" (today), "tomorrow 08:00",
// "tomorrow"; "now"; "+2h" from now. Throws Error(kUsage) for anything else.
Second parse_instant(std::string_view text, Second now);
// The end of what begins at `from`: a time of day is the next one after that, "+2h" counts from it.
Second parse_end(std::string_view text, Second now, Second from);

// A rule such as "weekdays 8-18": days, and hours of local time (TZ, /etc/localtime), as cron has it; an end
// that is not after its beginning is on the next day. Over a change to or from summer time it keeps the
// clock's hours.
struct Recurrence {
  std::array<bool, 7> days{};  // Sunday first, as struct tm has it
  int from_minute = 0;
  int until_minute = 0;  // up to 48 h after the day's midnight
};

// "weekdays 8-18", "mon,wed,fri 22:00-6:00", "mon-thu 8 to 18", "daily 0-24", "every weekday 8-18". Throws
// Error(kUsage).
Recurrence parse_recurrence(std::string_view text);

// The times of the rule that lie in the window, cut at its ends; those that follow on each other are one.
// Throws Error(kUsage) when they are more than kMostOccurrences.
inline constexpr std::size_t kMostOccurrences = 1500;
std::vector<Span> occurrences(const Recurrence& rule, Span window);

}  // namespace rackline::reserve
