// SPDX-License-Identifier: Apache-2.0
#include "base/printable.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace rackline {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t length = 1;
  bool broken = false;
};

// The one at the start of a text that is not empty. What is no UTF-8 is broken, byte by byte.
Character first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {lead, 1, true};
  std::uint32_t code = lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return {lead, 1, true};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  return {code, length};
}

bool is_harmful(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x061c || code == 0x200e ||
         code == 0x200f || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

template <class Replace>
std::string replaced(std::string_view text, Replace replace) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Character character = first_of(text);
    const auto bytes = text.substr(0, character.length);
    if (character.broken || is_harmful(character.code)) {
      replace(result, character, bytes);
    } else {
      result += bytes;
    }
    text.remove_prefix(character.length);
  }
  return result;
}

}  // namespace

std::string printable(std::string_view text) {
  return replaced(text, [](std::string& result, const Character&, std::string_view) { result += '?'; });
}

std::string escaped(std::string_view json) {
  return replaced(json, [](std::string& result, const Character& character, std::string_view bytes) {
    if (!character.broken && (character.code == '\n' || character.code == '\t')) {  // between the values
      result += bytes;
      return;
    }
    constexpr unsigned kReplacement = 0xfffd;
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "\\u%04x", character.broken ? kReplacement : character.code);
    result += text.data();
  });
}

}  // namespace rackline
