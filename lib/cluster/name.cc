// SPDX-License-Identifier: Apache-2.0
#include "cluster/name.h"

#include <algorithm>

namespace rackline::cluster {
namespace {

// <cctype> follows the locale, and a name must not.
bool alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool allowed(char c) {
  return alphanumeric(c) || c == '.' || c == '_' || c == '-';
}

constexpr std::size_t kLongest = 128;

}  // namespace

bool valid_name(std::string_view name) {
  if (name.empty() || name.size() > kLongest || !alphanumeric(name.front())) return false;
  if (name.find("..") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), allowed);
}

std::string shown_name(std::string_view name) {
  std::string shown(name.substr(0, kLongest));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return !allowed(c); }, '?');
  return shown;
}

}  // namespace rackline::cluster
