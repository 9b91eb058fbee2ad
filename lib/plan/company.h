// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "plan/search.h"
#include "plan/state.h"

namespace rackline::plan {

// Items that can leave their bin only together, since one depends on the other where they are, or their group
// stays on one bin. No single step of theirs is allowed; taken as one, they are.

// The item and all on its bin that go with it: by dependencies and groups, over any number of links.
std::vector<int> company_of(const State& state, int item);

// Moves all of them to other bins, all to one where that is possible, such that nothing is broken then that
// was not before, `may` allows each step and `done` the whole. Appends the steps; false, and nothing changed,
// if no way is found.
bool leave_together(State& state, const std::vector<int>& items,
                    const std::function<bool(int item, int bin)>& may, const std::function<bool()>& done,
                    std::vector<Step>& steps);

}  // namespace rackline::plan
