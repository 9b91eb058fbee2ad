// SPDX-License-Identifier: Apache-2.0
#include "bmc/uuid.h"

#include <algorithm>

namespace rackline::bmc {
namespace {

constexpr const char* kDigits = "0123456789abcdef";
constexpr std::array<std::string_view, 2> kFillers{"03000200-0400-0500-0006-000700080009",
                                                   "00020003-0004-0005-0006-000700080009"};

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Uuid numbers_turned(Uuid uuid) {
  std::reverse(uuid.begin(), uuid.begin() + 4);
  std::reverse(uuid.begin() + 4, uuid.begin() + 6);
  std::reverse(uuid.begin() + 6, uuid.begin() + 8);
  return uuid;
}

Uuid turned(Uuid uuid) {
  std::reverse(uuid.begin(), uuid.end());
  return uuid;
}

}  // namespace

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.starts_with('{') && text.ends_with('}') && text.size() > 2) text = text.substr(1, text.size() - 2);
  Uuid uuid{};
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == '-' && digits > 0 && digits < 32 && digits % 4 == 0) continue;
    const int value = digit(c);
    if (value < 0 || digits == 32) return std::nullopt;
    auto& byte = uuid[digits / 2];
    byte = static_cast<std::uint8_t>(byte * 16 + value);
    ++digits;
  }
  if (digits != 32) return std::nullopt;
  return uuid;
}

std::string to_text(const Uuid& uuid) {
  std::string text;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[uuid[i] / 16];
    text += kDigits[uuid[i] % 16];
  }
  return text;
}

bool is_unique(const Uuid& uuid) {
  if (std::all_of(uuid.begin(), uuid.end(), [&](auto byte) { return byte == uuid.front(); })) return false;
  return std::none_of(kFillers.begin(), kFillers.end(),
                      [&](auto filler) { return same_system(uuid, *parse_uuid(filler)); });
}

bool same_system(const Uuid& one, const Uuid& other) {
  return one == other || numbers_turned(one) == other || turned(one) == other ||
         numbers_turned(turned(one)) == other || turned(numbers_turned(one)) == other;
}

}  // namespace rackline::bmc
