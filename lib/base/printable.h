// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace rackline {

// A name from outside must not move the cursor, colour what follows, or show its letters in another order:
// control characters (also those of U+0080 to U+009F) and the marks that change the direction of writing.
// Broken bytes count as such, since terminals that are not set to UTF-8 take some of them for control
// characters.
std::string printable(std::string_view text);  // with '?' for each of them

// The same within JSON: the text means what it meant, with \u escapes for them.
std::string escaped(std::string_view json);

}  // namespace rackline
