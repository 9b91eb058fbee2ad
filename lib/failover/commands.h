// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.h"
#include "cli/program.h"
#include "failover/options.h"

namespace rackline::failover {

// The commands of failover, and what it does without one: it restarts what ran on the hosts of the
// host_fenced records on stdin. Each throws Error for what it cannot read, ask or write.
void declare_commands(cli::Program& program, Options& options);
Status restart(cli::Program& program, Options& options);

}  // namespace rackline::failover
