// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "storage/sampler.h"

namespace rackline::storage {

// Samples the arrays of an inventory, round after round, all at once: each on a thread of its own, which ends
// by its timeout.
class Survey {
 public:
  Survey(const std::vector<record::Array>& arrays, const Patience& patience, const Clock& clock);

  struct Seen {
    std::size_t index = 0;  // of the array in the inventory
    Described described;
  };

  // Calls `each` with every array as it answers, or when it has not in time. False when a stop was asked for
  // before all were seen.
  bool round(const std::function<void(Seen)>& each);

  std::size_t size() const { return samplers_.size(); }

 private:
  std::vector<std::unique_ptr<Sampler>> samplers_;
};

}  // namespace rackline::storage
