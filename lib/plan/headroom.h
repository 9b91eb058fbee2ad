// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "plan/state.h"

namespace rackline::plan {

// How many more of one kind there is room for, beside what is there.
struct HeadroomAnswer {
  struct Bin {
    std::int64_t fits = 0;  // of the total
    Obstacle next;          // what forbids one more there
    bool load = false;      // ... or: its load would be above its safety, in the resource `next.which`
  };
  std::int64_t fits = 0;
  std::vector<Bin> bins;
};

// `probe` is an item of the model that is nowhere: what it needs and may not is asked of all of them. With
// `keep_spare` no more bins than at first lack spare; with `below_safety` no bin's load gets above its
// safety. As many as are found by filling the emptiest bin first, and by filling the smallest first,
// whichever is more, and then one by one wherever one more is allowed: whether there is a cleverer way is as
// hard as bin packing, but what is told is really there.
HeadroomAnswer headroom(const State& state, int probe, bool keep_spare, bool below_safety);

}  // namespace rackline::plan
