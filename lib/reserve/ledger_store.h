// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "base/time.h"
#include "reserve/ledger.h"
#include "store/store.h"

namespace rackline::reserve {

// The ledger in its store: one transaction for each call of run(), and all who write it one after the other.
class LedgerStore {
 public:
  LedgerStore(store::Store& store, const Clock& clock, bool accept_clock = false)
      : store_(store), clock_(clock), accept_clock_(accept_clock) {}

  // `work` may be called again, when another writer was quicker. What it did is kept when it returns true.
  // Throws what the store and `work` throw; nothing is kept then.
  void run(const std::function<bool(Ledger&)>& work);

  // For those who only look. They hold nobody up; a verb may be tried and is never kept.
  void look(const std::function<void(Ledger&)>& work);

  Second clock() const { return clock_.wall().time_since_epoch().count(); }

 private:
  store::Store& store_;
  const Clock& clock_;
  bool accept_clock_;
};

// All pools, parents before their children.
std::vector<Pool> all_pools(store::Store& store);

}  // namespace rackline::reserve
