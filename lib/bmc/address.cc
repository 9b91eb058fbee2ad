// SPDX-License-Identifier: Apache-2.0
#include "bmc/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace rackline::bmc {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string small(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

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

bool is_plain_host(std::string_view host) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._:%[]-").find(c) != std::string_view::npos;
  };
  return !host.empty() && host.front() != '-' && std::all_of(host.begin(), host.end(), plain);
}

std::optional<Address> parse_address(std::string_view url) {
  const auto slashes = url.find("://");
  if (slashes == std::string_view::npos) return std::nullopt;
  Address address;
  address.scheme = small(url.substr(0, slashes));
  if (address.scheme != "ipmi" && address.scheme != "redfish") return std::nullopt;
  std::string_view rest = url.substr(slashes + 3);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  std::string_view port;
  bool has_port = false;
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    address.host = rest.substr(1, close - 1);
    std::string text = address.host;
    in6_addr ignored{};
    if (inet_pton(AF_INET6, text.substr(0, text.find('%')).c_str(), &ignored) != 1) return std::nullopt;
    rest.remove_prefix(close + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else {
    const auto colon = rest.find(':');
    address.host = rest.substr(0, colon);
    has_port = colon != std::string_view::npos;
    if (has_port) port = rest.substr(colon + 1);
  }
  if (!is_plain_host(address.host) || address.host.find_first_of("[]") != std::string::npos)
    return std::nullopt;
  if (!has_port) return address;
  int number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (!is_number(port) || error != std::errc() || number < 1 || number > 65535) return std::nullopt;
  address.port = std::to_string(number);
  return address;
}

std::vector<std::string> spellings(std::string_view host) {
  std::string text = small(host);
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

}  // namespace rackline::bmc
