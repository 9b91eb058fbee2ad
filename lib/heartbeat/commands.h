// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.h"
#include "cli/program.h"
#include "heartbeat/options.h"

namespace rackline::heartbeat {

// The commands of heartbeat. Each throws Error for what it cannot read, hear or write.
Status beat(cli::Program& program, const Options& options);
Status watch(cli::Program& program, const Options& options);
Status replay(cli::Program& program, const Options& options);
Status maintenance(cli::Program& program, const Options& options);
Status key(cli::Program& program, const Options& options);

}  // namespace rackline::heartbeat
