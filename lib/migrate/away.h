// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/program.h"
#include "migrate/move.h"
#include "record/kinds_inventory.h"

namespace rackline::migrate {

// The host that capplan would choose for the VM of `move` when it leaves its host, from one round of samples
// of the whole inventory. `rules`: a file of placement rules, or empty. `unbound`: what binds it to its host
// does not count here, as the move itself may lift that. Throws Error: kRefused when no host has place for
// it, kNo when it is gone, kUsage for rules that cannot be read.
std::string host_elsewhere(cli::Program& program, const std::vector<record::Host>& inventory,
                           const Move& move, const std::string& rules, bool unbound);

}  // namespace rackline::migrate
