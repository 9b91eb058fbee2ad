// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace rackline::cluster {

// Whether a host may be called so: [A-Za-z0-9][A-Za-z0-9._-]*, at most 128 bytes, no "..". Names become parts
// of paths, of keys and of command lines: none may leave its directory or look like an option.
bool valid_name(std::string_view name);

// A name that came from outside, as a message may show it: what no name may have in it, such as the codes
// that move a terminal's cursor, is "?".
std::string shown_name(std::string_view name);

}  // namespace rackline::cluster
