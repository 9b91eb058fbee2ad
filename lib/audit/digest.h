// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace rackline::audit {

// SHA-256.
using Digest = std::array<std::uint8_t, 32>;
using Salt = std::array<std::uint8_t, 16>;

// Of the parts, one after the other.
Digest sha256(std::initializer_list<std::string_view> parts);

template <std::size_t N>
std::string_view bytes_of(const std::array<std::uint8_t, N>& array) {
  return {reinterpret_cast<const char*>(array.data()), array.size()};
}

// Lower-case hex, as sha256sum(1) writes it; nothing else is read.
std::string to_hex(std::string_view bytes);
bool from_hex(std::string_view text, std::uint8_t* bytes, std::size_t size);

template <class Array>
std::optional<Array> from_hex(std::string_view text) {
  Array array{};
  if (!from_hex(text, array.data(), array.size())) return std::nullopt;
  return array;
}

// From the kernel's random source.
Salt random_salt();

}  // namespace rackline::audit
