// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "record/kinds.h"

namespace rackline::cli {

// The file that --inventory or RACKLINE_INVENTORY names, else ~/.config/rackline/inventory.jsonl, else
// /etc/rackline/inventory.jsonl; empty when there is none of them.
std::string default_inventory();

// The hosts of the inventory in `path` ("-" is stdin), in its order; records of other kinds are left alone.
// Throws Error(kUsage) for a line that cannot be read, a host named twice, a host without URI, and when there
// is no host.
std::vector<record::Host> load_inventory(const std::string& path);

}  // namespace rackline::cli
