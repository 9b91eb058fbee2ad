// SPDX-License-Identifier: Apache-2.0
#include "capacity/speed.h"

#include <algorithm>

namespace rackline::capacity {

void Speeds::learn(const Round& round) {
  for (const auto& host : round.hosts()) {
    const auto clock = static_cast<double>(host.cpu_mhz.value_or(0));
    if (clock <= 0) continue;
    double& known = clocks_[host.host];
    known = std::max(known, clock);
    highest_ = std::max(highest_, clock);
  }
}

double Speeds::of(std::string_view host) const {
  const auto found = clocks_.find(host);
  return found == clocks_.end() ? 1 : found->second / highest_;
}

}  // namespace rackline::capacity
