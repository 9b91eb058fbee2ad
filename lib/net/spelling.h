// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rackline::net {

// One spelling for all those of an address: names in small letters without their last dot, IPv4 in any form
// that the C library takes, IPv4 within IPv6, IPv6 with or without brackets. Zeros before a number mean
// octal to the C library and nothing to a person, so such an address has two. Nothing is resolved, which
// would need the network: two names of one machine are two.
std::vector<std::string> spellings(std::string_view host);

}  // namespace rackline::net
