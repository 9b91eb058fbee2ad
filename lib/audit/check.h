// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "audit/verify.h"

namespace rackline::audit {

// Verifies a trail with all its parts and its head. Stops early when a stop is asked for (interrupt.h).
// Throws Error(kUsage) when there is none, Error(kUnreachable) when it cannot be read.
Verified check_trail(const std::string& trail, VerifyOptions options, const Verifier::Report& report);

// The lines of a file of checkpoints.
std::vector<std::string> read_checkpoints(const std::string& file);

// Hands over every line of all parts. Throws as check_trail.
void all_lines(const std::string& trail, const std::function<bool(std::string_view)>& each);

}  // namespace rackline::audit
