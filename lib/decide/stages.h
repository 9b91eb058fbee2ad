// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "plan/order.h"
#include "plan/search.h"
#include "plan/state.h"

namespace rackline::decide {

// How many items are elsewhere than at their start.
int moved(const plan::State& state);

// The stages that lead to `result`. The search's own order of steps always works, the net moves in their own
// order are fewer and more parallel.
plan::Schedule schedule_of(const plan::State& result, const std::vector<plan::Step>& steps, plan::Caps caps,
                           bool keep_spare);

// Where everything is when all moves of the schedule are done; without a score.
plan::State carried_out(const plan::Model& model, const plan::Schedule& schedule);

}  // namespace rackline::decide
