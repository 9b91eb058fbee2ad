// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/world.h"

namespace rackline::bench {

struct Move {
  int lun;
  int to;
};

// What a rule sees of a moment: what was done, which is never more than an array can do.
struct View {
  const World& world;
  int step;
  const std::vector<int>& where;
  const std::vector<Demand>& done;  // of each LUN
};

class Rule {
 public:
  virtual ~Rule() = default;
  // Moves that are done by the next step. None may bring an array above kSpaceThreshold.
  virtual std::vector<Move> decide(const View& view) = 0;
};

// none: nothing moves.
// space: as a scheduler that looks at room alone: from the fullest array to the emptiest, while they are more
// than
//        10 points apart, the largest LUN that brings them nearer.
// greedy: from each array above the threshold the LUN of most load to the array of least, until it is below.
// ours: lunbalance on records, with its defaults.
// oracle: knows the week: one placement for all of it, with the fewest overloaded hours that annealing finds.
// Throws Error(kUsage) for another name.
std::unique_ptr<Rule> make_rule(const std::string& name, const World& world, std::uint64_t seed);

}  // namespace rackline::bench
