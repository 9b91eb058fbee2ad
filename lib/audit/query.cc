// SPDX-License-Identifier: Apache-2.0
#include "audit/query.h"

#include <algorithm>

#include "audit/line.h"
#include "base/error.h"
#include "base/local_time.h"
#include "base/time.h"
#include "base/units.h"

namespace rackline::audit {
namespace {

bool is_text(std::string_view value, std::string_view text) {
  return unquoted(value).value_or("") == text;
}

// Whether a value is the name, or a list in which it stands.
bool names(std::string_view value, std::string_view name, const std::string& as_json) {
  if (value.starts_with('"')) return is_text(value, name);
  return value.starts_with('[') && value.find(as_json) != std::string_view::npos;
}

bool has_field(const Fields& found, const std::pair<std::string, std::string>& wanted) {
  for (std::size_t i = 0; i < found.names.size(); ++i) {
    if (found.names[i] == "record." + wanted.first &&
        (found.values[i] == wanted.second || names(found.values[i], wanted.second, json_text(wanted.second))))
      return true;
  }
  return false;
}

}  // namespace

std::string_view outcome_in(std::string_view kind) {
  for (const std::string_view word : {"refused", "failed"}) {
    if (kind.size() > word.size() && kind.ends_with(word) && kind[kind.size() - word.size() - 1] == '_')
      return word;
  }
  return {};
}

std::pair<std::string, std::string> parse_field(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos)
    throw Error(Status::kUsage, "read field", std::string(text), "expected NAME=VALUE, as owner=web");
  auto name = text.substr(0, equals);
  if (name.starts_with("record."))
    name.remove_prefix(std::string_view("record.").size());  // as redact has it
  return {std::string(name), std::string(text.substr(equals + 1))};
}

bool Query::fits(std::string_view line) const {
  // Most lines are not wanted, and mostly a glance says so.
  const auto missing = [&](const std::string& word) {
    const bool plain = word.find_first_of("\"\\") == std::string::npos &&
                       std::all_of(word.begin(), word.end(), [](char c) { return c >= ' ' && c < '\x7f'; });
    // A text may be written with \u in a record from elsewhere.
    return !word.empty() && plain && line.find(word) == std::string_view::npos &&
           line.find("\\u") == std::string_view::npos;
  };
  for (const auto* word : {&kind, &object, &cause, &outcome, &actor, &host, &request}) {
    if (missing(*word)) return false;
  }
  for (const auto& [name, value] : fields) {
    if (missing(value)) return false;
  }
  const auto found = fields_of(line);
  if (!found) return false;
  if (!std::all_of(fields.begin(), fields.end(), [&](const auto& field) { return has_field(*found, field); }))
    return false;
  std::optional<std::chrono::sys_seconds> own, stored;
  bool kind_fits = kind.empty(), object_fits = object.empty(), cause_fits = cause.empty(),
       outcome_fits = outcome.empty(), actor_fits = actor.empty(), host_fits = host.empty(),
       request_fits = request.empty();
  const std::string object_json = json_text(object);
  for (std::size_t i = 0; i < found->names.size(); ++i) {
    const std::string& name = found->names[i];
    const auto value = found->values[i];
    if (name == "time") stored = parse_time(unquoted(value).value_or(""));
    if (name == "record.time") own = parse_time(unquoted(value).value_or(""));
    kind_fits = kind_fits || ((name == "kind" || name == "record.kind") && is_text(value, kind));
    cause_fits = cause_fits || ((name == "cause" || name == "record.cause") && is_text(value, cause));
    outcome_fits = outcome_fits || (name == "record.outcome" && is_text(value, outcome)) ||
                   (name == "record.kind" && outcome_in(unquoted(value).value_or("")) == outcome);
    actor_fits = actor_fits || (name == "actor" && is_text(value, actor));
    host_fits = host_fits || (name == "host" && is_text(value, host));
    request_fits = request_fits || (name == "request" && is_text(value, request));
    object_fits = object_fits ||
                  (name.starts_with("record.") && name != "record.kind" && names(value, object, object_json));
  }
  if (!(kind_fits && object_fits && cause_fits && outcome_fits && actor_fits && host_fits && request_fits))
    return false;
  const auto at = own ? own : stored;
  return !(since && (!at || *at < *since)) && !(until && (!at || *at > *until));
}

std::chrono::sys_seconds parse_when(std::string_view text, std::chrono::sys_seconds now, std::string* doubt) {
  if (text == "now") return now;
  if (const auto time = parse_time(text)) return *time;
  if (const auto time = parse_local_time(text, now)) {
    if (doubt != nullptr) *doubt = doubt_about(text, *time);
    return time->at;
  }
  try {
    return now - std::chrono::ceil<std::chrono::seconds>(parse_duration(text));
  } catch (const Error&) {
    throw Error(
        Status::kUsage, "read time", std::string(text),
        "expected 2026-11-22T12:00:00Z, \"2026-11-22 08:00\" in local time, 08:00, or how long ago: 2h");
  }
}

}  // namespace rackline::audit
