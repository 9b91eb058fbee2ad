// SPDX-License-Identifier: Apache-2.0
#include "reserve/recurrence.h"

#include <algorithm>

#include "base/error.h"
#include "base/letters.h"
#include "base/local_time.h"
#include "base/scan.h"
#include "base/time.h"
#include "base/units.h"

namespace rackline::reserve {
namespace {

using std::chrono::local_days;

constexpr int kMinutesOfDay = 24 * 60;
constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

[[noreturn]] void refuse_instant(std::string_view text) {
  throw Error(
      Status::kUsage, "read time", std::string(text),
      "expected 2026-11-22T12:00:00Z, \"2026-11-22 08:00\" in local time, 08:00, \"tomorrow 08:00\", +2h "
      "or now");
}
[[noreturn]] void refuse_rule(std::string_view text, const std::string& why) {
  throw Error(
      Status::kUsage, "read recurrence", std::string(text), why,
      "for example \"weekdays 8-18\", \"mon,wed 22:00-6:00\", \"2nd tue 20-22\" or \"daily 0-24 except "
      "2026-12-25\"");
}

std::chrono::sys_seconds clock_time(Second at) {
  return std::chrono::sys_seconds{std::chrono::seconds{at}};
}
Second second_of(std::chrono::sys_seconds at) {
  return at.time_since_epoch().count();
}
LocalInstant instant(local_days day, int minutes) {
  return instant_of(day + std::chrono::minutes{minutes});
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

// "mon", "monday".
std::optional<std::size_t> day_of(std::string_view name) {
  constexpr std::array<std::string_view, 7> kFull = {"sunday",   "monday", "tuesday", "wednesday",
                                                     "thursday", "friday", "saturday"};
  for (std::size_t i = 0; i < kDays.size(); ++i) {
    if (name == kDays[i] || name == kFull[i] || name == std::string(kFull[i]) + "s") return i;
  }
  return std::nullopt;
}

std::string_view next_of_list(std::string_view& list) {
  const auto comma = list.find(',');
  const std::string_view word = list.substr(0, comma);
  list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  return word;
}

void add_days(std::string_view given, std::string_view words, std::array<bool, 7>& days) {
  const auto range = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from;; i = (i + 1) % 7) {
      days[i] = true;
      if (i == to) break;
    }
  };
  while (!words.empty()) {
    const std::string_view word = next_of_list(words);
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

// "2nd", "15th", "first", "last": 1 to 31, or kLast.
std::optional<std::size_t> ordinal(std::string_view word) {
  constexpr std::array<std::string_view, 6> kWords = {"last", "first", "second", "third", "fourth", "fifth"};
  const auto named = std::find(kWords.begin(), kWords.end(), word);
  if (named != kWords.end()) return static_cast<std::size_t>(named - kWords.begin());
  int number = 0;
  if (!take_number(word, 2, number) || number < 1 || number > 31) return std::nullopt;
  const bool teen = number / 10 == 1;
  const std::string_view ending = teen               ? "th"
                                  : number % 10 == 1 ? "st"
                                  : number % 10 == 2 ? "nd"
                                  : number % 10 == 3 ? "rd"
                                                     : "th";
  return word == ending ? std::optional(static_cast<std::size_t>(number)) : std::nullopt;
}

// "2nd,4th": false when it does not begin with such a word.
bool add_ordinals(std::string_view given, std::string_view words, std::bitset<32>& ordinals) {
  if (!ordinal(words.substr(0, words.find(',')))) return false;
  while (!words.empty()) {
    const std::string_view word = next_of_list(words);
    const auto one = ordinal(word);
    if (!one) refuse_rule(given, "\"" + std::string(word) + "\" is no day of a month");
    ordinals.set(*one);
  }
  return true;
}

local_days date_of(std::string_view given, std::string_view word) {
  const auto day = parse_date(word);
  if (!day) refuse_rule(given, "\"" + std::string(word) + "\" is no date");
  return *day;
}

// "2026-12-25,2026-12-31..2027-01-02"
void add_exceptions(std::string_view given, std::string_view words, Recurrence& rule) {
  while (!words.empty()) {
    const std::string_view word = next_of_list(words);
    const auto dots = word.find("..");
    const local_days first = date_of(given, word.substr(0, dots));
    const local_days last = dots == std::string_view::npos ? first : date_of(given, word.substr(dots + 2));
    if (last < first) refuse_rule(given, "\"" + std::string(word) + "\" ends before it begins");
    rule.exceptions.emplace_back(first, last);
  }
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  const std::string given = small_letters(text);
  for (std::size_t at = 0; at < given.size();) {
    const auto end = std::min(given.find(' ', at), given.size());
    if (end > at) words.push_back(given.substr(at, end - at));
    at = end + 1;
  }
  if (!words.empty() && words.front() == "every") words.erase(words.begin());
  if (const auto to = std::find(words.begin(), words.end(), "to");
      to != words.end() && to != words.begin() && to + 1 != words.end()) {
    *(to - 1) += "-" + *(to + 1);
    words.erase(to, to + 2);
  }
  return words;
}

bool falls_on(const Recurrence& rule, local_days day) {
  for (const auto& [first, last] : rule.exceptions) {
    if (first <= day && day <= last) return false;
  }
  const bool weekday = rule.days[std::chrono::weekday{day}.c_encoding()];
  if (rule.ordinals.none()) return weekday;
  const std::chrono::year_month_day date{day};
  const unsigned of_month = static_cast<unsigned>(date.day());
  const unsigned last = static_cast<unsigned>(
      std::chrono::year_month_day_last{date.year() / date.month() / std::chrono::last}.day());
  if (!rule.nth_weekday)
    return rule.ordinals[of_month] || (rule.ordinals[Recurrence::kLast] && of_month == last);
  return weekday &&
         (rule.ordinals[(of_month + 6) / 7] || (rule.ordinals[Recurrence::kLast] && of_month + 7 > last));
}

// What the change of the clocks makes of a rule's hours, for a person.
class ClockChanges {
 public:
  void see(local_days day, const LocalInstant& from, const LocalInstant& until) {
    const bool gone = from.at == until.at;
    if (gone || from.skipped || until.skipped || from.again || until.again) {
      auto& dates = gone ? skipped_ : changed_;
      const std::string date = format_time(std::chrono::sys_days{day.time_since_epoch()}).substr(0, 10);
      dates += (dates.empty() ? "" : ", ") + date;
    }
  }
  void tell(std::vector<std::string>& notes) const {
    if (!skipped_.empty()) {
      notes.push_back("it does not recur on " + skipped_ + ": the clocks are set forward over its hours");
    }
    if (!changed_.empty()) {
      notes.push_back("the clocks change at its beginning or end on " + changed_ +
                      ": of a time that is skipped the change is meant, of one that comes twice the first");
    }
  }

 private:
  std::string skipped_, changed_;
};

}  // namespace

Second whole_seconds(Milliseconds length) {
  return std::chrono::ceil<std::chrono::seconds>(length).count();
}

Second parse_instant(std::string_view text, Second now, std::vector<std::string>* notes) {
  if (text == "now") return now;
  if (text.starts_with('+')) return now + whole_seconds(parse_duration(text.substr(1)));
  Second at = -1;
  if (const auto time = rackline::parse_time(text)) {
    at = second_of(*time);
  } else if (const auto local_time = parse_local_time(text, clock_time(now))) {
    at = second_of(local_time->at);
    const std::string doubt = doubt_about(text, *local_time);
    if (notes != nullptr && !doubt.empty()) notes->push_back(doubt);
  }
  if (at < 0 || at >= kForever) refuse_instant(text);
  return at;
}

Second parse_end(std::string_view text, Second now, Second from, std::vector<std::string>* notes) {
  if (text.starts_with('+')) return parse_instant(text, from);
  std::string_view clock = text;
  int minutes = 0;
  if (text.find(':') > 2 || !take_clock(clock, minutes) || !clock.empty()) {
    return parse_instant(text, now, notes);
  }
  require_local_zone();
  auto day = std::chrono::floor<std::chrono::days>(local_of(clock_time(from)));
  auto end = instant(day, minutes);
  if (second_of(end.at) <= from && end.again && second_of(*end.again) > from) return second_of(*end.again);
  // A day that the zone skips whole ends when it begins.
  while (second_of(end.at) <= from) end = instant(day += std::chrono::days{1}, minutes);
  const std::string doubt = doubt_about(text, end);
  if (notes != nullptr && !doubt.empty()) notes->push_back(doubt);
  return second_of(end.at);
}

Recurrence parse_recurrence(std::string_view text) {
  auto words = words_of(text);
  Recurrence rule;
  if (words.size() > 2 && words[words.size() - 2] == "except") {
    add_exceptions(text, words.back(), rule);
    words.resize(words.size() - 2);
  }
  if (words.size() < 2 || words.size() > 3) refuse_rule(text, "expected days and hours");
  const bool monthly = add_ordinals(text, words[0], rule.ordinals);
  if (words.size() == 3 && !monthly) refuse_rule(text, "expected days and hours");
  rule.nth_weekday = words.size() == 3 && words[1] != "day";
  if (rule.nth_weekday && (rule.ordinals >> 6).any()) refuse_rule(text, "a month has five weeks");
  if (!monthly || rule.nth_weekday) add_days(text, words[words.size() - 2], rule.days);
  std::string_view hours = words.back();
  if (!take_clock(hours, rule.from_minute) || !take(hours, "-") || !take_clock(hours, rule.until_minute) ||
      !hours.empty()) {
    refuse_rule(text, "\"" + words.back() + "\" are no hours");
  }
  if (rule.from_minute >= kMinutesOfDay) refuse_rule(text, "a day begins at 0");
  if (rule.until_minute == rule.from_minute) refuse_rule(text, "it ends when it begins; a whole day is 0-24");
  if (rule.until_minute < rule.from_minute) rule.until_minute += kMinutesOfDay;
  return rule;
}

std::vector<Span> occurrences(const Recurrence& rule, Span window, std::vector<std::string>* notes) {
  const ZoneScope zone(rule.zone);
  std::vector<Span> spans;
  ClockChanges changes;
  // From two days before: hours that go past midnight may reach into the window.
  auto day = std::chrono::floor<std::chrono::days>(local_of(clock_time(window.from))) - std::chrono::days{2};
  for (;; day += std::chrono::days{1}) {
    if (second_of(instant(day, 0).at) >= window.until) break;
    if (!falls_on(rule, day)) continue;
    const LocalInstant from = instant(day, rule.from_minute);
    const LocalInstant until = instant(day, rule.until_minute);
    if (second_of(until.at) >= window.from && second_of(from.at) < window.until)
      changes.see(day, from, until);
    const Span span{std::max(second_of(from.at), window.from), std::min(second_of(until.at), window.until)};
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
  if (notes != nullptr) changes.tell(*notes);
  return spans;
}

}  // namespace rackline::reserve
