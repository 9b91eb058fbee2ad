// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "plan/reassign.h"
#include "plan/search.h"
#include "plan_support.h"
#include "roadef/checker.h"
#include "roadef/generator.h"

namespace rackline::plan {
namespace {

using namespace test;
using bench::check;
using bench::Generated;
using bench::Instance;

Generated small(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  bench::Shape shape;
  shape.machines = 2 + below(random, 8);
  shape.processes = 5 + below(random, 60);
  shape.resources = 1 + below(random, 12);
  shape.transients = below(random, shape.resources + 1);
  shape.services = std::max(1, shape.processes / (1 + below(random, 4)));
  shape.locations = 1 + below(random, shape.machines);
  shape.neighbourhoods = 1 + below(random, shape.machines);
  shape.dependencies = below(random, shape.services);
  shape.balances = below(random, 3);
  shape.fullness = 0.5 + 0.1 * below(random, 5);
  return bench::generate(shape, seed);
}

// A search of so many trials at most, the same on every machine.
Reassigned search(const Model& model, std::uint64_t seed, int looks) {
  ReassignLimits limits;
  limits.seed = seed;
  int look = 0;
  limits.elapsed = [&look, looks] { return static_cast<double>(look++) / looks; };
  return reassign(model, limits);
}

TEST(PlanReassign, ResultsAreValidNeverWorseAndCostWhatTheCheckerSays) {
  int better = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Generated made = small(seed);
    ASSERT_TRUE(check(made.instance, made.initial, made.initial).valid()) << "the generator, seed " << seed;
    const Model model = to_model(made.instance, made.initial);
    const Reassigned found = search(model, seed, 5);
    const auto verdict = check(made.instance, made.initial, found.placement);
    EXPECT_TRUE(verdict.valid()) << "seed " << seed << ": " << verdict.broken.front();
    EXPECT_EQ(verdict.cost(), found.cost) << "seed " << seed;
    EXPECT_EQ(check(made.instance, made.initial, made.initial).cost(), found.cost_before);
    EXPECT_LE(found.cost, found.cost_before);
    better += found.cost < found.cost_before ? 1 : 0;
  }
  EXPECT_GT(better, 200) << "or the test shows nothing";
}

TEST(PlanReassign, TheSameSeedGivesTheSameResult) {
  const Generated made = small(11);
  const Model model = to_model(made.instance, made.initial);
  EXPECT_EQ(search(model, 3, 10).placement, search(model, 3, 10).placement);
}

TEST(PlanReassign, AmountsBeyondThirtyTwoBitsAreAddedExactly) {
  Generated made = small(5);
  for (auto& machine : made.instance.machines) {
    for (auto& amount : machine.capacities) amount *= 100000;
    for (auto& amount : machine.safeties) amount *= 100000;
  }
  for (auto& process : made.instance.processes) {
    for (auto& amount : process.requirements) amount *= 100000;
  }
  const Reassigned found = search(to_model(made.instance, made.initial), 1, 5);
  const auto verdict = check(made.instance, made.initial, found.placement);
  EXPECT_TRUE(verdict.valid());
  EXPECT_EQ(verdict.cost(), found.cost);
}

TEST(PlanReassign, RefusesWhatItCannotSearch) {
  Model model(memory_and_cpu());
  model.add_bin(supply(10, 1000), BinState::kOpen, 0);
  EXPECT_THROW(search(model, 1, 1), std::invalid_argument);
}

TEST(PlanReassign, NothingToDoIsNoError) {
  Generated made;
  made.instance.resources = {{false, 10}};
  made.instance.machines = {{0, 0, {5}, {5}}};
  made.instance.distances = {0};
  const Reassigned found = search(to_model(made.instance, {}), 1, 3);
  EXPECT_TRUE(found.placement.empty());
  EXPECT_EQ(found.cost, 0);
}

// The model's State, on the same problem.

TEST(PlanReassign, TheStateCostsWhatTheCheckerSays) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const Generated made = small(seed);
    const Model model = to_model(made.instance, made.initial);
    State state(model);
    std::mt19937_64 random(seed);
    std::vector<int> where = made.initial;
    for (int i = 0; i < 60; ++i) {
      const int item = below(random, model.items());
      const int bin = below(random, model.bins());
      const double expected =
          state.score_with_shift(item, bin) + state.cost_of_moves() + state.cost_rise(item, bin);
      state.move(item, bin);
      where[at(item)] = bin;
      const auto cost = static_cast<double>(check(made.instance, made.initial, where).cost());
      ASSERT_NEAR(state.score() + state.cost_of_moves(), cost, 1e-3) << "seed " << seed;
      ASSERT_NEAR(expected, cost, 1e-3) << "seed " << seed;
    }
  }
}

TEST(PlanReassign, TheStateAdmitsWhatTheCheckerAllows) {
  int allowed = 0;
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    const Generated made = small(seed);
    State state(to_model(made.instance, made.initial));
    const Model model = to_model(made.instance, made.initial);
    State played(model);
    std::mt19937_64 random(seed);
    std::vector<int> where = made.initial;
    for (int i = 0; i < 80; ++i) {
      const int item = below(random, model.items());
      const int bin = below(random, model.bins());
      if (bin == where[at(item)]) continue;
      std::vector<int> then = where;
      then[at(item)] = bin;
      // One move at a time: what is transient is needed where the item is now.
      const bool valid = check(made.instance, where, then).valid();
      ASSERT_EQ(played.admits(item, bin), valid) << "seed " << seed;
      (valid ? allowed : refused) += 1;
      if (!valid) continue;
      played.depart(item, bin);
      played.arrive(item);
      where = then;
      ASSERT_TRUE(played.violations().empty()) << "seed " << seed;
    }
  }
  EXPECT_GT(allowed, 1000);
  EXPECT_GT(refused, 1000);
}

Resource plain(const char* name) {
  Resource resource;
  resource.name = name;
  return resource;
}

// Two neighbourhoods of two bins, each bin a failure domain.
Model four_bins() {
  Model model({plain("room")});
  for (int bin = 0; bin < 4; ++bin) {
    Supply room;
    room.size = 10;
    room.safety = 10;
    model.add_bin({room}, BinState::kOpen, bin, bin / 2);
  }
  return model;
}

Item one(int start, std::vector<int> groups) {
  Item made;
  made.demands = {{1, 1}};
  made.start = start;
  made.groups = std::move(groups);
  return made;
}

TEST(PlanNeeds, WhatIsNeededStaysNear) {
  Model model = four_bins();
  const int web = model.add_group({.name = "web"});
  const int database = model.add_group({.name = "database"});
  model.add_dependency(web, database);
  model.add_item(one(0, {web}));
  model.add_item(one(1, {database}));
  State state(model);
  EXPECT_EQ(state.obstacle(0, 2).kind, Obstacle::Kind::kNeeds);
  EXPECT_EQ(state.obstacle(0, 2).which, database);
  EXPECT_EQ(state.obstacle(1, 2).kind, Obstacle::Kind::kNeeded);
  EXPECT_EQ(state.obstacle(1, 2).which, web);
  EXPECT_TRUE(state.admits(0, 1)) << "within its neighbourhood";
  EXPECT_TRUE(state.admits(1, 0));
}

TEST(PlanNeeds, WhatIsOnItsWayIsNeitherHereNorThereForWhatNeedsIt) {
  Model model = four_bins();
  const int web = model.add_group({.name = "web"});
  const int database = model.add_group({.name = "database"});
  model.add_dependency(web, database);
  model.add_item(one(0, {web}));
  model.add_item(one(0, {database}));
  model.add_item(one(1, {database}));
  State state(model);
  ASSERT_TRUE(state.admits(1, 2)) << "the other one remains";
  state.depart(1, 2);
  EXPECT_EQ(state.obstacle(2, 3).kind, Obstacle::Kind::kNeeded);
  EXPECT_EQ(state.obstacle(0, 2).kind, Obstacle::Kind::kNeeds) << "it is not there yet";
  State back = state;
  back.recall(1);
  EXPECT_TRUE(back.admits(2, 3));
  state.arrive(1);
  EXPECT_TRUE(state.admits(0, 2));
}

TEST(PlanNeeds, ASpreadIsKept) {
  Model model = four_bins();
  const int wide = model.add_group({.name = "wide", .min_domains = 2});
  model.add_item(one(0, {wide}));
  model.add_item(one(1, {wide}));
  const State state(model);
  EXPECT_EQ(state.obstacle(0, 1).kind, Obstacle::Kind::kSpread);
  EXPECT_TRUE(state.admits(0, 2));
}

TEST(PlanNeeds, RepairBringsTogetherWhatIsApartAndSpreadsWhatIsNot) {
  Model model = four_bins();
  const int web = model.add_group({.name = "web"});
  const int database = model.add_group({.name = "database"});
  const int wide = model.add_group({.name = "wide", .min_domains = 2});
  model.add_dependency(web, database);
  Item pinned = one(0, {web});
  pinned.frozen = true;
  model.add_item(pinned);  // so the database has to come
  model.add_item(one(2, {database}));
  model.add_item(one(3, {wide}));
  model.add_item(one(3, {wide}));
  State state(model);
  ASSERT_EQ(state.violations().size(), 2u);
  const Repaired repaired = repair(state, {});
  EXPECT_TRUE(repaired.stuck.empty());
  EXPECT_TRUE(state.violations().empty());
  EXPECT_EQ(repaired.steps.size(), 2u);
  EXPECT_LT(state.where(1), 2);
}

TEST(PlanNeeds, RepairGivesUpWhatCannotBe) {
  Model model = four_bins();
  const int web = model.add_group({.name = "web"});
  const int database = model.add_group({.name = "database"});
  model.add_dependency(web, database);
  model.add_item(one(0, {web}));
  State state(model);
  EXPECT_EQ(repair(state, {}).stuck.size(), 1u) << "there is no database anywhere";
}

}  // namespace
}  // namespace rackline::plan
