// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "virt/connection.h"
#include "virt/description.h"

namespace rackline::virt {

// What the storage pools of a host know of the disks of its VMs.

// The path of a volume; nothing where the host has no such pool or volume, or the pool is not active. Throws
// VirtError(kNo).
std::optional<std::string> volume_path(const Connection& connection, const std::string& pool,
                                       const std::string& volume);

// Gives volumes of pools their paths. `live`: the VM runs. Of one that does not, its images are followed to
// the files that they rest on, which its definition does not name; where no pool has seen one of them,
// VmDisk::chain_unknown stays. Throws VirtError(kNo).
void resolve_disks(const Connection& connection, bool live, VmDescription& vm);

}  // namespace rackline::virt
