// SPDX-License-Identifier: Apache-2.0
#include "plan/order.h"
#include "plan_support.h"

namespace rackline::plan {
namespace {

using namespace test;

Model bins_of(int count, Amount memory) {
  Model model(memory_and_cpu());
  for (int bin = 0; bin < count; ++bin) model.add_bin(supply(memory, 100000), BinState::kOpen, bin);
  return model;
}

// Another placement that is allowed at its end, whatever the way there.
std::vector<int> random_target(const Model& model, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  State state(model);
  for (int i = 0; i < 4 * model.items(); ++i) {
    const int one = below(random, model.items());
    const int other = below(random, model.items());
    const int here = state.where(one);
    const int there = state.where(other);
    if (const int bin = below(random, model.bins()); state.admits(one, bin)) {
      state.move(one, bin);
    } else if (here != there && model.state(here) == BinState::kOpen &&
               model.state(there) == BinState::kOpen) {
      state.move(one, kNowhere);
      const bool comes = state.admits(other, here);
      if (comes) state.move(other, here);
      const bool goes = comes && state.admits(one, there);
      if (comes && !goes) state.move(other, there);
      state.move(one, goes ? there : here);
    }
  }
  std::vector<int> target;
  for (int item = 0; item < model.items(); ++item) target.push_back(state.where(item));
  return target;
}

TEST(PlanOrder, EveryInstantOfEveryPlanHolds) {
  std::size_t moves = 0;
  std::size_t blocked = 0;
  std::size_t aside = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Model model = random_model(seed);
    const auto target = random_target(model, seed);
    const Caps caps{1 + static_cast<int>(seed % 3), 1 + static_cast<int>(seed / 3 % 3)};
    const Schedule schedule = order(model, target, caps, false);
    Referee referee(model, caps);
    referee.play(schedule.moves);
    std::set<int> left;
    for (const Blocked& b : schedule.blocked) {
      left.insert(b.item);
      EXPECT_NE(b.why.kind, Obstacle::Kind::kNone) << "a reason is given";
    }
    for (int item = 0; item < model.items(); ++item) {
      if (!left.contains(item)) {
        EXPECT_EQ(referee.where()[at(item)], target[at(item)]) << "seed " << seed;
      }
    }
    moves += schedule.moves.size();
    blocked += schedule.blocked.size();
    for (const Move& move : schedule.moves) aside += move.aside ? 1 : 0;
  }
  EXPECT_GT(moves, 1500u);
  EXPECT_GT(aside, 10u);
  EXPECT_LT(blocked, moves / 10);
}

TEST(PlanOrder, IndependentMovesRunSideBySideUpToTheCaps) {
  Model model = bins_of(2, 100);
  std::vector<int> target;
  for (int i = 0; i < 5; ++i) {
    model.add_item(item(1, 1, 0));
    target.push_back(1);
  }
  const Schedule schedule = order(model, target, {.in = 2, .out = 3}, false);
  ASSERT_EQ(schedule.moves.size(), 5u);
  EXPECT_EQ(schedule.moves.back().stage, 3);
  EXPECT_EQ(order(model, target, {.in = 5, .out = 2}, false).moves.back().stage, 3);
  EXPECT_EQ(order(model, target, {.in = 5, .out = 5}, false).moves.back().stage, 1);
}

TEST(PlanOrder, AMoveWaitsForTheMemoryThatAnotherFrees) {
  Model model = bins_of(3, 10);
  model.add_item(item(8, 1, 0));
  model.add_item(item(8, 1, 1));
  const Schedule schedule = order(model, {1, 2}, {}, false);
  ASSERT_EQ(schedule.moves.size(), 2u);
  EXPECT_EQ(schedule.moves[0].item, 1);
  EXPECT_EQ(schedule.moves[0].stage, 1);
  EXPECT_EQ(schedule.moves[1].item, 0);
  EXPECT_EQ(schedule.moves[1].stage, 2);
}

TEST(PlanOrder, ACircleIsBrokenThroughAThirdBin) {
  Model model = bins_of(3, 10);
  model.add_item(item(8, 1, 0));
  model.add_item(item(7, 1, 1));
  model.add_item(item(2, 1, 2));
  const Schedule schedule = order(model, {1, 0, 2}, {}, false);
  EXPECT_TRUE(schedule.blocked.empty());
  ASSERT_EQ(schedule.moves.size(), 3u);
  EXPECT_TRUE(schedule.moves[0].aside);
  EXPECT_EQ(schedule.moves[0].item, 1) << "the smaller one steps aside";
  EXPECT_EQ(schedule.moves[0].to, 2);
  Referee referee(model, {});
  referee.play(schedule.moves);
  EXPECT_EQ(referee.where(), (std::vector<int>{1, 0, 2}));
}

TEST(PlanOrder, ACircleWithoutFreeMemoryIsImpossibleAndSaysWhy) {
  Model model = bins_of(2, 10);
  model.add_item(item(8, 1, 0));
  model.add_item(item(8, 1, 1));
  const Schedule schedule = order(model, {1, 0}, {}, false);
  EXPECT_TRUE(schedule.moves.empty());
  ASSERT_EQ(schedule.blocked.size(), 2u);
  EXPECT_EQ(schedule.blocked[0].why.kind, Obstacle::Kind::kCapacity);
  EXPECT_EQ(schedule.blocked[0].why.missing, 6);
}

TEST(PlanOrder, AntiAffinityHoldsOnTheWay) {
  // Two of a group change places: for an instant they would share a bin, so one has to go round.
  Model model = bins_of(3, 100);
  model.add_group({"apart", 1, 0});
  model.add_item(item(1, 1, 0, {0}));
  model.add_item(item(1, 1, 1, {0}));
  const Schedule schedule = order(model, {1, 0}, {}, false);
  EXPECT_EQ(schedule.moves.size(), 3u);
  Referee referee(model, {});
  referee.play(schedule.moves);
}

TEST(PlanOrder, NoStageTakesTheSpareAway) {
  // Room enough for both moves at once, but while both were under way a failed bin would have no place left.
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    const Model model = random_model(seed);
    const Schedule schedule = order(model, random_target(model, seed), {}, true);
    State state(model);
    const int before = state.bins_without_spare();
    int stage = 1;
    std::vector<int> flying;
    for (const Move& move : schedule.moves) {
      if (move.stage != stage) {
        for (const int item : flying) state.arrive(item);
        flying.clear();
        stage = move.stage;
      }
      state.depart(move.item, move.to);
      flying.push_back(move.item);
      ASSERT_LE(state.bins_without_spare(), before) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace rackline::plan
