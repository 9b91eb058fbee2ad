// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "plan/model.h"

namespace rackline::plan {

struct ReassignLimits {
  std::uint64_t seed = 0;
  // How much of the search's time is gone, 0 to 1; the search ends at 1. Asked every few thousand trials.
  // A function of a clock gives the best that is found in a time; one that counts its own calls makes the
  // result depend on nothing but the seed.
  std::function<double()> elapsed;
  // Told whenever time has been asked for: the cost of the best placement so far.
  std::function<void(std::int64_t)> watch = {};
};

struct Reassigned {
  std::vector<int> placement;  // a bin for each item
  std::int64_t cost_before = 0;
  std::int64_t cost = 0;
  std::int64_t trials = 0;
};

// Where all items should be when it does not matter how they get there one by one: all moves happen at once,
// and what is transient is needed at both ends of each. That is the machine reassignment problem of
// ROADEF/EURO 2012, whose cost is
//
//     overload and balance costs of each bin + item, distance and group costs of the moves
//
// and it is what a fleet looks like in which moves are short beside the life of a placement. The steps of
// plan/search.h can always be walked one at a time, and miss what lies beyond them.
//
// Simulated annealing over shifts of one item and exchanges of two. Every trial costs a look at two bins and
// no more than the item's own groups; the temperature follows the time that is left, so that there is a good
// answer at any time and a better one with more of it. Compared with the local searches that have been
// published for this problem (variable neighbourhoods, late acceptance) it needs no lists of candidates,
// which at 50,000 items are out of date before they are used.
//
// The placement that the model starts from has to be free of violations, and so is the result, which is never
// worse. For models in whole numbers only: every item has a start, peaks are what is usual, nothing is
// frozen, closed or pinned, costs are whole numbers, the same for each bin, and every item is of at most one
// group with at most one of it per bin. Throws std::invalid_argument for any other: those are for
// plan/search.h.
Reassigned reassign(const Model& model, const ReassignLimits& limits);

}  // namespace rackline::plan
