// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "record/kinds_inventory.h"
#include "record/kinds_reserve.h"
#include "reserve/ledger_store.h"

namespace rackline::reserve {

struct ApplyOptions {
  std::string vm;  // only this one; empty: all
  Milliseconds timeout{5000};
  bool planned = false;
};

// Makes the hypervisors hold what the ledger has granted to VMs, reads it back, and undoes what
// was set for those that have nothing any more. What was there before is written down before anything is
// changed, so that an apply that was killed can be repeated and undone. kNo when something could not be done;
// kUnreachable when a host did not answer.
Status apply(store::Store& store, const std::vector<record::Host>& inventory, Second now,
             const ApplyOptions& options,
             const std::function<void(const record::ReservationApplied&)>& result,
             const std::function<void(const std::string&)>& warn);

}  // namespace rackline::reserve
