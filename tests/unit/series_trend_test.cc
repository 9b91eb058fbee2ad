// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "series/trend.h"

namespace rackline::series {
namespace {

using std::chrono::hours;

TEST(LongTrend, SaysNothingBeforeSixHours) {
  LongTrend trend;
  for (int i = 0; i < 5; ++i) trend.add(hours(i), i);
  EXPECT_FALSE(trend.slope());
  trend.add(hours(5), 5);
  ASSERT_TRUE(trend.slope());
  EXPECT_DOUBLE_EQ(trend.slope()->per_hour, 1);
}

TEST(LongTrend, ADailyJobAndOneCleanUpAreNoTrend) {
  LongTrend trend;
  for (int i = 0; i < 10 * 24; ++i) {
    const double nightly = 50 * std::sin(i * 2 * 3.14159265358979 / 24);
    const double cleaned = i >= 100 && i < 104 ? -500 : 0;
    trend.add(hours(i), 1000 + 2.0 * i + nightly + cleaned);
  }
  const auto slope = trend.slope();
  ASSERT_TRUE(slope);
  EXPECT_NEAR(slope->per_hour, 2, 0.01);
  EXPECT_LE(slope->low, slope->per_hour);
  EXPECT_GE(slope->high, slope->per_hour);
}

TEST(LongTrend, ForgetsWhatIsOlderThanTwoWeeks) {
  LongTrend trend;
  for (int i = 0; i < 100; ++i) trend.add(hours(i), 100.0 * i);
  for (int i = 0; i < LongTrend::kHours; ++i) trend.add(hours(100 + i), 7);
  EXPECT_DOUBLE_EQ(trend.slope()->per_hour, 0);
}

TEST(LongTrend, AnHourCountsOnceHoweverOftenItWasSampled) {
  LongTrend trend;
  for (int i = 0; i < 6; ++i) {
    for (int k = 0; k < (i == 3 ? 100 : 1); ++k) trend.add(hours(i), i);
  }
  EXPECT_DOUBLE_EQ(trend.slope()->per_hour, 1);
}

}  // namespace
}  // namespace rackline::series
