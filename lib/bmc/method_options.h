// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "bmc/method.h"

namespace rackline::bmc {

// What agents read: lines NAME=VALUE. Every line that any agent gets passes here, wherever it comes from.

// Puts the names into the form that the agents give them, so that none is there twice, and refuses what an
// agent must not be told (agent_words.h), a name of another form, a control character, and an agent that
// others could replace. Throws Error(kUsage) naming the option and never its value.
void settle_options(const std::string& where, FenceMethod& method);

// The lines of one call. Throws Error(kUsage) for a control character in any of them.
std::string agent_lines(const std::vector<std::string>& lines);

}  // namespace rackline::bmc
