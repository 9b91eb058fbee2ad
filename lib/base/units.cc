// SPDX-License-Identifier: Apache-2.0
#include "base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

#include "base/error.h"

namespace rackline {
namespace {

// The number at the head of `text`; what follows it is left in `unit`. from_chars, because strtod reads the
// locale.
double leading_number(std::string_view text, std::string_view& unit, const char* what, const char* examples) {
  double value = 0;
  const auto [end, problem] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (problem != std::errc{} || value < 0 || !std::isfinite(value)) {
    throw Error(Status::kUsage, std::string("read ") + what, std::string(text),
                std::string("expected ") + examples);
  }
  unit = std::string_view(end, static_cast<std::size_t>(text.data() + text.size() - end));
  return value;
}

// "%.*f" and a unit. printf and not to_chars: short, and the programs run in the C locale.
std::string with_unit(double value, int decimals, const char* unit) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f%s", decimals, value, unit);
  return text.data();
}

}  // namespace

std::int64_t parse_bytes(std::string_view text) {
  constexpr const char* kExamples = "a size such as 512MiB, 2GiB or 10GB";
  std::string_view unit;
  const double value = leading_number(text, unit, "size", kExamples);
  static constexpr std::array<std::pair<std::string_view, double>, 10> kUnits{{{"", 1.0},
                                                                               {"B", 1.0},
                                                                               {"KiB", 1024.0},
                                                                               {"MiB", 1048576.0},
                                                                               {"GiB", 1073741824.0},
                                                                               {"TiB", 1099511627776.0},
                                                                               {"KB", 1e3},
                                                                               {"MB", 1e6},
                                                                               {"GB", 1e9},
                                                                               {"TB", 1e12}}};
  for (const auto& [name, factor] : kUnits) {
    if (unit != name) continue;
    const double bytes = value * factor;
    if (bytes >= static_cast<double>(std::numeric_limits<std::int64_t>::max())) break;
    return static_cast<std::int64_t>(std::llround(bytes));
  }
  throw Error(Status::kUsage, "read size", std::string(text), std::string("expected ") + kExamples);
}

std::chrono::milliseconds parse_duration(std::string_view text) {
  constexpr const char* kExamples = "a duration such as 250ms, 10s, 5m or 2h";
  std::string_view unit;
  const double value = leading_number(text, unit, "duration", kExamples);
  if (unit.empty() && value == 0) return std::chrono::milliseconds{0};
  static constexpr std::array<std::pair<std::string_view, double>, 6> kUnits{
      {{"ms", 1.0}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}, {"w", 7 * 86400e3}}};
  constexpr double kCentury = 100.0 * 365 * 86400e3;  // far above any use, far below overflow
  for (const auto& [name, factor] : kUnits) {
    if (unit == name && value * factor <= kCentury) {
      return std::chrono::milliseconds{std::llround(value * factor)};
    }
  }
  throw Error(Status::kUsage, "read duration", std::string(text), std::string("expected ") + kExamples);
}

std::string format_bytes(std::int64_t bytes) {
  static constexpr std::array<const char*, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // What would be rounded to 1024 of a unit is 1 of the next.
  while (std::abs(value) >= (unit == 0 ? 1024 : 1023.5) && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  const bool whole = unit == 0 || std::abs(value) >= 99.95 || std::abs(value - std::round(value)) < 0.005;
  return with_unit(value, whole ? 0 : std::abs(value) >= 9.995 ? 1 : 2, kUnits[unit]);
}

std::string format_duration(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  if (ms < 1000) return std::to_string(ms) + "ms";
  if (ms < 59'950 && ms % 1000 != 0) return with_unit(static_cast<double>(ms) / 1000, 1, "s");
  const long long seconds = (ms + 500) / 1000;
  if (seconds < 60) return std::to_string(seconds) + "s";
  std::array<char, 64> text{};
  if (seconds % 3600 == 0) {  // "2h" and "30m" are also what parse_duration takes
    std::snprintf(text.data(), text.size(), "%lldh", seconds / 3600);
  } else if (seconds < 3600 && seconds % 60 == 0) {
    std::snprintf(text.data(), text.size(), "%lldm", seconds / 60);
  } else if (seconds < 3600) {
    std::snprintf(text.data(), text.size(), "%lldm%02llds", seconds / 60, seconds % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%lldh%02lldm", seconds / 3600, seconds / 60 % 60);
  }
  return text.data();
}

}  // namespace rackline
