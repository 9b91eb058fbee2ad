// SPDX-License-Identifier: Apache-2.0
#include "bmc/agent_mask.h"

#include <cstdint>
#include <string_view>

namespace rackline::bmc {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kMask = "***";
// Fewer characters of base64 stand in any text by chance.
constexpr std::size_t kShortest = 4;

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// How many characters of the text at `at` stand for `wanted`; 0 when they do not.
std::size_t written_as(std::string_view text, std::size_t at, char wanted) {
  const auto here = [&](std::size_t more) { return at + more < text.size() ? text[at + more] : '\0'; };
  if (here(0) == wanted) return 1;
  if (here(0) == '\\' && here(1) == wanted) return 2;
  if (here(0) == '+' && wanted == ' ') return 1;
  if (here(0) == '%' && digit(here(1)) >= 0 && digit(here(2)) >= 0 &&
      static_cast<char>(digit(here(1)) * 16 + digit(here(2))) == wanted)
    return 3;
  return 0;
}

std::size_t match(std::string_view text, std::size_t from, std::string_view secret) {
  std::size_t at = from;
  for (const char wanted : secret) {
    const auto length = written_as(text, at, wanted);
    if (length == 0) return 0;
    at += length;
  }
  return at - from;
}

// The two alphabets of base64 as one.
char of_base64(char c) {
  const char usual = c == '-' ? '+' : c == '_' ? '/' : c;
  return kAlphabet.find(usual) == std::string_view::npos ? '\0' : usual;
}

// The characters of base64 that the secret alone decides, when `before` bytes stand before it.
std::string core(std::string_view secret, std::size_t before) {
  std::string bytes(before, '\0');
  bytes += secret;
  std::string text;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    for (held += 8; held >= 6; held -= 6) text += kAlphabet[(bits >> (held - 6)) & 63];
  }
  const std::size_t first = (before * 8 + 5) / 6;
  return text.size() > first ? text.substr(first) : "";
}

// With what stands around it in base64: parts of the secret are in the characters at either end.
std::string without_base64(const std::string& text, const std::string& wanted) {
  if (wanted.size() < kShortest) return text;
  std::string plain;
  std::string result;
  std::size_t from = 0;
  while (from < text.size()) {
    // One stretch of base64; line ends within it are passed over, as programs wrap it.
    std::size_t to = from;
    plain.clear();
    while (to < text.size() && (of_base64(text[to]) != '\0' || text[to] == '\n' || text[to] == '\r')) {
      if (of_base64(text[to]) != '\0') plain += of_base64(text[to]);
      ++to;
    }
    if (to == from) {
      result += text[from++];
    } else {
      result += plain.find(wanted) != std::string::npos ? std::string(kMask) : text.substr(from, to - from);
      from = to;
    }
  }
  return result;
}

}  // namespace

std::string without_secret(const std::string& text, const std::string& secret) {
  if (secret.empty()) return text;
  std::string clean;
  for (std::size_t at = 0; at < text.size();) {
    const auto length = match(text, at, secret);
    if (length == 0) {
      clean += text[at++];
    } else {
      clean += kMask;
      at += length;
    }
  }
  // @rule 20-encoded
  for (std::size_t before = 0; before < 3; ++before) clean = without_base64(clean, core(secret, before));
  return clean;
}

}  // namespace rackline::bmc
