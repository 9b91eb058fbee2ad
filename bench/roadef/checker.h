// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "roadef/instance.h"

namespace rackline::bench {

// What the challenge's published rules say of an assignment.
struct Verdict {
  std::vector<std::string> broken;  // each rule that does not hold, and where
  std::int64_t load_cost = 0;
  std::int64_t balance_cost = 0;
  std::int64_t process_cost = 0;
  std::int64_t service_cost = 0;
  std::int64_t machine_cost = 0;

  bool valid() const { return broken.empty(); }
  std::int64_t cost() const { return load_cost + balance_cost + process_cost + service_cost + machine_cost; }
};

// Straight from the rules, on the numbers as they stand in the file: it shares nothing with plan::Model and
// the search, so that an error there does not confirm itself here.
Verdict check(const Instance& instance, const std::vector<int>& initial, const std::vector<int>& assignment);

}  // namespace rackline::bench
