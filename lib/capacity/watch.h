// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/program.h"
#include "observe/options.h"
#include "observe/rounds.h"
#include "usage/watch.h"

namespace rackline::capacity {

// What the command line of capwatch says.
struct WatchOptions : observe::Kept {
  std::vector<std::string> hosts;
  observe::Pace pace;
  Milliseconds window{1000};
  std::string list;
  std::vector<std::string> from;
  double assumed_percent = 0;
  bool assumes = false;
  bool follow = false;
  usage::WatchPolicy policy;
};

// The four things that capwatch does: it samples, sends rounds that were kept through the windows, reads a
// saved cluster, or lists names. Each throws Error for what it cannot read, ask or write.
Status watch(cli::Program& program, const WatchOptions& options);
Status replay(cli::Program& program, const WatchOptions& options);
Status import(cli::Program& program, const WatchOptions& options);
Status list(cli::Program& program, const WatchOptions& options);

}  // namespace rackline::capacity
