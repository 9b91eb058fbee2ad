// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "decide/by_name.h"

namespace rackline::decide {

// How many rounds on end each bin has been above its threshold: a spike is not a load.
class Hold {
 public:
  void begin_round() { ++round_; }
  // Of each bin that was seen in this round. `percent` is its load, of use when it is above.
  void count(std::string_view bin, bool above, double percent);
  int rounds(std::string_view bin) const;
  double percent(std::string_view bin) const;  // of one that is above it

 private:
  struct Count {
    int rounds = 0;
    std::int64_t seen = 0;
    double percent = 0;
  };
  ByName<Count> counts_;
  std::int64_t round_ = 0;
};

}  // namespace rackline::decide
