// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "plan/search.h"
#include "plan/state.h"
#include "plan_support.h"

namespace rackline::plan {
namespace {

using namespace test;
using Kind = Obstacle::Kind;

TEST(PlanState, ScoreIsZeroWhenAllBinsAreLoadedAlike) {
  Model model(memory_and_cpu());
  for (int bin = 0; bin < 3; ++bin) model.add_bin(supply(100, 1000), BinState::kOpen, bin);
  for (int bin = 0; bin < 3; ++bin) model.add_item(item(40, 500, bin));
  EXPECT_DOUBLE_EQ(State(model).score(), 0);
}

TEST(PlanState, ScoreIsTheCoefficientOfVariationAndTheOverload) {
  Model model(memory_and_cpu());
  model.add_bin(supply(100, 1000), BinState::kOpen, 0);
  model.add_bin(supply(100, 1000), BinState::kOpen, 1);
  model.add_item(item(0, 800, 0));
  model.add_item(item(0, 200, 1));
  // Mean 0.5, deviation 0.3, half the weight; 0.05 above three quarters, twice.
  EXPECT_NEAR(State(model).score(), 0.5 * 0.3 / 0.5 + 2 * 0.05, 1e-12);
}

TEST(PlanState, ALargeBinCountsForItsSize) {
  Model model(memory_and_cpu());
  model.add_bin(supply(100, 3000), BinState::kOpen, 0);
  model.add_bin(supply(100, 1000), BinState::kOpen, 1);
  model.add_item(item(0, 1500, 0));
  model.add_item(item(0, 500, 1));
  EXPECT_NEAR(State(model).score(), 0, 1e-12) << "half of each is even";
}

TEST(PlanState, IdleNoiseIsNoImbalance) {
  Model model(memory_and_cpu());
  model.add_bin(supply(100, 100000), BinState::kOpen, 0);
  model.add_bin(supply(100, 100000), BinState::kOpen, 1);
  model.add_item(item(0, 3000, 0));
  model.add_item(item(0, 1000, 1));
  EXPECT_LT(State(model).score(), 0.025)
      << "3% beside 1%: the ratio of deviation and mean alone would be 0.25";
}

TEST(PlanState, WhatAMoveWouldScoreIsWhatItScores) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const Model model = random_model(seed);
    State state(model);
    std::mt19937_64 random(seed);
    for (int i = 0; i < 300; ++i) {
      const int one = below(random, model.items());
      const int other = below(random, model.items());
      const int bin = below(random, model.bins());
      const double shift = state.score_with_shift(one, bin);
      const double swap = state.score_with_swap(one, other);
      State shifted = state;
      shifted.move(one, bin);
      EXPECT_NEAR(shifted.score(), shift, 1e-7);
      if (state.where(one) != state.where(other)) {
        State swapped = state;
        swapped.move(one, state.where(other));
        swapped.move(other, state.where(one));
        EXPECT_NEAR(swapped.score(), swap, 1e-7);
      }
      state.move(one, bin);
    }
  }
}

TEST(PlanState, NothingScoresBelowTheLowerBound) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Model model = random_model(seed);
    State state(model);
    const double bound = lower_bound(state);
    std::mt19937_64 random(seed);
    for (int i = 0; i < 200; ++i) {
      const int item = below(random, model.items());
      const int bin = below(random, model.bins());
      if (model.frozen(item) || model.state(state.where(item)) != BinState::kOpen ||
          model.state(bin) != BinState::kOpen) {
        continue;
      }
      state.move(item, bin);
      ASSERT_GE(state.score(), bound - 1e-9) << "seed " << seed;
    }
  }
}

TEST(PlanState, TheLowerBoundIsReachedWhereLoadDividesEvenly) {
  Model model(memory_and_cpu());
  for (int bin = 0; bin < 4; ++bin) model.add_bin(supply(100, 1000), BinState::kOpen, bin);
  for (int i = 0; i < 16; ++i) model.add_item(item(5, 100, i % 2));
  State state(model);
  EXPECT_GT(state.score(), 0.2);
  EXPECT_NEAR(lower_bound(state), 0, 1e-9);
}

TEST(PlanState, AnItemOnItsWayCountsOnBothBins) {
  Model model(memory_and_cpu());
  model.add_bin(supply(10, 1000), BinState::kOpen, 0);
  model.add_bin(supply(10, 1000), BinState::kOpen, 1);
  model.add_group({"apart", 1, 0});
  model.add_item(item(6, 10, 0, {0}));
  model.add_item(item(6, 10, kNowhere));
  model.add_item(item(1, 10, kNowhere, {0}));
  State state(model);
  state.depart(0, 1);
  EXPECT_EQ(state.used(0, 0), 6);
  EXPECT_EQ(state.used(1, 0), 6);
  EXPECT_EQ(state.obstacle(1, 0).kind, Kind::kCapacity) << "the source is not free yet";
  EXPECT_EQ(state.obstacle(1, 1).kind, Kind::kCapacity) << "the target is promised";
  EXPECT_EQ(state.obstacle(1, 1).missing, 2);
  EXPECT_EQ(state.obstacle(2, 0).kind, Kind::kGroupBin);
  EXPECT_EQ(state.obstacle(2, 1).kind, Kind::kGroupBin);
  State back = state;
  back.recall(0);
  EXPECT_TRUE(back.admits(1, 1));
  EXPECT_TRUE(back.admits(2, 1));
  state.arrive(0);
  EXPECT_TRUE(state.admits(1, 0));
  EXPECT_TRUE(state.admits(2, 0));
  EXPECT_FALSE(state.admits(2, 1));
}

TEST(PlanState, AMemberMayMoveWithinItsOwnFailureDomain) {
  Model model(memory_and_cpu());
  model.add_bin(supply(10, 1000), BinState::kOpen, 0);
  model.add_bin(supply(10, 1000), BinState::kOpen, 0);
  model.add_bin(supply(10, 1000), BinState::kOpen, 1);
  model.add_group({"spread", 0, 1});
  model.add_item(item(1, 10, 0, {0}));
  model.add_item(item(1, 10, 2, {0}));
  const State state(model);
  EXPECT_TRUE(state.admits(0, 1));
  EXPECT_EQ(state.obstacle(0, 2).kind, Kind::kGroupDomain);
  EXPECT_EQ(state.obstacle(1, 1).kind, Kind::kGroupDomain);
}

TEST(PlanState, ReserveAndOvercommitMakeTheCapacity) {
  Model model(memory_and_cpu());
  auto supplies = supply(100, 1000, 2);
  supplies[0].reserve = 30;
  model.add_bin(supplies, BinState::kOpen, 0);
  EXPECT_EQ(model.capacity(0, 0), 70);
  EXPECT_EQ(model.capacity(0, 1), 2000);
}

TEST(PlanState, SpareIsMissingWhereAFailedBinWouldNotFit) {
  Model model(memory_and_cpu());
  for (int bin = 0; bin < 3; ++bin) model.add_bin(supply(10, 1000), BinState::kOpen, bin);
  model.add_item(item(6, 10, 0));
  model.add_item(item(4, 10, 1));
  State state(model);
  EXPECT_EQ(state.bins_without_spare(), 0);
  model.add_item(item(7, 10, 2));
  EXPECT_EQ(State(model).bins_without_spare(), 1) << "7 has no place beside 6 or 4; those have one";
}

}  // namespace
}  // namespace rackline::plan
