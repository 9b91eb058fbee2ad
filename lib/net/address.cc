// SPDX-License-Identifier: Apache-2.0
#include "net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace rackline::net {
namespace {

bool is_ipv6(const std::string& host) {
  in6_addr ignored{};
  return inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &ignored) == 1;
}

}  // namespace

bool is_ipv4(const std::string& host) {
  in_addr ignored{};
  return inet_pton(AF_INET, host.c_str(), &ignored) == 1;
}

std::string Address::port_or(std::string_view usual) const {
  return port ? std::to_string(*port) : std::string(usual);
}

std::string Address::text() const {
  const std::string name = ipv6() ? "[" + host + "]" : host;
  return port ? name + ":" + std::to_string(*port) : name;
}

bool Address::misleads() const {
  in_addr ignored{};
  return inet_aton(host.c_str(), &ignored) != 0 && !is_ipv4(host);
}

std::optional<Address> parse_address(std::string_view text) {
  Address address;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    address.bracketed = true;
    address.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    has_port = !port.empty();
    if (has_port && port.front() != ':') return std::nullopt;
    if (has_port) port.remove_prefix(1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {  // more of them are an IPv6 address
    const auto colon = text.find(':');
    address.host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  } else {
    address.host = text;
  }
  if (address.host.empty() || (address.ipv6() && !is_ipv6(address.host))) return std::nullopt;
  if (has_port) {
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || end != port.data() + port.size()) return std::nullopt;
    address.port = number;
  }
  return address;
}

bool is_loopback(std::string_view host) {
  std::string name(host);
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  in_addr four{};
  if (inet_aton(name.c_str(), &four) != 0) {
    const std::uint32_t address = ntohl(four.s_addr);
    return address == 0 || address >> 24 == 127;
  }
  in6_addr six{};
  if (inet_pton(AF_INET6, name.substr(0, name.find('%')).c_str(), &six) == 1) {
    if (IN6_IS_ADDR_V4MAPPED(&six)) return six.s6_addr[12] == 127 || six.s6_addr[12] == 0;
    return IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_UNSPECIFIED(&six);
  }
  // RFC 6761, and the names that distributions give it in /etc/hosts.
  const std::string first = name.substr(0, name.find('.'));
  return first == "localhost" || first == "localhost4" || first == "localhost6" || first == "ip6-localhost" ||
         first == "ip6-loopback" || name.ends_with(".localhost") || name.ends_with(".localhost.");
}

}  // namespace rackline::net
