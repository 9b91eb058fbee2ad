// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "series/band.h"

namespace rackline::series {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Side = Band::Side;

constexpr Edges kEdges{.low = 10, .high = 75};
const BandPolicy kPolicy{.hold = minutes(1), .hysteresis_percent = 10};

class BandTest : public testing::Test {
 protected:
  // Shows a value every 10 s for so long; returns the last crossing.
  std::optional<Band::Crossing> show(double value, Milliseconds time) {
    std::optional<Band::Crossing> last;
    for (const Milliseconds end = at_ + time; at_ < end; at_ += seconds(10)) {
      if (auto crossing = band_.see(kEdges, kPolicy, at_, value)) {
        ++crossings_;
        last = crossing;
      }
    }
    return last;
  }

  Band band_;
  Milliseconds at_{0};
  int crossings_ = 0;
};

TEST_F(BandTest, WhatStaysInsideIsNotSaid) {
  show(50, minutes(10));
  show(75, minutes(10));
  show(10, minutes(10));
  EXPECT_EQ(crossings_, 0);
}

TEST_F(BandTest, ASpikeIsNothing) {
  show(50, minutes(1));
  show(100, seconds(10));
  show(50, minutes(10));
  EXPECT_EQ(crossings_, 0);
}

TEST_F(BandTest, SpikesThatEachEndBeforeTheHoldTimeAreNothing) {
  for (int i = 0; i < 20; ++i) {
    show(100, seconds(50));
    show(50, seconds(10));
  }
  EXPECT_EQ(crossings_, 0);
}

TEST_F(BandTest, WhatHoldsIsSaidOnceWithHowLongItHeld) {
  const auto crossing = show(80, minutes(10));
  ASSERT_TRUE(crossing);
  EXPECT_EQ(crossings_, 1);
  EXPECT_EQ(crossing->to, Side::kAbove);
  EXPECT_EQ(crossing->held, minutes(1));
  EXPECT_EQ(crossing->threshold, 75);
  EXPECT_EQ(crossing->release, 67.5);
}

TEST_F(BandTest, UsageThatTremblesAtTheEdgeIsSaidOnce) {
  show(80, minutes(2));
  for (int i = 0; i < 50; ++i) {
    show(70, minutes(1));  // below the edge, and not below the release
    show(80, minutes(1));
  }
  EXPECT_EQ(crossings_, 1);
}

TEST_F(BandTest, TheWayBackHasToHoldAsWell) {
  show(80, minutes(2));
  show(30, seconds(30));
  show(80, minutes(2));
  EXPECT_EQ(crossings_, 1);
  const auto back = show(30, minutes(2));
  ASSERT_TRUE(back);
  EXPECT_EQ(crossings_, 2);
  EXPECT_EQ(back->from, Side::kAbove);
  EXPECT_EQ(back->to, Side::kInside);
}

TEST_F(BandTest, FromOneSideToTheOtherItComesBackFirst) {
  show(80, minutes(2));
  show(0, seconds(70));
  EXPECT_EQ(band_.side(), Side::kInside);
  const auto below = show(0, minutes(2));
  ASSERT_TRUE(below);
  EXPECT_EQ(below->to, Side::kBelow);
  EXPECT_EQ(below->release, 11);
  EXPECT_EQ(crossings_, 3);
}

TEST_F(BandTest, WhatIsUnknownBreaksTheHold) {
  show(80, seconds(50));
  band_.lose();
  show(80, seconds(50));
  EXPECT_EQ(crossings_, 0);
}

TEST_F(BandTest, WithoutEdgesNothingIsCrossed) {
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(band_.see({}, kPolicy, minutes(i), i % 2 == 0 ? 0 : 1e9));
}

}  // namespace
}  // namespace rackline::series
