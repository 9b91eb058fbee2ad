// SPDX-License-Identifier: Apache-2.0
#include "series/window.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rackline::series {
namespace {

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
// A slope through fewer values, or over a smaller part of the span, says nothing.
constexpr std::size_t kLeastForTrend = 5;
constexpr std::int64_t kLeastPartForTrend = 30;

// Nearest rank: the smallest value that so great a share of all does not exceed. Orders a part of `values`.
double percentile(std::vector<float>& values, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

Milliseconds cell_width(const Shape& shape) {
  return std::max(shape.span / Window::kCells, Milliseconds{1});
}

std::int64_t cell_of(const Shape& shape, Milliseconds at) {
  return at / cell_width(shape);
}

std::size_t slot_of(std::int64_t cell) {
  return static_cast<std::size_t>(cell % Window::kCells);
}

double hours(Milliseconds time) {
  return std::chrono::duration<double, std::ratio<3600>>(time).count();
}

}  // namespace

void Window::add(const Shape& shape, Milliseconds at, double value) {
  const std::int64_t cell = cell_of(shape, at);
  if (newest_ < 0 || cell - newest_ >= kCells) {
    means_.assign(kCells, kNone);
    counts_.assign(kCells, 0);
    newest_ = cell;
    ewma_.reset();
  }
  while (newest_ < cell) {
    ++newest_;
    means_[slot_of(newest_)] = kNone;
    counts_[slot_of(newest_)] = 0;
  }
  float& mean = means_[slot_of(cell)];
  std::uint8_t& count = counts_[slot_of(cell)];
  if (count < std::numeric_limits<std::uint8_t>::max()) ++count;
  if (std::isnan(mean)) mean = 0;
  mean += (static_cast<float>(value) - mean) / static_cast<float>(count);

  if (!ewma_) {
    ewma_ = value;
  } else if (at > last_) {
    const double age = static_cast<double>((at - last_).count()) /
                       static_cast<double>(std::max<Milliseconds::rep>(shape.smoothing.count(), 1));
    *ewma_ += (1 - std::exp(-age)) * (value - *ewma_);
  }
  last_ = at;
}

Summary Window::summary(const Shape& shape, Milliseconds now) const {
  Summary summary;
  if (newest_ < 0) return summary;
  const std::int64_t oldest = std::max<std::int64_t>(cell_of(shape, now) - kCells + 1, 0);
  std::vector<float> values;
  values.reserve(kCells);
  std::int64_t first = -1;
  // Sums for the line through the means, with x counted from the newest cell so that they stay small.
  double x = 0, y = 0, xx = 0, xy = 0;
  for (std::int64_t cell = std::max(oldest, newest_ - kCells + 1); cell <= newest_; ++cell) {
    if (cell < 0) continue;
    const float mean = means_[slot_of(cell)];
    if (std::isnan(mean)) continue;
    if (first < 0) first = cell;
    values.push_back(mean);
    summary.samples += counts_[slot_of(cell)];
    const auto back = static_cast<double>(cell - newest_);
    x += back;
    y += mean;
    xx += back * back;
    xy += back * mean;
  }
  if (values.empty()) return summary;
  const Milliseconds width = cell_width(shape);
  summary.span = (newest_ - first) * width;
  summary.ewma = ewma_;
  const auto n = static_cast<double>(values.size());
  const double spread = n * xx - x * x;
  if (values.size() >= kLeastForTrend && newest_ - first >= kCells / kLeastPartForTrend && spread > 0) {
    summary.trend_per_hour = (n * xy - x * y) / spread / hours(width);
  }
  summary.p50 = percentile(values, 0.50);
  summary.p90 = percentile(values, 0.90);
  summary.p95 = percentile(values, 0.95);
  return summary;
}

}  // namespace rackline::series
