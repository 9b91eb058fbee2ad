// SPDX-License-Identifier: Apache-2.0
#include "series/trend.h"

#include <algorithm>
#include <array>
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
  // Hours between which there is a slope: those of the same time of day, or all.
  std::array<std::vector<const Hour*>, kDay> alike;
  std::vector<double> slopes;
  for (const Hour& hour : hours_) {
    auto& before = alike[by_day ? static_cast<std::size_t>(hour.number % kDay) : 0];
    for (const Hour* other : before)
      slopes.push_back((hour.mean - other->mean) / static_cast<double>(hour.number - other->number));
    before.push_back(&hour);
  }
  if (slopes.empty()) return std::nullopt;
  const auto at = [&](double share) {
    const auto rank = std::llround(share * static_cast<double>(slopes.size() - 1));
    std::nth_element(slopes.begin(), slopes.begin() + rank, slopes.end());
    return slopes[static_cast<std::size_t>(rank)];
  };
  constexpr double kTenth = 0.1;
  return Slope{at(0.5), at(kTenth), at(1 - kTenth)};
}

}  // namespace rackline::series
