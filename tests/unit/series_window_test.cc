// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "series/window.h"

namespace rackline::series {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const Shape kShape{.span = hours(1), .smoothing = seconds(30)};

TEST(Window, KnowsNothingBeforeTheFirstValue) {
  const Window window;
  const Summary summary = window.summary(kShape, seconds(0));
  EXPECT_EQ(summary.samples, 0);
  EXPECT_FALSE(summary.ewma || summary.p50 || summary.p95 || summary.trend_per_hour);
}

TEST(Window, PercentilesAreThoseOfASortedList) {
  std::mt19937 random(7);
  for (const std::size_t count : {1U, 2U, 3U, 10U, 20U, 100U, 359U}) {
    Window window;
    std::vector<double> values;
    for (std::size_t i = 0; i < count; ++i) {
      values.push_back(static_cast<double>(random() % 1000));
      window.add(kShape, seconds(10) * i, values.back());
    }
    std::sort(values.begin(), values.end());
    const auto nearest_rank = [&](double share) {
      return values[static_cast<std::size_t>(std::ceil(share * static_cast<double>(count))) - 1];
    };
    const Summary summary = window.summary(kShape, seconds(10) * (count - 1));
    EXPECT_EQ(summary.samples, static_cast<std::int64_t>(count));
    EXPECT_EQ(*summary.p50, nearest_rank(0.5)) << count;
    EXPECT_EQ(*summary.p90, nearest_rank(0.9)) << count;
    EXPECT_EQ(*summary.p95, nearest_rank(0.95)) << count;
  }
}

TEST(Window, ForgetsWhatIsOlderThanTheSpan) {
  Window window;
  Milliseconds at{0};
  for (; at < hours(1); at += seconds(10)) window.add(kShape, at, 90);
  for (; at < hours(2); at += seconds(10)) window.add(kShape, at, 10);
  const Summary summary = window.summary(kShape, at);
  EXPECT_EQ(*summary.p95, 10);
  EXPECT_LE(summary.span, hours(1));
  // And without a new value as well.
  EXPECT_EQ(window.summary(kShape, at + hours(2)).samples, 0);
}

TEST(Window, StretchesOfTimeWeighTheSameHoweverOftenTheyWereSampled) {
  Window window;
  Milliseconds at{0};
  for (; at < minutes(30); at += seconds(1)) window.add(kShape, at, 100);
  for (; at < hours(1); at += seconds(10)) window.add(kShape, at, 0);
  EXPECT_EQ(*window.summary(kShape, at).p50, 0);
  EXPECT_EQ(*window.summary(kShape, at).p90, 100);
}

TEST(Window, TheTrendIsTheSlopeOfALine) {
  Window window;
  Milliseconds at{0};
  for (; at < minutes(30); at += seconds(10)) {
    window.add(kShape, at, 20 + 12 * std::chrono::duration<double, std::ratio<3600>>(at).count());
  }
  EXPECT_NEAR(*window.summary(kShape, at).trend_per_hour, 12, 0.01);
}

TEST(Window, TooLittleHasNoTrend) {
  Window window;
  for (int i = 0; i < 4; ++i) window.add(kShape, minutes(10 * i), i);
  EXPECT_FALSE(window.summary(kShape, minutes(30)).trend_per_hour);
  Window close;
  for (int i = 0; i < 60; ++i) close.add(kShape, seconds(i), i);
  EXPECT_FALSE(close.summary(kShape, seconds(60)).trend_per_hour);
}

TEST(Window, TheAverageGoesByTimeAndNotByCount) {
  Window fast;
  Window slow;
  fast.add(kShape, seconds(0), 0);
  slow.add(kShape, seconds(0), 0);
  for (int second = 1; second <= 60; ++second) fast.add(kShape, seconds(second), 100);
  for (int second = 20; second <= 60; second += 20) slow.add(kShape, seconds(second), 100);
  EXPECT_NEAR(*fast.ewma(), 100 * (1 - std::exp(-2.0)), 1e-9);
  EXPECT_NEAR(*slow.ewma(), *fast.ewma(), 1e-9);
}

TEST(Window, AGapOfAWholeSpanIsANewBeginning) {
  Window window;
  window.add(kShape, seconds(0), 100);
  window.add(kShape, hours(3), 10);
  EXPECT_EQ(*window.ewma(), 10);
  EXPECT_EQ(window.summary(kShape, hours(3)).samples, 1);
}

}  // namespace
}  // namespace rackline::series
