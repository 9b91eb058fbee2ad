// SPDX-License-Identifier: Apache-2.0
#include "bmc/address.h"

#include <algorithm>

#include "base/letters.h"
#include "net/address.h"

namespace rackline::bmc {

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
  const auto place = net::parse_address(rest);
  if (!place || !place->fits_url()) return std::nullopt;
  address.host = place->host;
  if (!is_plain_host(address.host) || address.host.find_first_of("[]") != std::string::npos)
    return std::nullopt;
  if (place->port == 0) return std::nullopt;
  address.port = place->port_or("");
  return address;
}

}  // namespace rackline::bmc
