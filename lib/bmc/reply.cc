// SPDX-License-Identifier: Apache-2.0
#include "bmc/reply.h"

#include <nlohmann/json.hpp>

namespace rackline::bmc {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLongest = 4'000'000;
constexpr int kDeepest = 64;

// The parser nests its own calls as the text does, so what nests deeper than any answer is left unread.
Json parse(std::string_view body) {
  if (body.size() > kLongest) return Json();
  const auto bounded = [](int depth, Json::parse_event_t, Json&) { return depth < kDeepest; };
  return Json::parse(body, bounded, false);
}

bool is_path(const std::string& path) {
  if (!path.starts_with('/') || path.starts_with("//") || path.size() > 500) return false;
  for (const char c : path) {
    if (c <= ' ' || c == '\x7f' || c == '@') return false;
  }
  return true;
}

}  // namespace

std::optional<Uuid> guid_of_ipmitool(std::string_view output) {
  std::string digits;
  for (const char c : output) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    digits += c;
    if (digits.size() > 32) return std::nullopt;
  }
  if (digits.find('-') != std::string::npos) return std::nullopt;
  return parse_uuid(digits);
}

std::vector<std::string> systems_of_redfish(std::string_view body) {
  const Json document = parse(body);
  std::vector<std::string> paths;
  if (!document.is_object()) return paths;
  const auto members = document.find("Members");
  if (members == document.end() || !members->is_array()) return paths;
  for (const auto& member : *members) {
    if (!member.is_object()) continue;
    const auto path = member.find("@odata.id");
    if (path == member.end() || !path->is_string()) continue;
    if (auto text = path->get<std::string>(); is_path(text)) paths.push_back(std::move(text));
  }
  return paths;
}

std::optional<Uuid> uuid_of_redfish(std::string_view body) {
  const Json document = parse(body);
  if (!document.is_object()) return std::nullopt;
  const auto uuid = document.find("UUID");
  if (uuid == document.end() || !uuid->is_string()) return std::nullopt;
  return parse_uuid(uuid->get<std::string>());
}

}  // namespace rackline::bmc
