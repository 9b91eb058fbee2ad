// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "record/kinds_inventory.h"
#include "virt/description.h"

namespace rackline::virt {

// Directories of one host and of all others of an inventory that are on shared storage.
struct Storage {
  std::string host;
  std::vector<std::string> own;
  std::vector<std::vector<std::string>> others;  // each once, however many hosts have it
};
using StoragePtr = std::shared_ptr<const Storage>;

// For each of `hosts`, among all of the `site`.
std::vector<StoragePtr> storage_of(const std::vector<record::Host>& hosts,
                                   const std::vector<record::Host>& site);

// What binds a VM to its host, as far as its definition and the inventory tell.
struct Binding {
  std::vector<std::string> bound_by;       // why it can go nowhere
  std::vector<std::string> disks;          // paths that some of the other hosts see, and some do not
  std::vector<std::string> networks;       // "network NAME" of libvirt, "interface NAME" of the host
  std::vector<std::string> storage_pools;  // "NAME=PATH" of those of which it has volumes
  PageBytes hugepages;
  bool shared_memory = false;
};

// `live`: it runs, and would go with its memory; one that is off leaves more behind. Pure.
Binding binding_of(const VmDescription& vm, bool live, const Storage& storage);

}  // namespace rackline::virt
