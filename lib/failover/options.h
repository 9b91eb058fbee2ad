// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "failover/protect.h"
#include "failover/recovery.h"

namespace rackline::failover {

// What the command line says.
struct Options {
  RecoveryPolicy policy;
  Wishes wishes;
  std::vector<std::string> vms;
  std::string host, vm, wanted, standing, reason, until;
  bool all = false;
  bool resume = false;
  bool destroy_stale = false;
};

void declare(cli::Options at, Options& options);
// Of the command protect. check_protect() throws Error(kUsage) for what does not go together, and reads
// --standing.
void declare_protect(cli::Options at, Options& options);
void check_protect(Options& options);

}  // namespace rackline::failover
