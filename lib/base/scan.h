// SPDX-License-Identifier: Apache-2.0
// Taking words and numbers off the front of a text that a person wrote.
#pragma once

#include <algorithm>
#include <charconv>
#include <string_view>

namespace rackline {

inline bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

// All the digits that stand there, one to `most` of them.
inline bool take_number(std::string_view& text, std::size_t most, int& number) {
  const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
  if (end == 0 || end > most) return false;
  std::from_chars(text.data(), text.data() + end, number);
  text.remove_prefix(end);
  return true;
}

}  // namespace rackline
