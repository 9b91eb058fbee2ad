// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "act/schedule.h"
#include "migrate/move.h"

namespace rackline::migrate {

// When each move of a plan may begin, by the limits per source, per target and in all.
//
// When a move is not carried out, a later one may rest on it. It does, and is refused, when
//   - it moves the same VM;
//   - its target is the host that the failed one should have left: room or anti-affinity there may depend on
//   it;
//   - its target is in the failure domain that the failed one should have left, for the same reason.
// All others go on: each is checked again before it begins.
act::Schedule migration_schedule(const std::vector<Move>& moves,
                                 const std::map<std::string, MigrationHost>& hosts,
                                 const MigrationPolicy& policy);

}  // namespace rackline::migrate
