// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace rackline::audit {

// Hands over the lines of a trail as they are written, also when it is rotated or redacted meanwhile, and
// checks of each that it fits the one before. `all`: first those that are there already.
// Returns when a stop is asked for (interrupt.h) or the reader of stdout is gone. Throws Error(kNo) at a line
// that does not fit, Error(kUnreachable) when the trail cannot be read.
void follow(const std::string& trail, bool all, const std::function<void(std::string_view)>& each);

}  // namespace rackline::audit
