// SPDX-License-Identifier: Apache-2.0
#include "net/spelling.h"

#include <arpa/inet.h>

#include <array>
#include <cstring>

#include "base/letters.h"

namespace rackline::net {
namespace {

std::string dotted(const in_addr& address) {
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, &address, text.data(), text.size());
  return text.data();
}

// The numbers without the zeros before them: "010.079.00.1" is "10.79.0.1".
std::string without_zeros(std::string_view host) {
  std::string result;
  bool begin = true;
  for (std::size_t i = 0; i < host.size(); ++i) {
    const bool more = i + 1 < host.size() && host[i + 1] >= '0' && host[i + 1] <= '9';
    if (begin && host[i] == '0' && more) continue;
    begin = host[i] == '.';
    result += host[i];
  }
  return result;
}

std::string of_ipv6(const std::string& text) {
  const auto percent = text.find('%');
  in6_addr address{};
  if (inet_pton(AF_INET6, text.substr(0, percent).c_str(), &address) != 1) return text;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    in_addr inner{};
    std::memcpy(&inner, &address.s6_addr[12], sizeof inner);
    return dotted(inner);
  }
  std::array<char, INET6_ADDRSTRLEN> result{};
  inet_ntop(AF_INET6, &address, result.data(), result.size());
  return result.data() + (percent == std::string::npos ? std::string() : text.substr(percent));
}

}  // namespace

std::vector<std::string> spellings(std::string_view host) {
  std::string text = small_letters(host);
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  if (text.find(':') != std::string::npos) return {of_ipv6(text)};
  while (text.ends_with('.')) text.pop_back();
  if (text == "localhost") return {"127.0.0.1"};
  std::vector<std::string> result;
  in_addr address{};
  if (inet_aton(text.c_str(), &address) != 0) result.push_back(dotted(address));
  if (inet_aton(without_zeros(text).c_str(), &address) != 0) {
    const std::string other = dotted(address);
    if (result.empty() || result.front() != other) result.push_back(other);
  }
  if (result.empty()) result.push_back(text);
  return result;
}

}  // namespace rackline::net
