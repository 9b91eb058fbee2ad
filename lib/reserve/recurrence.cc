// SPDX-License-Identifier: Apache-2.0
#include "reserve/recurrence.h"

#include <algorithm>
#include <ctime>

#include "base/error.h"
#include "base/letters.h"
#include "base/local_time.h"
#include "base/scan.h"
#include "base/time.h"
#include "base/units.h"

namespace rackline::reserve {
namespace {

constexpr int kMinutesOfDay = 24 * 60;
constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

[[noreturn]] void refuse_instant(std::string_view text) {
  throw Error(
      Status::kUsage, "read time", std::string(text),
      "expected 2026-11-22T12:00:00Z, \"2026-11-22 08:00\" in local time, 08:00, \"tomorrow 08:00\", +2h "
      "or now");
}
[[noreturn]] void refuse_rule(std::string_view text, const std::string& why) {
  throw Error(Status::kUsage, "read recurrence", std::string(text), why,
              "for example \"weekdays 8-18\", \"mon,wed 22:00-6:00\" or \"daily 0-24\"");
}

// "8", "8:30", "24". Minutes since midnight.
bool take_clock(std::string_view& text, int& minutes) {
  int hour = 0;
  int minute = 0;
  if (!take_number(text, 2, hour)) return false;
  if (take(text, ":") && !(take_number(text, 2, minute) && minute < 60)) return false;
  minutes = hour * 60 + minute;
  return minutes <= kMinutesOfDay;
}

std::tm local(Second at) {
  const std::time_t time = at;
  std::tm parts = {};
  localtime_r(&time, &parts);
  return parts;
}

// The instant of that local date and minute; mktime brings days and minutes beyond their end in order.
Second instant(int year, int month, int day, int minutes) {
  std::tm parts = {};
  parts.tm_year = year - 1900;
  parts.tm_mon = month - 1;
  parts.tm_mday = day;
  parts.tm_hour = minutes / 60;
  parts.tm_min = minutes % 60;
  parts.tm_isdst = -1;
  return std::mktime(&parts);
}

// "mon", "monday".
std::optional<std::size_t> day_of(std::string_view name) {
  constexpr std::array<std::string_view, 7> kFull = {"sunday",   "monday", "tuesday", "wednesday",
                                                     "thursday", "friday", "saturday"};
  for (std::size_t i = 0; i < kDays.size(); ++i) {
    if (name == kDays[i] || name == kFull[i] || name == std::string(kFull[i]) + "s") return i;
  }
  return std::nullopt;
}

void add_days(std::string_view given, std::string_view words, std::array<bool, 7>& days) {
  const auto range = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from;; i = (i + 1) % 7) {
      days[i] = true;
      if (i == to) break;
    }
  };
  while (!words.empty()) {
    const auto comma = words.find(',');
    const std::string_view word = words.substr(0, comma);
    words = comma == std::string_view::npos ? std::string_view{} : words.substr(comma + 1);
    if (word == "weekdays" || word == "weekday") {
      range(1, 5);
    } else if (word == "weekends" || word == "weekend") {
      range(6, 0);
    } else if (word == "daily" || word == "day" || word == "days") {
      days.fill(true);
    } else if (const auto one = day_of(word)) {
      days[*one] = true;
    } else {
      const auto dash = word.find('-');
      const auto from = dash == std::string_view::npos ? std::nullopt : day_of(word.substr(0, dash));
      const auto to = dash == std::string_view::npos ? std::nullopt : day_of(word.substr(dash + 1));
      if (!from || !to) refuse_rule(given, "\"" + std::string(word) + "\" is no day");
      range(*from, *to);
    }
  }
}

}  // namespace

Second parse_instant(std::string_view text, Second now) {
  if (text == "now") return now;
  if (text.starts_with('+')) {
    return now + std::chrono::duration_cast<std::chrono::seconds>(parse_duration(text.substr(1))).count();
  }
  if (const auto time = rackline::parse_time(text)) {
    const Second at = time->time_since_epoch().count();
    if (at < 0 || at >= kForever) refuse_instant(text);
    return at;
  }
  const auto local_time = parse_local_time(text, std::chrono::sys_seconds{std::chrono::seconds{now}});
  const Second at = local_time ? local_time->time_since_epoch().count() : -1;
  if (at < 0 || at >= kForever) refuse_instant(text);
  return at;
}

Second parse_end(std::string_view text, Second now, Second from) {
  if (text.starts_with('+')) return parse_instant(text, from);
  std::string_view clock = text;
  int minutes = 0;
  if (text.find(':') > 2 || !take_clock(clock, minutes) || !clock.empty()) return parse_instant(text, now);
  const std::tm day = local(from);
  const auto at = [&](int days) {
    return instant(day.tm_year + 1900, day.tm_mon + 1, day.tm_mday + days, minutes);
  };
  return at(0) > from ? at(0) : at(1);
}

Recurrence parse_recurrence(std::string_view text) {
  std::vector<std::string> words;
  const std::string given = small_letters(text);
  for (std::size_t at = 0; at < given.size();) {
    const auto end = std::min(given.find(' ', at), given.size());
    if (end > at) words.push_back(given.substr(at, end - at));
    at = end + 1;
  }
  if (!words.empty() && words.front() == "every") words.erase(words.begin());
  if (words.size() == 4 && words[2] == "to") words = {words[0], words[1] + "-" + words[3]};
  if (words.size() != 2) refuse_rule(text, "expected days and hours");
  Recurrence rule;
  add_days(text, words[0], rule.days);
  std::string_view hours = words[1];
  if (!take_clock(hours, rule.from_minute) || !take(hours, "-") || !take_clock(hours, rule.until_minute) ||
      !hours.empty()) {
    refuse_rule(text, "\"" + words[1] + "\" are no hours");
  }
  if (rule.from_minute >= kMinutesOfDay) refuse_rule(text, "a day begins at 0");
  if (rule.until_minute == rule.from_minute) refuse_rule(text, "it ends when it begins; a whole day is 0-24");
  if (rule.until_minute < rule.from_minute) rule.until_minute += kMinutesOfDay;
  return rule;
}

std::vector<Span> occurrences(const Recurrence& rule, Span window) {
  std::vector<Span> spans;
  // From the day before: its hours may reach into the window.
  const std::tm first = local(window.from);
  for (int offset = -1;; ++offset) {
    const Second noon =
        instant(first.tm_year + 1900, first.tm_mon + 1, first.tm_mday + offset, kMinutesOfDay / 2);
    const std::tm day = local(noon);
    const auto at = [&](int minutes) {
      return instant(day.tm_year + 1900, day.tm_mon + 1, day.tm_mday, minutes);
    };
    if (at(0) >= window.until) break;
    if (!rule.days[static_cast<std::size_t>(day.tm_wday)]) continue;
    const Span span{std::max(at(rule.from_minute), window.from),
                    std::min(at(rule.until_minute), window.until)};
    if (span.from >= span.until) continue;
    if (!spans.empty() && span.from <= spans.back().until) {
      spans.back().until = std::max(spans.back().until, span.until);
      continue;
    }
    if (spans.size() == kMostOccurrences) {
      throw Error(Status::kUsage, "read recurrence", "its times",
                  "more than " + std::to_string(kMostOccurrences) + " until its end",
                  "give it an earlier end, and extend it later");
    }
    spans.push_back(span);
  }
  return spans;
}

}  // namespace rackline::reserve
