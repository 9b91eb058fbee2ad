// SPDX-License-Identifier: Apache-2.0
#include "virt/binding.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/path.h"

namespace rackline::virt {
namespace {

void add_disk(const VmDisk& disk, const Storage& storage, Binding& binding) {
  if (disk.type == "network") return;
  const auto sees = [&disk](const std::vector<std::string>& shared) {
    return is_shared_in(disk.source, shared);
  };
  const bool path = disk.type == "file" || disk.type == "block" || disk.type == "network of its host";
  const bool shared = path && sees(storage.own);
  if (!shared || std::none_of(storage.others.begin(), storage.others.end(), sees)) {
    binding.bound_by.push_back(text_of(disk) + " is not on storage that " + storage.host +
                               " shares with another host");
  } else if (!std::all_of(storage.others.begin(), storage.others.end(), sees)) {
    binding.disks.push_back(disk.source);
  }
}

// Where libvirt looks a volume up by its name, the target has to have that pool at the same place. The path
// of a volume is that of its pool and its name.
void add_pools(const VmDescription& vm, Binding& binding) {
  std::set<std::string> pools;
  for (const auto& disk : vm.disks) {
    if (disk.pool.empty() || !disk.source.ends_with("/" + disk.volume)) continue;
    pools.insert(disk.pool + "=" + disk.source.substr(0, disk.source.size() - disk.volume.size() - 1));
  }
  binding.storage_pools.assign(pools.begin(), pools.end());
}

}  // namespace

std::vector<StoragePtr> storage_of(const std::vector<record::Host>& hosts,
                                   const std::vector<record::Host>& site) {
  using Directories = std::vector<std::string>;
  std::map<Directories, int> count;
  for (const auto& host : site) ++count[host.shared_storage.value_or(Directories())];
  std::vector<StoragePtr> all;
  for (const auto& host : hosts) {
    auto storage = std::make_shared<Storage>();
    storage->host = host.host;
    storage->own = host.shared_storage.value_or(Directories());
    for (const auto& [directories, times] : count) {
      if (times > (directories == storage->own ? 1 : 0)) storage->others.push_back(directories);
    }
    all.push_back(std::move(storage));
  }
  return all;
}

Binding binding_of(const VmDescription& vm, bool live, const Storage& storage) {
  Binding binding;
  binding.bound_by = vm.ties;
  for (const auto& disk : vm.disks) add_disk(disk, storage, binding);
  add_pools(vm, binding);
  if (live) {
    binding.bound_by.insert(binding.bound_by.end(), vm.ties_when_live.begin(), vm.ties_when_live.end());
  } else {
    for (const auto& disk : vm.disks) {
      if (disk.chain_unknown)  // @rule 13-files-below-a-planned-disk
        binding.bound_by.push_back(unknown_chain(disk, storage.host));
    }
    binding.bound_by.insert(binding.bound_by.end(), vm.ties_when_stopped.begin(), vm.ties_when_stopped.end());
    // A live migration carries the firmware's variables along, a definition does not.
    if (vm.nvram) add_disk(*vm.nvram, storage, binding);
  }
  std::set<std::string> networks;
  for (const auto& network : vm.networks)
    networks.insert((network.type == "network" ? "network " : "interface ") + network.source);
  binding.networks.assign(networks.begin(), networks.end());
  binding.hugepages = vm.hugepages;
  binding.shared_memory = vm.shared_memory;
  return binding;
}

}  // namespace rackline::virt
