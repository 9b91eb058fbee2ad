// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "roadef/instance.h"

namespace rackline::bench {

// What an instance is made like. The presets are those of the challenge's large instances: a few transient
// resources, services of all sizes, many dependencies, little room.
struct Shape {
  int machines = 100;
  int processes = 5000;
  int resources = 6;
  int transients = 1;
  int services = 2500;
  int locations = 10;
  int neighbourhoods = 5;
  int dependencies = 4000;
  int balances = 1;
  double fullness = 0.85;
};

struct Generated {
  Instance instance;
  std::vector<int> initial;  // valid
};

Generated generate(const Shape& shape, std::uint64_t seed);

}  // namespace rackline::bench
