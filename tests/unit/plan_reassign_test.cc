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
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
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
  EXPECT_GT(better, 100) << "or the test shows nothing";
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

// The checker, on cases made by hand.

// Two resources, the first transient; two machines of two neighbourhoods and locations; one service of which
// there are two processes, and one that needs it.
Instance by_hand() {
  return bench::parse_instance(
      "2  1 10  0 20  "
      "2  0 0  10 10  5 6  0 3   1 1  10 10  8 8  4 0  "
      "2  1 0   0 1 0  "
      "3  0 4 3 7   0 2 2 5   1 2 1 11  "
      "1  0 1 2 100  "
      "1 1000 10000",
      "by hand");
}

TEST(RoadefChecker, CostsAreThoseOfTheRules) {
  const Instance instance = by_hand();
  // Machine 0 has processes 0 and 2: 6 and 4; machine 1 has process 1: 2 and 2.
  const auto verdict = check(instance, {0, 1, 0}, {0, 1, 0});
  EXPECT_TRUE(verdict.valid());
  EXPECT_EQ(verdict.load_cost, 10 * 1);
  EXPECT_EQ(verdict.balance_cost, 100 * (2 * 4 - 6 + 2 * 8 - 8));
  EXPECT_EQ(verdict.process_cost + verdict.service_cost + verdict.machine_cost, 0);
  const auto exchanged = check(instance, {0, 1, 0}, {1, 0, 0});
  EXPECT_TRUE(exchanged.valid());
  EXPECT_EQ(exchanged.process_cost, 7 + 5);
  EXPECT_EQ(exchanged.service_cost, 1000 * 2);
  EXPECT_EQ(exchanged.machine_cost, 10000 * (3 + 4));
}

TEST(RoadefChecker, EachRuleIsBrokenByItself) {
  const Instance instance = by_hand();
  const std::vector<int> start{0, 1, 0};
  const auto broken = [&](const Instance& of, const std::vector<int>& from, const std::vector<int>& to) {
    const auto verdict = check(of, from, to);
    return verdict.broken.size() == 1 ? verdict.broken.front()
                                      : std::to_string(verdict.broken.size()) + " rules";
  };
  EXPECT_EQ(broken(instance, start, {0, 0, 0}), "two processes of service 0 are on machine 0");
  Instance wide = instance;
  wide.services[0].spread = 3;
  EXPECT_EQ(broken(wide, start, start), "service 0 is in 2 of at least 3 locations");
  Instance heavy = instance;
  heavy.processes[2].requirements[1] = 8;
  EXPECT_EQ(broken(heavy, start, start), "machine 0 needs 11 of resource 1 and has 10");
  // What is transient stays where it was: 5 and 6 of ten, after the exchange of 5 for 6.
  Instance transient = instance;
  transient.processes = {{0, {5, 0}, 0}, {1, {6, 0}, 0}};
  transient.services[1].needs.clear();
  EXPECT_EQ(broken(transient, {0, 1}, {1, 0}).substr(0, 18), "2 rules");
  Instance alone = instance;
  alone.processes.erase(alone.processes.begin() + 1);
  EXPECT_EQ(broken(alone, {0, 0}, {0, 1}), "service 1 is in neighbourhood 1 without service 0");
}

TEST(RoadefInstance, WhatIsBrokenIsRefused) {
  const auto why = [](const std::string& text) -> std::string {
    try {
      bench::parse_instance(text, "m");
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kUsage);
      return error.what();
    }
    return "read";
  };
  EXPECT_EQ(why(""), "read: m, number 1 (count of resources): the file ends here");
  EXPECT_EQ(why("1 0 x"), "read: m, number 3 (load cost weight): no whole number");
  EXPECT_EQ(why("1 2 1"), "read: m, number 2 (transient): 2 is not within 0 to 1");
  EXPECT_EQ(why("2000000000 1"),
            "read: m, number 1 (count of resources): the file is too short for 2000000000");
  const std::string whole = "1 0 1 1 0 0 5 5 0 1 0 0 1 0 5 1 0 1 1 1";
  EXPECT_EQ(why(whole), "read");
  EXPECT_EQ(why(whole + " 1"), "read: m, number 21 (the end): there is more");
  EXPECT_EQ(why("1 0 1 1 0 0 5 5 0 1 0 0 1 7 5 1 0 1 1 1"),
            "read: m, number 14 (service): 7 is not within 0 to 0");
  const Instance instance = bench::parse_instance(whole, "m");
  EXPECT_EQ(bench::parse_assignment("0\n", "a", instance), std::vector<int>{0});
  EXPECT_THROW(bench::parse_assignment("1", "a", instance), Error);
  EXPECT_THROW(bench::parse_assignment("", "a", instance), Error);
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
