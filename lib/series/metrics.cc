// SPDX-License-Identifier: Apache-2.0
#include "series/metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace rackline::series {
namespace {

using record::Field;
using record::Type;

struct Unit {
  std::string_view suffix, base;
  double scale;
};
// The longest first, where one is the end of another.
constexpr std::array kUnits{
    Unit{"_percent_per_hour", "_ratio_per_second", 0.01 / 3600},
    Unit{"_cores_per_hour", "_cores_per_second", 1.0 / 3600},
    Unit{"_bytes_per_hour", "_bytes_per_second", 1.0 / 3600},
    Unit{"_percent", "_ratio", 0.01},
    Unit{"_ms", "_seconds", 0.001},
    Unit{"_mhz", "_hertz", 1e6},
};

std::string help_of(const Field& field) {
  std::string text(field.text);
  // A ratio goes from 0 to 1.
  if (const auto at = text.find(", 0 to 100"); at != std::string::npos) text.erase(at);
  std::string escaped;
  for (const char c : text) escaped += c == '\\' ? std::string("\\\\") : std::string(1, c);
  return escaped;
}

// The length of the UTF-8 sequence at the start of `text`; 0: it is none.
std::size_t sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies beyond Unicode.
  if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f)) return 0;
  if ((lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)) return 0;
  return length;
}

std::optional<double> value_of(const Field& field, const void* record) {
  const void* at = field.member(const_cast<void*>(record));  // nothing is written there
  const auto value = [&]<class T>(const T*) -> std::optional<double> {
    if (!field.optional) return static_cast<double>(*static_cast<const T*>(at));
    const auto& optional = *static_cast<const std::optional<T>*>(at);
    return optional ? std::optional(static_cast<double>(*optional)) : std::nullopt;
  };
  return field.type == Type::kInteger ? value(static_cast<const std::int64_t*>(nullptr))
                                      : value(static_cast<const double*>(nullptr));
}

}  // namespace

// One broken byte in a label makes a scraper throw away the whole page.
std::string label(std::string_view name, std::string_view value) {
  std::string text(name);
  text += "=\"";
  while (!value.empty()) {
    const std::size_t length = sequence(value);
    if (length == 0) {
      text += "\xef\xbf\xbd";
    } else if (value.front() == '\\' || value.front() == '"') {
      text += '\\';
      text += value.front();
    } else if (value.front() == '\n') {
      text += "\\n";
    } else {
      text += value.substr(0, length);
    }
    value.remove_prefix(length == 0 ? 1 : length);
  }
  return text + '"';
}

Metrics::Table Metrics::declare(const record::Kind& kind, std::string_view prefix,
                                std::initializer_list<std::string_view> names) {
  Table table;
  for (const Field& field : kind.fields) {
    if (field.type != Type::kInteger && field.type != Type::kNumber) continue;
    if (std::find(names.begin(), names.end(), field.name) != names.end()) continue;
    std::string name = std::string(prefix) + std::string(field.name);
    double scale = 1;
    for (const Unit& unit : kUnits) {
      if (!name.ends_with(unit.suffix)) continue;
      name.replace(name.size() - unit.suffix.size(), unit.suffix.size(), unit.base);
      scale = unit.scale;
      break;
    }
    table.push_back({&field, family(std::move(name), help_of(field)), scale});
  }
  return table;
}

Metrics::Id Metrics::family(std::string name, std::string help, const char* type) {
  families_.push_back({std::move(name), std::move(help), type, {}});
  return families_.size() - 1;
}

void Metrics::sample(Id family, std::string_view labels, double value) {
  Family& f = families_[family];
  f.samples += f.name;
  if (!labels.empty()) {
    f.samples += '{';
    f.samples += labels;
    f.samples += '}';
  }
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  f.samples += ' ';
  f.samples.append(text.data(), end);
  f.samples += '\n';
}

void Metrics::samples(const Table& table, const void* record, std::string_view labels) {
  for (const Gauge& gauge : table) {
    const auto value = value_of(*gauge.field, record);
    if (value && std::isfinite(*value)) sample(gauge.family, labels, *value * gauge.scale);
  }
}

std::string Metrics::page() {
  std::size_t size = 0;
  for (const Family& f : families_) size += f.samples.size() + f.help.size() + 3 * f.name.size() + 32;
  std::string page;
  page.reserve(size);
  for (Family& f : families_) {
    if (f.samples.empty()) continue;
    page += "# HELP " + f.name + " " + f.help + "\n# TYPE " + f.name + " " + f.type + "\n";
    page += f.samples;
    f.samples.clear();
  }
  return page;
}

}  // namespace rackline::series
