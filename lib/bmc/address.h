// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rackline::bmc {

// Where a management controller is: ipmi://HOST[:PORT] or redfish://HOST[:PORT].
struct Address {
  std::string scheme;  // "ipmi" or "redfish"
  std::string host;    // an IPv6 address without its brackets
  std::string port;    // empty: the scheme's own

  bool ipv6() const { return host.find(':') != std::string::npos; }
};

// Nothing for a text of another form: with a user or a password in it, a path, a blank or a control
// character. What is wrong is not told, because the text may hold a password.
std::optional<Address> parse_address(std::string_view url);

// Only what an address or a name consists of. Agents paste it into command lines as it is.
bool is_plain_host(std::string_view host);

}  // namespace rackline::bmc
