// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"

namespace rackline::series {

// What the values of one quantity over the last while come to.
struct Summary {
  std::int64_t samples = 0;
  Milliseconds span{0};  // from the oldest to the newest
  std::optional<double> ewma, p50, p90, p95, trend_per_hour;
};

// How long windows are, and how much the average is smoothed; shared by many of them.
struct Shape {
  Milliseconds span{std::chrono::hours(1)};
  // Of the exponentially weighted average: a value of this age weighs 1/e of a new one. By age and not by
  // count, so that rounds which were slow or left out do not change what it means.
  Milliseconds smoothing{std::chrono::seconds(30)};
};

// The values of one quantity over the last while, in memory that has a bound however long it runs.
//
// Time is cut into cells of a fixed part of the span, and a cell holds the mean of the values that fell into
// it: with the usual interval and span one value. A sketch (t-digest, P²) was discarded: it forgets nothing,
// and a percentile over all time is not what a planner asks for. The percentiles here are exact over the
// cells (nearest rank), so each stretch of time weighs the same however often it was sampled.
class Window {
 public:
  // At most so many cells of 5 bytes each.
  static constexpr std::int64_t kCells = 360;

  // `at` must not be less than that of the value before. What is older than the span is forgotten.
  void add(const Shape& shape, Milliseconds at, double value);
  // As of `now`. Without values, all is empty.
  Summary summary(const Shape& shape, Milliseconds now) const;
  // The smoothed value; empty before the first.
  std::optional<double> ewma() const { return ewma_; }

 private:
  // A ring by number of the cell, all of it from the first value on, so that memory does not creep up for an
  // hour after the start. NaN: no value.
  std::vector<float> means_;
  std::vector<std::uint8_t> counts_;  // values in each cell, 255 at most
  std::int64_t newest_ = -1;          // number of the newest cell
  Milliseconds last_{0};
  std::optional<double> ewma_;
};

}  // namespace rackline::series
