// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "record/kinds_inventory.h"

namespace rackline::cluster {

// The hosts of the inventory in `path` ("-" is stdin), in its order; records of other kinds are left alone.
// Throws Error(kUsage) for a line that cannot be read, a name that no host may have (name.h), a host named
// twice, two hosts with one hypervisor, a host without URI, a migration_uri that no migration can go to or
// that two hosts have, and when there is no host.
std::vector<record::Host> load_inventory(const std::string& path);

}  // namespace rackline::cluster
