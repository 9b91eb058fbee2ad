// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.h"
#include "cli/program.h"
#include "fence/options.h"

namespace rackline::fence {

// The commands of fence, and what it does without one: it fences the hosts that the records on stdin call
// dead, or the one that a person vouches for. Each throws Error for what it cannot read, ask or write.
void declare_commands(cli::Program& program, Options& options);
Status fence(cli::Program& program, Options& options);

}  // namespace rackline::fence
