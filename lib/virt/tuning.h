// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "virt/connection.h"

namespace rackline::virt {

// How much of its host a running VM may have and is sure of. Only what the host offers is there:
//
//   cpu_shares        its weight against the others, where CPUs are short
//   vcpu_quota        microseconds that each of its virtual CPUs may run in a period; -1: all
//   vcpu_period       microseconds
//   memory_guarantee  KiB that are not taken from it
//   memory_limit      KiB that its process may have
//   disk_iops         requests in a second to each of its disks; 0: any
//   network_average   KiB/s of each of its interfaces in each direction; 0: any
struct VmTuning {
  std::string vm;
  std::int64_t vcpus = 0;
  std::int64_t memory_kib = 0;
  std::map<std::string, std::int64_t> settings;
};
struct HostTuning {
  std::int64_t cpus = 0;
  std::vector<VmTuning> vms;
};

// Of all running ones. One that stops meanwhile is left out. Throws VirtError.
HostTuning read_tuning(Connection& connection);

// Changes the running one, not its definition, and returns what is read back. Throws VirtError.
std::int64_t set_tuning(Connection& connection, const std::string& vm, const std::string& setting,
                        std::int64_t value);

}  // namespace rackline::virt
