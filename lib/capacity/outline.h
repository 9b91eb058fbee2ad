// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "capacity/cluster.h"
#include "capacity/explain.h"
#include "capacity/planner.h"
#include "decide/stages.h"
#include "plan/order.h"
#include "plan/search.h"

namespace rackline::capacity {

using decide::carried_out;
using decide::moved;
using decide::schedule_of;

// What the commands of the planner have in common when they put their answers together.

// "h3 is left out: its sample is stale", for each host of which too little is known.
std::vector<std::string> left_out(const Cluster& cluster);

// What becomes of each host between two states of the cluster.
std::vector<HostOutlook> outlook(const Cluster& cluster, const plan::State& before, const plan::State& after);

// "db1 stays on h1, as there is no way to h2: ...", for each move that has no stage.
std::vector<std::string> dropped(const Cluster& cluster, const plan::Schedule& schedule,
                                 const Explain& explain);

// "makes room on h2 for db1", of a step of that kind.
std::string makes_room(const Cluster& cluster, const plan::Step& step);

}  // namespace rackline::capacity
