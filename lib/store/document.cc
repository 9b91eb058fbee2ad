// SPDX-License-Identifier: Apache-2.0
#include "store/document.h"

#include <charconv>
#include <cstdio>

namespace rackline::store {

std::string dump(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
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
