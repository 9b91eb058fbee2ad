// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rackline::net {

// A host and a port as people write them: "h1", "h1:80", "10.0.0.1:80", "[fe80::1%eth0]:80"; an IPv6 address
// without a port may lack its brackets. Nothing is resolved.
struct Address {
  std::string host;                   // without brackets; never empty
  std::optional<std::uint16_t> port;  // none: it was not given
  bool bracketed = false;

  std::string port_or(std::string_view usual) const;  // in digits
  std::string text() const;                           // "[::1]:80", as a URL has it
  bool ipv6() const { return host.find(':') != std::string::npos; }
  // In a URL an IPv6 address, and nothing else, has brackets.
  bool fits_url() const { return bracketed == ipv6(); }
  // A number that is another address to the C library than to a person: "9750", "10.1", "0177.0.0.1".
  bool misleads() const;
};

// Nullopt if there is no host, as in ":80", if the port is none of 0 to 65535, if a bracket is not closed, or
// if a host with colons is no IPv6 address.
std::optional<Address> parse_address(std::string_view text);

// "10.0.0.1"
bool is_ipv4(const std::string& host);

// Whether whoever connects to this host reaches himself, in any spelling that the resolver takes ("127.1",
// "0x7f000001", "localhost.", "::ffff:127.0.0.1", "0.0.0.0"). Nothing is resolved.
bool is_loopback(std::string_view host);

}  // namespace rackline::net
