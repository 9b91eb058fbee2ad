// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/time.h"
#include "failover/recovery_cluster.h"
#include "record/kinds_failover.h"
#include "record/kinds_inventory.h"
#include "store/store.h"

namespace rackline::failover {

struct ClearRequest {
  std::string host;
  bool destroy_stale = false;  // an active copy that is not the authoritative one
  bool dry_run = false;
  Milliseconds timeout{3000};
};

// Takes a fenced host back: what it still believes about VMs that live elsewhere by now is
// removed from it, and only then its mark. The caller holds the store's lock "failover". The outcome is done,
// already (it has no mark) or refused. Throws Error(kUnreachable) when the host does not answer.
record::HostCleared clear(const ClearRequest& request, const std::vector<record::Host>& inventory,
                          RecoveryCluster& cluster, store::Store& store, const Clock& clock,
                          const std::function<void(const std::string&)>& warn);

}  // namespace rackline::failover
