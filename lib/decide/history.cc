// SPDX-License-Identifier: Apache-2.0
#include "decide/history.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace rackline::decide {

void History::add(const std::string& item, record::Time time) {
  auto& last = last_[item];
  last = std::max(last, time);
}

bool History::cooling(std::string_view item, record::Time now, std::chrono::milliseconds cooldown) const {
  const auto found = last_.find(item);
  return found != last_.end() && now - found->second < cooldown;  // @rule 06-cooldown: false
}

double History::recent(record::Time now) const {
  // Summed in the order of the times: an unordered map has none of its own, and rounding depends on it.
  std::vector<double> ages;
  for (const auto& [item, time] : last_) {
    ages.push_back(std::max(0.0, std::chrono::duration<double>(now - time).count()));
  }
  std::sort(ages.begin(), ages.end(), std::greater<>());
  double count = 0;
  for (const double age : ages) count += std::exp(-age / (24 * 3600));
  return count;
}

}  // namespace rackline::decide
