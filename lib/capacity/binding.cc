// SPDX-License-Identifier: Apache-2.0
#include "capacity/binding.h"

#include <algorithm>
#include <string_view>

#include "base/path.h"

namespace rackline::capacity {
namespace {

constexpr std::string_view kNetwork = "network ";
constexpr std::string_view kInterface = "interface ";

bool has(const record::List& names, std::string_view name) {
  return names && std::find(names->begin(), names->end(), name) != names->end();
}

// `plug` as in VmSample::networks.
bool has_plug(const record::HostSample& host, std::string_view plug) {
  if (plug.starts_with(kNetwork)) return has(host.networks, plug.substr(kNetwork.size()));
  return plug.starts_with(kInterface) && has(host.interfaces, plug.substr(kInterface.size()));
}

bool is_witness(const record::HostSample& host, std::string_view plug) {
  return plug.starts_with(kNetwork) ? host.networks.has_value() : host.interfaces.has_value();
}

}  // namespace

std::string lacks(const record::VmSample& vm, const record::HostSample& from, const record::HostSample& to) {
  if (vm.networks) {
    for (const auto& plug : *vm.networks) {
      if (is_witness(to, plug) && has_plug(from, plug) && !has_plug(to, plug)) return "has no " + plug;
    }
  }
  if (vm.storage_pools && to.storage_pools) {
    for (const auto& pool : *vm.storage_pools) {
      if (!has(to.storage_pools, pool))  // @rule 13-pool-of-the-target
        return "has no storage pool " + pool.substr(0, pool.find('=')) + " at " +
               pool.substr(pool.find('=') + 1);
    }
  }
  if (vm.disks) {
    for (const auto& disk : *vm.disks) {
      if (!to.shared_storage || !is_shared_in(disk, *to.shared_storage))
        return disk + " is not on storage that it shares with " + from.host;
    }
  }
  return {};
}

std::string needs_of(const record::VmSample& vm, const record::HostSample& from,
                     const std::vector<std::vector<std::string>>& storage) {
  std::string needs;
  if (vm.networks) {
    for (const auto& plug : *vm.networks) {
      if (has_plug(from, plug)) needs += plug + '\n';
    }
  }
  if (vm.storage_pools) {
    for (const auto& pool : *vm.storage_pools) needs += pool + '\n';
  }
  if (vm.disks) {
    for (const auto& disk : *vm.disks) {
      for (const auto& directory : storage) needs += is_shared_in(disk, directory) ? '+' : '-';
      needs += '\n';
    }
  }
  return needs;
}

}  // namespace rackline::capacity
