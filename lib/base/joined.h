// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

namespace rackline {

// "h1, h2, h3" of a range of texts; empty if the range is.
template <class Texts>
std::string joined(const Texts& texts, std::string_view between = ", ") {
  std::string result;
  bool first = true;
  for (const auto& text : texts) {
    if (!first) result += between;
    first = false;
    result += text;
  }
  return result;
}

// The same for a sentence that must not grow: "h1, h2 and 7 more".
template <class Texts>
std::string joined_some(const Texts& texts, std::size_t most = 8) {
  std::string result;
  std::size_t named = 0;
  for (const auto& text : texts) {
    if (named == most) return result + " and " + std::to_string(std::size(texts) - most) + " more";
    if (named++ > 0) result += ", ";
    result += text;
  }
  return result;
}

}  // namespace rackline
