// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <vector>

#include "failover/protection.h"

namespace rackline::failover {

// Whether something of it is wanted.
inline bool any(const Affinity& affinity) {
  return !affinity.prefer.empty() || affinity.together.has_value();
}

// Why these wishes cannot all hold, in a sentence; empty when they can. `hosts`: the inventory. What cannot
// be is refused when it is wished for: found out when a host has died it would be too late.
std::string affinity_contradiction(const std::vector<Protected>& vms, const std::set<std::string>& hosts);

}  // namespace rackline::failover
