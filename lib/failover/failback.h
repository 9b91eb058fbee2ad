// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "failover/recovery_verdict.h"
#include "record/kinds_inventory.h"
#include "record/kinds_migration.h"
#include "reserve/reserved_on_hosts.h"
#include "store/store.h"

namespace rackline::failover {

// The way back: a protected server that runs away from the hosts that it prefers, and for which that was
// chosen (failover protect --failback), is moved to a better one that serves again. Nothing is moved here:
// these are decisions for migrate, which looks at everything again.
struct Failback {
  std::vector<record::VmMove> moves;
  std::vector<std::pair<std::string, std::string>> stay;  // away from home, and why they stay there
};

// Pure. In the order of priorities, as far as there is room; one that moves counts on both of its hosts.
Failback plan_failback(const Situation& situation, record::Time now,
                       std::vector<reserve::ReservedOnHost> held);

// The same with the world as it is. Throws Error(kRefused) while the cluster is disarmed.
Failback failback(const std::vector<record::Host>& inventory, RecoveryCluster& cluster, store::Store& store,
                  const Clock& clock, Milliseconds timeout);

}  // namespace rackline::failover
