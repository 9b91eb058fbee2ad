// SPDX-License-Identifier: Apache-2.0
#include "base/id.h"

#include <sys/random.h>

#include <cstdio>

#include "base/error.h"

namespace rackline {

std::string hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::uint64_t fnv1a(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t hash = seed;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  return hash;
}

std::string derived_id(const std::vector<std::string_view>& parts) {
  std::uint64_t hash = fnv1a("");
  for (const std::string_view part : parts) {
    hash = fnv1a(part, hash);
    hash = fnv1a(std::string_view("\0", 1), hash);  // so that {"ab","c"} and {"a","bc"} differ
  }
  return hex(hash);
}

std::string random_id() {
  std::uint64_t value = 0;
  if (getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) {
    throw system_error(Status::kUnreachable, "read random bytes", "getrandom");
  }
  return hex(value);
}

}  // namespace rackline
