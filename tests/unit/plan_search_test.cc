// SPDX-License-Identifier: Apache-2.0
#include "plan/order.h"
#include "plan/search.h"
#include "plan_support.h"

namespace rackline::plan {
namespace {

using namespace test;

std::vector<int> placement(const State& state) {
  std::vector<int> where;
  for (int item = 0; item < state.model().items(); ++item) where.push_back(state.where(item));
  return where;
}

// The same cluster, started from another placement.
Model restarted(const Model& model, const std::vector<int>& where) {
  Model next({model.resource(0), model.resource(1)});
  for (int bin = 0; bin < model.bins(); ++bin) {
    next.add_bin({model.supply(bin, 0), model.supply(bin, 1)}, model.state(bin), model.domain(bin));
  }
  for (int g = 0; g < model.groups(); ++g) next.add_group(model.group(g));
  std::vector<bool> allowed(at(model.bins()));
  for (int bin = 0; bin < model.bins(); ++bin) allowed[at(bin)] = model.allows(1, bin);
  next.add_class(allowed);
  for (int i = 0; i < model.items(); ++i) {
    Item made;
    made.demands = {model.demand(i, 0), model.demand(i, 1)};
    made.start = where[at(i)];
    made.item_class = model.item_class(i);
    made.groups.assign(model.group_list().begin() + model.group_begin(i),
                       model.group_list().begin() + model.group_begin(i + 1));
    made.frozen = model.frozen(i);
    made.move_cost = model.move_cost(i);
    next.add_item(made);
  }
  return next;
}

TEST(PlanSearch, EveryStepIsAllowedWhenItIsTaken) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Model model = random_model(seed);
    State state(model);
    auto steps = repair(state, {}).steps;
    const auto more = improve(state, {});
    steps.insert(steps.end(), more.begin(), more.end());
    State played(model);
    for (const Step& step : steps) {
      ASSERT_EQ(played.where(step.item), step.from);
      ASSERT_TRUE(played.admits(step.item, step.to)) << "seed " << seed;
      played.move(step.item, step.to);
    }
    EXPECT_EQ(placement(played), placement(state));
    const Schedule schedule = stage(model, steps, {}, false);
    EXPECT_TRUE(schedule.blocked.empty()) << "the search's own order always works, seed " << seed;
    Referee referee(model, {});
    referee.play(schedule.moves);
    EXPECT_EQ(referee.where(), placement(state));
  }
}

TEST(PlanSearch, NothingIsLeftToDoOnTheResult) {
  int moved = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Model model = random_model(seed);
    State state(model);
    std::size_t steps = 0;
    for (bool progress = true; progress;) {
      const std::size_t now = repair(state, {}).steps.size() + improve(state, {}).size();
      steps += now;
      progress = now > 0;
    }
    moved += steps > 0 ? 1 : 0;
    const Model after = restarted(model, placement(state));
    State again(after);
    EXPECT_TRUE(repair(again, {}).steps.empty()) << "seed " << seed;
    EXPECT_TRUE(improve(again, {}).empty()) << "seed " << seed;
  }
  EXPECT_GT(moved, 150) << "or the test shows nothing";
}

TEST(PlanSearch, RepairLeavesNoMoreViolationsAndImproveAddsNone) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Model model = random_model(seed);
    State state(model);
    const std::size_t before = state.violations().size();
    repair(state, {});
    const std::size_t mended = state.violations().size();
    EXPECT_LE(mended, before);
    improve(state, {});
    EXPECT_LE(state.violations().size(), mended) << "seed " << seed;
  }
}

TEST(PlanSearch, MovesEarnTheirCost) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const Model model = random_model(seed, 0.01);
    State state(model);
    const double before = state.score();
    improve(state, {});
    int moved = 0;
    for (int i = 0; i < model.items(); ++i) moved += state.where(i) != model.start(i) ? 1 : 0;
    EXPECT_GE(before - state.score(), 0.01 * moved - 1e-9) << "seed " << seed;
    EXPECT_GE(state.score(), lower_bound(state) - 1e-9);
  }
}

TEST(PlanSearch, MaxMovesIsKept) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const Model model = random_model(seed);
    State state(model);
    SearchLimits limits;
    limits.max_moves = 2;
    repair(state, limits);
    improve(state, limits);
    int moved = 0;
    for (int i = 0; i < model.items(); ++i) moved += state.where(i) != model.start(i) ? 1 : 0;
    EXPECT_LE(moved, 2) << "seed " << seed;
  }
}

TEST(PlanSearch, TheSameSeedGivesTheSamePlan) {
  for (std::uint64_t seed = 0; seed <= 20; ++seed) {
    const Model model = random_model(7);
    SearchLimits limits;
    limits.seed = seed;
    State one(model);
    State other(model);
    improve(one, limits);
    improve(other, limits);
    EXPECT_EQ(placement(one), placement(other));
  }
}

TEST(PlanSearch, ExchangesWhatNoShiftCanImprove) {
  // Both bins are full, one busy and one idle: only pairs help, and they go round through the third.
  Model model(memory_and_cpu());
  model.add_bin(supply(20, 10000), BinState::kOpen, 0);
  model.add_bin(supply(20, 10000), BinState::kOpen, 1);
  model.add_bin(supply(12, 10, 10000), BinState::kOpen, 2);  // room to pass through, no CPU to stay
  for (int i = 0; i < 2; ++i) model.add_item(item(10, 4500, 0));
  for (int i = 0; i < 2; ++i) model.add_item(item(10, 100, 1));
  State state(model);
  SearchLimits limits;
  limits.keep_spare = false;
  const auto steps = improve(state, limits);
  EXPECT_NEAR(state.share(0, 1), state.share(1, 1), 1e-9);
  EXPECT_TRUE(stage(model, steps, {}, false).blocked.empty());
}

TEST(PlanSearch, MakesRoomForWhatFitsNowhere) {
  // 6 has to leave bin 0; bins 1 and 2 have 5 free each, and only a smaller one going aside helps.
  Model model(memory_and_cpu());
  model.add_bin(supply(10, 10000), BinState::kLeaving, 0);
  model.add_bin(supply(10, 10000), BinState::kOpen, 1);
  model.add_bin(supply(10, 10000), BinState::kOpen, 2);
  model.add_item(item(6, 100, 0));
  for (const int bin : {1, 2}) {
    model.add_item(item(2, 100, bin));
    model.add_item(item(3, 100, bin));
  }
  State state(model);
  SearchLimits limits;
  limits.keep_spare = false;
  const Repaired repaired = repair(state, limits);
  EXPECT_TRUE(repaired.stuck.empty());
  ASSERT_EQ(repaired.steps.size(), 2u);
  EXPECT_EQ(repaired.steps[0].why, Step::Why::kRoom);
  EXPECT_EQ(repaired.steps[0].because, 0);
  EXPECT_EQ(model.demand(repaired.steps[0].item, 0).peak, 2) << "the smallest that will do";
}

TEST(PlanSearch, NoMoveTakesTheSpareAway) {
  // Balance would put the item of 4 beside the 5: then neither of the two largest would have a place any
  // more.
  Model model(memory_and_cpu());
  for (int bin = 0; bin < 3; ++bin) model.add_bin(supply(10, 10000), BinState::kOpen, bin);
  model.add_item(item(5, 5000, 0));
  model.add_item(item(4, 4500, 0));
  model.add_item(item(5, 0, 1));
  ASSERT_EQ(State(model).bins_without_spare(), 0);
  for (const bool keep : {true, false}) {
    State state(model);
    SearchLimits limits;
    limits.keep_spare = keep;
    improve(state, limits);
    if (keep) {
      EXPECT_EQ(state.bins_without_spare(), 0);
    }
    EXPECT_LT(state.score(), State(model).score());
  }
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    const Model random = random_model(seed);
    State state(random);
    const int before = state.bins_without_spare();
    auto steps = repair(state, {}).steps;
    const auto more = improve(state, {});
    steps.insert(steps.end(), more.begin(), more.end());
    State played(random);
    for (const Step& step : steps) {
      played.depart(step.item, step.to);
      ASSERT_LE(played.bins_without_spare(), before) << "on the way, seed " << seed;
      played.arrive(step.item);
      ASSERT_LE(played.bins_without_spare(), before) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace rackline::plan
