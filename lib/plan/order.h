// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "plan/search.h"
#include "plan/state.h"

namespace rackline::plan {

// Moves of one bin that may be under way at a time.
struct Caps {
  int in = 2;
  int out = 2;
};

// The moves of a stage run side by side; a stage starts when the one before it is done.
struct Move {
  int item;
  int from;
  int to;
  int stage;           // from 1
  bool aside = false;  // only a stop on the way: there was no room at the end of the journey yet
};

struct Blocked {
  int item;
  int to;
  Obstacle why;
};

struct Schedule {
  std::vector<Move> moves;       // by stage
  std::vector<Blocked> blocked;  // there is no way: these stay where they are
};

// Orders the moves that lead from the start of the model to `target` (a bin for each item) into stages, each
// as full as room and caps allow. At every instant, with any of a stage's moves done and any on its way,
// capacities, groups, failure domains and caps hold; with `keep_spare`, no more bins than at first lack
// spare. Where moves wait for one another in a circle, one item stops on the way in a third bin (once in a
// journey).
//
// Greedy: whether any order exists is as hard as multi-dimensional packing, so a blocked move may have a
// longer way round that is not found. Where room or caps are short, those that `first` names go first, in its
// order.
Schedule order(const Model& model, const std::vector<int>& target, Caps caps, bool keep_spare,
               const std::vector<int>& first = {});

// The same for steps whose order is known to work: each is put in the earliest stage that keeps their order.
Schedule stage(const Model& model, const std::vector<Step>& steps, Caps caps, bool keep_spare);

}  // namespace rackline::plan
