// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "bmc/method.h"
#include "cli/program.h"
#include "fence/rules.h"

namespace rackline::fence {

// What the command line says.
struct Options {
  FencePolicy policy;
  bmc::BmcAccess bmc;
  std::string isolated = "leave", partitioned = "leave", hypervisor_down = "leave", living_store = "veto";
  std::string confirm;
  std::vector<std::string> hosts;
  bool resume = false;
  bool require_identity = false;
};

void declare(cli::Options at, Options& options);
// What of it is given in words, and by the program. Throws Error(kUsage).
void prepare(const cli::Program& program, Options& options);

}  // namespace rackline::fence
