// SPDX-License-Identifier: Apache-2.0
#include "base/local_time.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/scan.h"
#include "base/time.h"

namespace rackline {
namespace {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

// What is added to UTC then.
seconds offset_at(sys_seconds at) {
  const std::time_t time = at.time_since_epoch().count();
  std::tm parts = {};
  localtime_r(&time, &parts);
  return seconds{parts.tm_gmtoff};
}

bool take_clock(std::string_view& text, seconds& clock) {
  int hour = 0;
  int minute = 0;
  if (!take_number(text, 2, hour) || !take(text, ":") || !take_number(text, 2, minute)) return false;
  clock = std::chrono::hours{hour} + std::chrono::minutes{minute};
  return minute < 60 && clock <= std::chrono::days{1};
}

bool take_date(std::string_view& text, std::chrono::local_days& day) {
  int year = 0;
  int month = 0;
  int of_month = 0;
  if (!take_number(text, 4, year) || !take(text, "-") || !take_number(text, 2, month) || !take(text, "-") ||
      !take_number(text, 2, of_month))
    return false;
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(of_month))};
  if (date.ok()) day = std::chrono::local_days{date};
  return date.ok();
}

std::string configured_zone() {
  if (const char* zone = std::getenv("TZ")) return *zone == '\0' ? "UTC" : zone + (*zone == ':' ? 1 : 0);
  constexpr std::string_view kFolder = "zoneinfo/";
  std::error_code none;
  const std::filesystem::path link = "/etc/localtime";
  const std::string leads_to = std::filesystem::read_symlink(link, none).string();
  const auto at = leads_to.find(kFolder);
  if (at != std::string::npos) return leads_to.substr(at + kFolder.size());
  return std::filesystem::exists(link, none) ? link.string() : "UTC";
}

// A file as tzfile(5) describes it.
bool has_zone_file(const std::string& zone) {
  const char* folder = std::getenv("TZDIR");
  const std::filesystem::path base = folder != nullptr ? folder : "/usr/share/zoneinfo";
  std::ifstream file(base / zone, std::ios::binary);
  std::array<char, 4> begins{};
  return file.read(begins.data(), begins.size()) && std::string_view(begins.data(), 4) == "TZif";
}

bool take_letters(std::string_view& text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (take(text, "<")) {
    const auto end = text.find('>');
    if (end == std::string_view::npos || end < 3) return false;
    text.remove_prefix(end + 1);
    return true;
  }
  const auto end = std::find_if_not(text.begin(), text.end(), is_letter) - text.begin();
  text.remove_prefix(static_cast<std::size_t>(end));
  return end >= 3;
}

bool take_offset(std::string_view& text) {
  int number = 0;
  if (!take(text, "+")) take(text, "-");
  if (!take_number(text, 2, number)) return false;
  while (take(text, ":")) {
    if (!take_number(text, 2, number)) return false;
  }
  return true;
}

// A zone in words, as POSIX has it: "CET-1CEST,M3.5.0,M10.5.0/3".
bool describes_zone(std::string_view text) {
  if (!take_letters(text) || !take_offset(text)) return false;
  if (text.empty()) return true;
  if (!take_letters(text)) return false;
  if (!text.empty() && !text.starts_with(',') && !take_offset(text)) return false;
  return text.empty() || (std::count(text.begin(), text.end(), ',') == 2 && text.starts_with(',') &&
                          text.find_first_not_of("0123456789MJ.,/:+-") == std::string_view::npos);
}

void require_zone(const std::string& zone) {
  if (zone == "UTC" || has_zone_file(zone) || describes_zone(zone)) return;
  // The C library would take it for UTC, without a word.
  throw Error(Status::kUsage, "tell local times", zone, "there is no such time zone",
              "TZ names one, such as Europe/Berlin; the package tzdata has them");
}

}  // namespace

std::optional<std::chrono::local_days> parse_date(std::string_view text) {
  std::chrono::local_days day;
  return take_date(text, day) && text.empty() ? std::optional(day) : std::nullopt;
}

local_seconds local_of(sys_seconds at) {
  return local_seconds{at.time_since_epoch() + offset_at(at)};
}

// No zone is a day away from UTC, and none changes its clocks twice within two days.
LocalInstant instant_of(local_seconds time) {
  const sys_seconds as_utc{time.time_since_epoch()};
  sys_seconds before = as_utc - std::chrono::days{1};
  sys_seconds change = as_utc + std::chrono::days{1};
  const seconds old_offset = offset_at(before);
  const seconds new_offset = offset_at(change);
  const sys_seconds old_clock = as_utc - old_offset;
  const sys_seconds new_clock = as_utc - new_offset;
  if (old_offset == new_offset) return {old_clock};
  while (change - before > seconds{1}) {
    const sys_seconds middle = before + (change - before) / 2;
    (offset_at(middle) == old_offset ? before : change) = middle;
  }
  if (old_clock >= change) return {std::max(new_clock, change), {}, new_clock < change};
  return {old_clock, new_clock >= change ? std::optional(new_clock) : std::nullopt};
}

std::string doubt_about(std::string_view text, const LocalInstant& instant) {
  const std::string given(text);
  if (instant.skipped) {
    return given + ": the clocks are set forward over it; " + format_time(instant.at) +
           ", when they are, is meant";
  }
  if (!instant.again) return "";
  return given + ": it comes twice, as the clocks are set back; " + format_time(instant.at) +
         " is meant and not " + format_time(*instant.again);
}

std::optional<LocalInstant> parse_local_time(std::string_view text, sys_seconds now) {
  auto day = std::chrono::floor<std::chrono::days>(local_of(now));
  seconds clock{0};
  const bool numbered = text.size() >= 10 && text[4] == '-';
  const bool today_named = take(text, "today");
  const bool tomorrow_named = !today_named && take(text, "tomorrow");
  if (tomorrow_named) day += std::chrono::days{1};
  const bool named = today_named || tomorrow_named;
  const bool dated = numbered || named;
  if (numbered && !take_date(text, day)) return std::nullopt;
  const bool whole_day = dated && text.empty();
  if (dated && !whole_day && !take(text, " ") && (named || !take(text, "T"))) return std::nullopt;
  if (!whole_day && (!take_clock(text, clock) || !text.empty())) return std::nullopt;
  require_local_zone();  // @rule 18-unknown-zone
  return instant_of(day + clock);
}

std::string local_zone() {
  std::string zone = configured_zone();
  require_zone(zone);
  return zone;
}

void require_local_zone() {
  local_zone();
}

ZoneScope::ZoneScope(const std::string& zone) : changed_(!zone.empty() && zone != configured_zone()) {
  require_zone(zone.empty() ? configured_zone() : zone);  // @rule 18-unknown-zone
  if (!changed_) return;
  if (const char* given = std::getenv("TZ")) before_ = given;
  setenv("TZ", zone.c_str(), 1);
  tzset();
}

ZoneScope::~ZoneScope() {
  if (!changed_) return;
  before_ ? setenv("TZ", before_->c_str(), 1) : unsetenv("TZ");
  tzset();
}

}  // namespace rackline
