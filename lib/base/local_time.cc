// SPDX-License-Identifier: Apache-2.0
#include "base/local_time.h"

#include <ctime>

#include "base/scan.h"

namespace rackline {
namespace {

bool take_clock(std::string_view& text, std::tm& parts) {
  return take_number(text, 2, parts.tm_hour) && take(text, ":") && take_number(text, 2, parts.tm_min) &&
         parts.tm_hour <= 24 && parts.tm_min < 60;
}

}  // namespace

std::optional<std::chrono::sys_seconds> parse_local_time(std::string_view text,
                                                         std::chrono::sys_seconds now) {
  const std::time_t present = now.time_since_epoch().count();
  std::tm day = {}, parts = {};
  localtime_r(&present, &day);
  parts.tm_year = day.tm_year;
  parts.tm_mon = day.tm_mon;
  parts.tm_mday = day.tm_mday;
  const bool numbered = text.size() >= 10 && text[4] == '-';
  const bool today_named = take(text, "today");
  const bool tomorrow_named = !today_named && take(text, "tomorrow");
  if (tomorrow_named) ++parts.tm_mday;
  const bool named = today_named || tomorrow_named;
  const bool dated = numbered || named;
  if (numbered) {
    if (!take_number(text, 4, parts.tm_year) || !take(text, "-") || !take_number(text, 2, parts.tm_mon) ||
        !take(text, "-") || !take_number(text, 2, parts.tm_mday))
      return std::nullopt;
    parts.tm_year -= 1900;
    --parts.tm_mon;
    // A 31st of February would become some day of March.
    const std::chrono::year_month_day date{std::chrono::year{parts.tm_year + 1900},
                                           std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)),
                                           std::chrono::day(static_cast<unsigned>(parts.tm_mday))};
    if (!date.ok()) return std::nullopt;
  }
  const bool whole_day = dated && text.empty();
  if (dated && !whole_day && !take(text, " ") && (named || !take(text, "T"))) return std::nullopt;
  if (!whole_day && (!take_clock(text, parts) || !text.empty())) return std::nullopt;
  parts.tm_isdst = -1;
  return std::chrono::sys_seconds{std::chrono::seconds{std::mktime(&parts)}};
}

}  // namespace rackline
