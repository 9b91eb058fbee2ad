// SPDX-License-Identifier: Apache-2.0
#include "store/document.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/time.h"
#include "store/describe.h"
#include "store/json.h"

namespace rackline::store {
namespace {

Json& json_at(void* json) {
  return *static_cast<Json*>(json);
}

bool says_nothing(const Json& json) {
  return json.empty() || json == "" || json == 0 || json == false;
}

}  // namespace

bool Value::is_null() const {
  return json_at(json_).is_null();
}

bool Value::pass(std::string& text) {
  Json& json = json_at(json_);
  if (!reading_) json = text;
  if (!json.is_string()) return false;
  text = json.get_ref<const std::string&>();
  return true;
}

bool Value::pass(bool& flag) {
  Json& json = json_at(json_);
  if (!reading_) json = flag;
  if (!json.is_boolean()) return false;
  flag = json.get<bool>();
  return true;
}

bool Value::pass(std::int64_t& number) {
  Json& json = json_at(json_);
  if (!reading_) json = number;
  if (!json.is_number_integer()) return false;
  number = json.get<std::int64_t>();
  return !json.is_number_unsigned() || number >= 0;  // else it has more than 63 bits
}

bool Value::pass(std::chrono::sys_seconds& time) {
  std::string text = reading_ ? std::string() : format_time(time);
  if (!pass(text)) return false;
  const auto parsed = parse_time(text);
  if (parsed) time = *parsed;
  return parsed.has_value();
}

bool Value::pass(std::int64_t& number, std::span<const std::string_view> words) {
  std::string text(reading_ ? std::string_view() : words[static_cast<std::size_t>(number)]);
  if (!pass(text)) return false;
  const auto word = std::find(words.begin(), words.end(), text);
  number = word - words.begin();
  return word != words.end();
}

bool Value::pass(const Fields& fields, void* document) {
  Json& json = json_at(json_);
  if (!reading_) json = Json::object();
  if (!json.is_object()) return false;
  for (const Field& field : fields) {
    if (field.pass == nullptr) break;
    if (!reading_) {
      Json written;
      Value value(&written, false);
      field.pass(value, document);
      const bool empty = field.optional ? written.is_null() : says_nothing(written);
      if (!empty || field.presence != Presence::kOmitted) json[std::string(field.name)] = std::move(written);
      continue;
    }
    const auto found = json.find(field.name);
    if (found == json.end() && field.presence != Presence::kRequired) continue;
    if (found == json.end() || (found->is_null() && field.presence == Presence::kOmitted)) return false;
    Value value(&*found, true);
    if (!field.pass(value, document)) return false;
  }
  return true;
}

bool Value::each(bool named, const std::function<bool(const std::string& name, Value element)>& take) const {
  Json& json = json_at(json_);
  if (named ? !json.is_object() : !json.is_array()) return false;
  for (auto& [name, element] : json.items()) {
    if (!take(name, Value(&element, true))) return false;
  }
  return true;
}

void Value::begin(bool named) {
  json_at(json_) = named ? Json::object() : Json::array();
}
Value Value::add() {
  return {&json_at(json_).emplace_back(), false};
}
Value Value::add(const std::string& name) {
  return {&json_at(json_)[name], false};
}

bool pass_fields(Value& value, const Fields& fields, void* document) {
  return value.pass(fields, document);
}

std::string to_text(Pass pass, const void* member) {
  Json json;
  Value value(&json, false);
  pass(value, const_cast<void*>(member));  // which is only read
  return dump(json);
}

bool from_text(std::string_view text, Pass pass, void* member) {
  Json json = Json::parse(text, nullptr, false);
  Value value(&json, true);
  return pass(value, member);
}

std::string key_part(std::string_view text) {
  std::string part;
  for (const char c : text) {
    if (c > ' ' && c < '\x7f' && c != '/' && c != '%') {
      part += c;
      continue;
    }
    char escape[4];
    std::snprintf(escape, sizeof escape, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    part += escape;
  }
  return part;
}

std::string from_key_part(std::string_view part) {
  std::string text;
  for (std::size_t i = 0; i < part.size(); ++i) {
    unsigned char byte = 0;
    const char* const digits = part.data() + i + 1;
    if (part[i] == '%' && i + 2 < part.size() &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      text += static_cast<char>(byte);
      i += 2;
    } else {
      text += part[i];
    }
  }
  return text;
}

}  // namespace rackline::store
