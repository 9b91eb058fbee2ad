// SPDX-License-Identifier: Apache-2.0
#include "series/trend.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace rackline::series {

void LongTrend::add(Milliseconds at, double value) {
  const std::int64_t number = std::chrono::floor<std::chrono::hours>(at).count();
  if (hours_.empty() || hours_.back().number != number) hours_.push_back({number, 0, 0});
  Hour& hour = hours_.back();
  ++hour.count;
  hour.mean += (value - hour.mean) / static_cast<double>(hour.count);
  while (hours_.front().number <= number - kHours) hours_.pop_front();
}

std::optional<LongTrend::Slope> LongTrend::slope() const {
  if (hours_.empty() || hours_.back().number - hours_.front().number + 1 < kLeastHours) return std::nullopt;
  constexpr std::int64_t kDay = 24;
  const bool by_day = hours_.back().number - hours_.front().number >= 2 * kDay;
  std::vector<double> slopes;
  for (std::size_t i = 0; i < hours_.size(); ++i) {
    for (std::size_t j = i + 1; j < hours_.size(); ++j) {
      const std::int64_t apart = hours_[j].number - hours_[i].number;
      if (by_day && apart % kDay != 0) continue;
      slopes.push_back((hours_[j].mean - hours_[i].mean) / static_cast<double>(apart));
    }
  }
  if (slopes.empty()) return std::nullopt;
  std::sort(slopes.begin(), slopes.end());
  const auto at = [&](double share) {
    return slopes[static_cast<std::size_t>(std::llround(share * static_cast<double>(slopes.size() - 1)))];
  };
  constexpr double kTenth = 0.1;
  return Slope{at(0.5), at(kTenth), at(1 - kTenth)};
}

}  // namespace rackline::series
