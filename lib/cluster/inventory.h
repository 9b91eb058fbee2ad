// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "record/kinds_inventory.h"
#include "record/reader.h"

namespace rackline::cluster {

// The hosts of the inventory in `path` ("-" is stdin), in its order; records of other kinds are left alone.
// Throws Error(kUsage) for a line that cannot be read, a name that no host may have (name.h), a host named
// twice, two hosts with one hypervisor, a host without URI, a migration_uri that no migration can go to or
// that two hosts have, and when there is no host.
std::vector<record::Host> load_inventory(const std::string& path);

// Hands each record of the inventory in `path` to `each`. Throws Error(kUsage) when there is no such file, or
// a line of it cannot be read.
void each_in_inventory(const std::string& path, const std::function<void(record::Reader&)>& each);

}  // namespace rackline::cluster
