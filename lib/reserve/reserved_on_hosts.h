// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reserve/recurrence.h"
#include "store/store.h"

namespace rackline::reserve {

// A part of a host that is reserved now: what a placement leaves alone, unless it is for that VM,
// or unless it may be lent and the need is a failover's.
struct ReservedOnHost {
  std::string id, owner, host;
  std::string vm;  // empty: for none in particular
  std::int64_t cpu_thousandths = 0;
  std::int64_t memory_bytes = 0;
  bool lendable = false;
};

// Of all reservations that hold something now and are of one host: claimed on it, or from a pool that is made
// of that host alone. A store without a ledger has none.
std::vector<ReservedOnHost> reserved_on_hosts(store::Store& store, Second now);

}  // namespace rackline::reserve
