// SPDX-License-Identifier: Apache-2.0
#include "bmc/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/letters.h"

namespace rackline::bmc {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
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
  address.scheme = small_letters(url.substr(0, slashes));
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

}  // namespace rackline::bmc
