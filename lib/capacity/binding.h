// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "record/kinds_capacity.h"

namespace rackline::capacity {

// What a VM needs of a host, by what the samples tell: the networks and the storage of its disks.

// What the host `to` lacks of what the VM has on `from`: "has no network blue"; empty when it lacks nothing
// that is known. A libvirtd that does not tell of its networks, or knows not even what its own VM is plugged
// into, is no witness.
std::string lacks(const record::VmSample& vm, const record::HostSample& from, const record::HostSample& to);

// Equal for VMs that lack the same on every host but their own, `from`. `storage`: every directory that any
// host shares, each as a list of its own: with thousands of VMs such lists are not made anew for each disk.
std::string needs_of(const record::VmSample& vm, const record::HostSample& from,
                     const std::vector<std::vector<std::string>>& storage);

}  // namespace rackline::capacity
