// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace rackline {

// Unsigned numbers as protocols carry them, the most significant byte first. The bytes have to be there.
template <class T>
T big_endian(const std::uint8_t* at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) value = static_cast<T>(value << 8 | at[i]);
  return value;
}

template <class T>
void put_big_endian(std::uint8_t* at, T value) {
  for (std::size_t i = sizeof value; i-- > 0;) {
    at[i] = static_cast<std::uint8_t>(value);
    if constexpr (sizeof value > 1) value = static_cast<T>(value >> 8);
  }
}

}  // namespace rackline
