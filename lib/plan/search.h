// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "plan/state.h"

namespace rackline::plan {

// One item goes from bin to bin.
struct Step {
  enum class Why : std::uint8_t {
    kRepair,   // something was wrong where it was
    kRoom,     // it makes room for the item `because`
    kBalance,  // the score gets better
  };
  int item;
  int from;
  int to;
  Why why = Why::kBalance;
  int because = kNowhere;
};

struct SearchLimits {
  int max_moves = std::numeric_limits<int>::max();  // so many items end elsewhere than where they started
  bool keep_spare = true;                           // never more bins without spare than at first
  std::uint64_t seed = 0;                           // chooses among equals
  // Pairs that are tried for an exchange before giving up. A number and not a time, so that the same input
  // gives the same plan on any machine.
  std::int64_t swap_budget = 5'000'000;
  // Exchanges only for bins above their safety: evening out what is below seldom is worth two moves.
  bool swap_only_overloaded = false;
  // Shifts, too, only away from bins above their safety, and no more of them than bring a bin below it.
  bool shift_only_overloaded = false;
};

// Both searches go step by step, each step allowed by State::obstacle when it is taken: so the steps can be
// carried out in their order whatever the memory is, and no plan is found that cannot be executed. What is
// gained by better placements that have no such way to them is given up. A step must also leave a place for
// every bin's items if the bin fails (SearchLimits::keep_spare), while the item is on its way as well.

struct Repaired {
  std::vector<Step> steps;
  std::vector<Violation> stuck;  // for these there is no remedy
};

// Mends violations, greedily: the largest item first, each to where the score gets best; where none admits
// it, an item in its way that can go elsewhere does (one at a time). Of the violations only those for which
// `wanted` is true; all when it is empty.
Repaired repair(State& state, const SearchLimits& limits,
                const std::function<bool(const Violation&)>& wanted = {});

// Improves the score by shifts of one item and swaps of two, as long as each item that is not where it
// started earns its Item::move_cost: from the most loaded bins, the best step of a bin first. `only`: the
// items that may move, all when empty. What stays in place at the end has no shift that pays, so a second
// call finds nothing, also when the result is made the start of a new model.
std::vector<Step> improve(State& state, const SearchLimits& limits, const std::vector<int>& only = {});

// (bound.cc) No placement of the movable items of open bins scores below this: each resource as if it could
// be poured.
double lower_bound(const State& state);

}  // namespace rackline::plan
