// SPDX-License-Identifier: Apache-2.0
#include "record/writer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "base/time.h"
#include "base/units.h"

namespace rackline::record {
namespace {

using Json = nlohmann::ordered_json;

// The value of the member, or nullptr when it is an empty optional.
template <class T>
const T* value_of(const Field& field, const void* record) {
  // The description hands out addresses for reading and writing alike; here nothing is written.
  const void* at = field.member(const_cast<void*>(record));
  if (!field.optional) return static_cast<const T*>(at);
  const auto& value = *static_cast<const std::optional<T>*>(at);
  return value ? &*value : nullptr;
}

Json to_json(const Field& field, const void* record) {
  switch (field.type) {
    case Type::kString:
      if (const auto* text = value_of<std::string>(field, record)) return *text;
      break;
    case Type::kInteger:
      if (const auto* number = value_of<std::int64_t>(field, record)) return *number;
      break;
    case Type::kNumber:
      if (const auto* number = value_of<double>(field, record); number != nullptr && std::isfinite(*number)) {
        const double rounded = std::round(*number * 1e6) / 1e6;
        return std::isfinite(rounded) ? rounded + 0.0 : *number;  // + 0.0: no "-0.0"
      }
      break;
    case Type::kBoolean:
      if (const auto* flag = value_of<bool>(field, record)) return *flag;
      break;
    case Type::kTime:
      if (const auto* time = value_of<Time>(field, record)) return format_time(*time);
      break;
    case Type::kStrings:
      if (const auto* list = value_of<std::vector<std::string>>(field, record)) return *list;
      break;
  }
  return nullptr;
}

// At most three decimals, and none that say nothing.
std::string short_number(double number) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.3f", number);
  std::string cell = text.data();
  cell.erase(cell.find_last_not_of('0') + 1);
  if (cell.ends_with('.')) cell.pop_back();
  return cell;
}

// Of a record whose numbers are of this or that resource, its field `unit` says in what.
std::string in_unit(double number, std::string_view unit) {
  if (unit == "bytes") {
    return number < 0 ? "-" + format_bytes(std::llround(-number)) : format_bytes(std::llround(number));
  }
  if (unit != "bits_per_second") return short_number(number);
  constexpr std::pair<double, const char*> kSteps[] = {
      {1e12, "Tbit/s"}, {1e9, "Gbit/s"}, {1e6, "Mbit/s"}, {1e3, "kbit/s"}};
  for (const auto& [factor, name] : kSteps) {
    if (std::abs(number) >= factor) return short_number(number / factor) + name;
  }
  return short_number(number) + "bit/s";
}

// "memory=68719476736 web": what is told of a resource is in base units, and its name says in which.
std::string amount_for_people(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) return text;
  const std::string_view resource = std::string_view(text).substr(0, equals);
  const bool bytes = resource == "memory" || resource == "disk" || resource == "lun" || resource == "storage";
  if (!bytes && resource != "network") return text;
  const char* const begin = text.data() + equals + 1;
  const char* const end = text.data() + text.size();
  std::int64_t number = 0;
  const auto [rest, problem] = std::from_chars(begin, end, number);
  if (problem != std::errc{} || (rest != end && *rest != ' ')) return text;
  return text.substr(0, equals + 1) +
         in_unit(static_cast<double>(number), bytes ? "bytes" : "bits_per_second") + std::string(rest, end);
}

bool lists_amounts(std::string_view name) {
  return name == "amounts" || name == "limits" || name == "borrowed" || name == "held_by" ||
         name == "waits_for" || name == "shortages";
}

// The unit is the name's suffix, so the table knows how people write the value; `unit` is the record's own.
std::string humanised(const Field& field, const Json& value, std::string_view unit) {
  const std::string_view name = field.name;
  if (value.is_null()) return "-";
  if (name.ends_with("_bytes") && value.is_number_integer()) return format_bytes(value.get<std::int64_t>());
  if (name.ends_with("bytes_per_second") && value.is_number()) {
    return format_bytes(std::llround(value.get<double>())) + "/s";
  }
  if (name.ends_with("_ms") && value.is_number_integer()) {
    return format_duration(std::chrono::milliseconds{value.get<std::int64_t>()});
  }
  if (value.is_number_float() && !unit.empty() && !name.ends_with("_ratio")) {
    return in_unit(value.get<double>(), unit);
  }
  if (value.is_number_float()) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), name.ends_with("_percent") ? "%.1f" : "%.3f",
                  value.get<double>());
    return text.data();
  }
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_array()) {
    std::string text;
    for (const auto& element : value) {
      if (!text.empty()) text += ',';
      const std::string one = element.is_string() ? element.get<std::string>() : element.dump();
      text += lists_amounts(name) ? amount_for_people(one) : one;
    }
    return text;
  }
  if (value.is_string()) return value.get<std::string>();
  return value.dump();
}

bool shown(const Field& field, bool all) {
  return all || !field.column.empty();
}

}  // namespace

std::string to_line(const Kind& kind, const void* record) {
  Json line = Json::object();
  line["kind"] = kind.name;
  for (const Field& field : kind.fields) {
    Json value = to_json(field, record);
    if (value.is_null() && (field.presence == Presence::kOmitted || field.presence == Presence::kSeldom))
      continue;
    line[std::string(field.name)] = std::move(value);
  }
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string time_of_day(Time time) {
  return format_time(time).substr(std::string_view("2026-11-22T").size());
}

std::string to_words(const Kind& kind, std::string_view line, bool timed) {
  const Json document = Json::parse(line, nullptr, false);
  if (!document.is_object()) return {};
  std::string words;
  const auto stamp = document.find("time");
  const auto time = timed && stamp != document.end() && stamp->is_string()
                        ? parse_time(stamp->get<std::string>())
                        : std::nullopt;
  if (time) words = time_of_day(*time) + "  ";
  words += kind.name;
  const auto says = document.find("unit");
  const std::string unit = says != document.end() && says->is_string() ? says->get<std::string>() : "";
  const auto names = headings(kind, false);
  std::size_t column = 0;
  for (const Field& field : kind.fields) {
    if (!shown(field, false)) continue;
    const std::string& name = names[column++];
    const auto value = document.find(field.name);
    if (value != document.end() && !value->is_null())
      words += "  " + name + " " + printable(humanised(field, *value, unit));
  }
  return words;
}

std::vector<std::string> to_cells(const Kind& kind, const void* record, bool all) {
  std::vector<std::string> cells;
  std::string unit;
  for (const Field& field : kind.fields) {
    if (field.name != "unit") continue;
    if (const Json says = to_json(field, record); says.is_string()) unit = says.get<std::string>();
  }
  for (const Field& field : kind.fields) {
    if (!shown(field, all)) continue;
    cells.push_back(printable(humanised(field, to_json(field, record), unit)));
  }
  return cells;
}

std::vector<std::string> headings(const Kind& kind, bool all) {
  std::vector<std::string> names;
  for (const Field& field : kind.fields) {
    if (!shown(field, all)) continue;
    std::string name{field.column.empty() ? field.name : field.column};
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); });
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<bool> numeric(const Kind& kind, bool all) {
  std::vector<bool> right;
  for (const Field& field : kind.fields) {
    if (shown(field, all)) right.push_back(field.type == Type::kInteger || field.type == Type::kNumber);
  }
  return right;
}

std::vector<bool> seldom(const Kind& kind, bool all) {
  std::vector<bool> few;
  for (const Field& field : kind.fields) {
    if (shown(field, all)) few.push_back(!all && field.presence == Presence::kSeldom);
  }
  return few;
}

}  // namespace rackline::record
