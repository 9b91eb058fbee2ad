// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
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

// Whole seconds that are no shorter: nobody gets less time than he asked for.
Second whole_seconds(Milliseconds length);

// "2026-11-22T12:00:00Z"; in local time "2026-11-22 08:00", "2026-11-22", "08:00" (today), "tomorrow 08:00",
// "tomorrow"; "now"; "+2h" from now. Throws Error(kUsage) for anything else. What a person has to be told
// about a local time that the clocks skip or show twice is added to `notes`.
Second parse_instant(std::string_view text, Second now, std::vector<std::string>* notes = nullptr);
// The end of what begins at `from`: a time of day is the next one after that, "+2h" counts from it.
Second parse_end(std::string_view text, Second now, Second from, std::vector<std::string>* notes = nullptr);

// A rule such as "weekdays 8-18": days, and hours of local time, as cron has it; an end that is not after its
// beginning is on the next day. Over a change to or from summer time it keeps the clock's hours: where they
// are skipped, the change takes their place, and of those that come twice the first are meant. So rules that
// meet on the clock meet in time, and no time between is lost.
struct Recurrence {
  static constexpr std::size_t kLast = 0;  // of the ordinals: the last one of the month
  std::array<bool, 7> days{};              // Sunday first
  std::bitset<32> ordinals;                // none: each week; else days of the month, or
  bool nth_weekday = false;                // which of the month's such weekdays
  std::vector<std::pair<std::chrono::local_days, std::chrono::local_days>> exceptions;  // first and last
  int from_minute = 0;
  int until_minute = 0;  // up to 48 h after the day's midnight
  std::string zone;      // as TZ has it; empty: the one that is set
};

// "weekdays 8-18", "mon,wed,fri 22:00-6:00", "mon-thu 8 to 18", "daily 0-24", "every weekday 8-18",
// "1st,15th 2-4", "last day 2-4", "2nd tue 20-22", "daily 8-18 except 2026-12-25,2026-12-31..2027-01-02".
// Throws Error(kUsage).
Recurrence parse_recurrence(std::string_view text);

// The times of the rule that lie in the window, cut at its ends; those that follow on each other are one.
// Throws Error(kUsage) when they are more than kMostOccurrences.
inline constexpr std::size_t kMostOccurrences = 1500;
std::vector<Span> occurrences(const Recurrence& rule, Span window, std::vector<std::string>* notes = nullptr);

}  // namespace rackline::reserve
