// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/time.h"

namespace rackline::series {

// How something grows over days, as the disk space of an array does. One mean for each hour of the last two
// weeks is kept. The slope is the median of the slopes between two hours (Theil and Sen), which a single
// clean-up or import does not turn as it turns a line of least squares; with two days or more, only of hours
// of the same time of day, so that a nightly job is no trend (Hirsch, Slack and Smith 1982).
class LongTrend {
 public:
  static constexpr std::int64_t kHours = 14 * 24;
  // Less than this says nothing about days.
  static constexpr std::int64_t kLeastHours = 6;

  // `at` must not be less than that of the value before.
  void add(Milliseconds at, double value);

  struct Slope {
    double per_hour = 0;
    double low = 0, high = 0;  // a tenth of the slopes are below, a tenth above
  };
  std::optional<Slope> slope() const;

 private:
  struct Hour {
    std::int64_t number = 0;
    double mean = 0;
    std::int64_t count = 0;
  };
  std::deque<Hour> hours_;
};

}  // namespace rackline::series
