// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/program.h"
#include "observe/options.h"
#include "observe/rounds.h"
#include "storage/follow.h"

namespace rackline::storage {

// What the command line of lunwatch says.
struct WatchOptions : observe::Kept {
  std::vector<std::string> arrays;
  observe::Pace pace;
  Milliseconds window{1000};
  std::string list;
  bool follow = false;
  FollowPolicy policy;
};

// The three things that lunwatch does: it samples, sends rounds that were kept through the windows, or lists
// names. Each throws Error for what it cannot read, ask or write.
Status watch(cli::Program& program, const WatchOptions& options);
Status replay(cli::Program& program, const WatchOptions& options);
Status list(cli::Program& program, const WatchOptions& options);

}  // namespace rackline::storage
