// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "plan/model.h"
#include "record/kinds_capacity.h"

namespace rackline::capacity {

// Memory of hosts and VMs as plans count it: ordinary memory, and beside it the pools of huge pages, which
// are nobody else's.

// Bytes in huge pages, by the size of a page in bytes; the size 0 is one that is not known.
using PageBytes = std::map<std::int64_t, std::int64_t>;

// From "SIZE=BYTES" of a record; nothing where one of them is not understood, or is left out.
std::optional<PageBytes> page_bytes(const record::List& words);

// "huge pages of 2MiB"
std::string pages_text(std::int64_t page_bytes);

// What the VM has, or will have when it runs, in huge pages.
PageBytes hugepages_of(const record::VmSample& vm);
// What it may have at most beside those; a balloon takes back from it, and the guest may want it again.
plan::Amount ordinary_memory(const record::VmSample& vm);
// What the host has beside its pools.
plan::Amount ordinary_memory(const record::HostSample& host);

// What the VMs of a host have of it.
struct GuestMemory {
  plan::Amount given = 0;     // that they have
  plan::Amount promised = 0;  // that they may have
  plan::Amount occupied = 0;  // that they really take, as far as it is known
  // That they may have in huge pages, as nothing tells that they have none: then it is not beside them that
  // the host takes it.
  plan::Amount perhaps_in_pool = 0;
  PageBytes pages;

  void add(const record::VmSample& vm);
};

// What a host takes for itself of its ordinary memory, at least and at most.
struct OwnMemory {
  plan::Amount least = 0;
  plan::Amount most = 0;
};
OwnMemory own_memory(const record::HostSample& host, const GuestMemory& guests, plan::Amount reserve);

// What the VMs of the host together may have of a pool: what they have, and what nobody has.
plan::Amount pool_size(const record::HostSample& host, const GuestMemory& guests, std::int64_t page_bytes);

}  // namespace rackline::capacity
