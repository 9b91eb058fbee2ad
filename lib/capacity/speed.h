// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "capacity/facts.h"

namespace rackline::capacity {

// How fast the CPUs of hosts are, by their clocks, as shares of the fastest: what keeps two CPUs of a fast
// host busy takes more of a slow one. A host whose clock is not known is as fast as the fastest.
//
// Some hosts tell the clock of the moment, which falls when there is little to do: the highest that was seen
// of a host counts.
class Speeds {
 public:
  void learn(const Round& round);
  double of(std::string_view host) const;

 private:
  ByName<double> clocks_;
  double highest_ = 0;
};

}  // namespace rackline::capacity
