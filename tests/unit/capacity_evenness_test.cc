// SPDX-License-Identifier: Apache-2.0
// The score of hbal, and what lowers it. The scores of saved clusters are those which hbal 3.0.2 prints.
#include <gtest/gtest.h>

#include "base/error.h"
#include "capacity/evenness.h"
#include "capacity/planner.h"
#include "capacity/weights.h"
#include "plan_support.h"

namespace rackline::capacity {
namespace {

using namespace plan::test;

constexpr plan::Amount kMiB = plan::Amount{1} << 20;

// Hosts of so much memory and so many CPUs; servers are {host, memory, CPUs}.
struct Server {
  int host;
  plan::Amount memory;
  plan::Amount vcpus;
};
plan::Model cluster(int hosts, plan::Amount memory, plan::Amount cpus, const std::vector<Server>& servers) {
  plan::Model model({{.name = "memory", .transient = true, .spare = true}, {.name = "cpu"}});
  for (int host = 0; host < hosts; ++host) {
    std::vector<plan::Supply> supplies(2);
    supplies[0].size = memory * kMiB;
    supplies[1].size = cpus * 1000;
    supplies[1].overcommit = 8;
    model.add_bin(supplies, plan::BinState::kOpen, host);
  }
  for (const Server& server : servers) {
    plan::Item item;
    item.demands = {{server.memory * kMiB, server.memory * kMiB}, {server.vcpus * 1000, 0}};
    item.start = server.host;
    model.add_item(item);
  }
  return model;
}

std::vector<bool> unmeasured(const plan::Model& model) {
  return std::vector<bool>(static_cast<std::size_t>(model.items()), false);
}

int moves(const plan::State& state) {
  int count = 0;
  for (int item = 0; item < state.model().items(); ++item)
    count += state.where(item) != state.model().start(item);
  return count;
}

TEST(Evenness, ScoresAsHbalDoes) {
  const plan::Model model =
      cluster(3, 91552, 16, {{0, 128, 1}, {1, 128, 1}, {1, 128, 1}, {2, 128, 1}, {2, 128, 1}});
  EXPECT_NEAR(Evenness(model, {}, unmeasured(model)).of(plan::State(model)), 1.91573994, 1e-8);
}

TEST(Evenness, FindsTheTwoMovesThatHbalFinds) {
  const plan::Model model = cluster(4, 4096, 4,
                                    {{0, 1000, 1},
                                     {1, 1000, 1},
                                     {1, 1000, 1},
                                     {1, 1000, 1},
                                     {2, 3000, 3},
                                     {3, 1000, 1},
                                     {3, 1000, 1},
                                     {3, 1000, 1}});
  plan::State state(model);
  const Evenness evenness(model, {}, unmeasured(model));
  EXPECT_NEAR(evenness.of(state), 4.42793833, 1e-8);
  even_out(state, evenness, {.keep_spare = false});
  EXPECT_NEAR(evenness.of(state), 0.42793833, 1e-8);
  EXPECT_EQ(moves(state), 2);
}

TEST(Evenness, KeepsSpareWhichHbalDoesNot) {
  // What hbal does here leaves no place for the server of 3000 if its host fails.
  const plan::Model model = cluster(4, 4096, 4,
                                    {{0, 1000, 1},
                                     {1, 1000, 1},
                                     {1, 1000, 1},
                                     {1, 1000, 1},
                                     {2, 3000, 3},
                                     {3, 1000, 1},
                                     {3, 1000, 1},
                                     {3, 1000, 1}});
  plan::State state(model);
  ASSERT_EQ(state.bins_without_spare(), 0);
  even_out(state, Evenness(model, {}, unmeasured(model)), {});
  EXPECT_EQ(state.bins_without_spare(), 0);
}

TEST(Evenness, OnRandomClustersRulesHoldItNeverGetsWorseAndTwiceGivesNothing) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const plan::Model model = random_model(seed);
    plan::State state(model);
    const std::size_t broken = state.violations().size();
    const Evenness evenness(model, {}, unmeasured(model));
    const EvenLimits limits{.keep_spare = seed % 2 == 0, .least_gain = 0.01};
    const double before = evenness.of(state);
    const int without_spare = state.bins_without_spare();
    even_out(state, evenness, limits);
    EXPECT_LE(evenness.of(state), before - 0.01 * moves(state) + 1e-6) << seed;
    EXPECT_LE(state.violations().size(), broken) << seed;
    if (limits.keep_spare) {
      EXPECT_LE(state.bins_without_spare(), without_spare) << seed;
    }
    for (int item = 0; item < model.items(); ++item) {
      if (state.where(item) == model.start(item)) continue;
      EXPECT_FALSE(model.frozen(item)) << seed;
      EXPECT_EQ(model.state(state.where(item)), plan::BinState::kOpen) << seed;
    }
    const double after = evenness.of(state);
    plan::State again = state;
    even_out(again, evenness, limits);
    EXPECT_NEAR(evenness.of(again), after, 1e-9) << seed;
  }
}

TEST(Evenness, NoMoreMovesThanAllowedAndMoreOfThemAreNoWorse) {
  std::mt19937_64 random(7);
  std::vector<Server> servers;
  for (int i = 0; i < 120; ++i) {
    servers.push_back(
        {std::min(below(random, 8), below(random, 8)), 512 << below(random, 4), 1 + below(random, 3)});
  }
  const plan::Model model = cluster(8, 131072, 32, servers);
  double last = Evenness(model, {}, unmeasured(model)).of(plan::State(model));
  for (const int most : {1, 5, 10, 20, 40}) {
    plan::State state(model);
    const Evenness evenness(model, {}, unmeasured(model));
    even_out(state, evenness, {.max_moves = most, .keep_spare = false, .least_gain = 0.01});
    EXPECT_LE(moves(state), most);
    EXPECT_LE(evenness.of(state), last);
    last = evenness.of(state);
  }
}

// --- in the planner ---

record::HostSample host(const std::string& name, bool drained = false) {
  record::HostSample host;
  host.host = name;
  host.state = "up";
  host.cpus = 16;
  host.memory_bytes = 65536 * kMiB;
  host.drained = drained;
  return host;
}

Plan planned(const std::vector<record::HostSample>& hosts, const std::vector<std::string>& where,
             Policy policy) {
  policy.objective = Objective::kGaneti;
  policy.force = true;
  Planner planner(policy);
  for (const auto& h : hosts) {
    planner.round().host_slot() = h;
    planner.round().keep_host();
  }
  for (std::size_t i = 0; i < where.size(); ++i) {
    record::VmSample& vm = planner.round().vm_slot();
    vm.vm = "v" + std::to_string(i);
    vm.host = where[i];
    vm.state = "running";
    vm.vcpus = 1;
    vm.memory_bytes = 1024 * kMiB;
    planner.round().keep_vm();
  }
  planner.close({});
  return planner.balance();
}

TEST(Evenness, LoadsNeedNotBeKnown) {
  const Plan plan = planned({host("h1"), host("h2")}, {"h1", "h1", "h1", "h1"}, {});
  EXPECT_EQ(plan.moves.size(), 2U);
  EXPECT_GT(plan.score_before, plan.score_after);
  EXPECT_NEAR(plan.score_after, 0, 1e-9);
}

TEST(Evenness, DrainedHostsAreEmptied) {
  const Plan plan = planned({host("h1", true), host("h2"), host("h3")}, {"h1", "h1", "h2", "h3"}, {});
  ASSERT_EQ(plan.moves.size(), 2U);
  for (const auto& move : plan.moves) {
    EXPECT_EQ(move.from, "h1");
    EXPECT_EQ(move.reason, "h1 is drained");
  }
}

TEST(Weights, AreSetForTheObjectiveAndNonsenseIsRefused) {
  Policy policy;
  set_weights(policy, "cpu=1,memory=0.25");
  EXPECT_DOUBLE_EQ(policy.load_weights.cpu, 1);
  EXPECT_DOUBLE_EQ(policy.load_weights.memory, 0.25);
  EXPECT_DOUBLE_EQ(policy.load_weights.overload, 2);
  set_weights(policy, "");
  for (const char* bad :
       {"vcpus=1", "cpu", "cpu=", "cpu=-1", "cpu=nan", "cpu=inf", "cpu=1x", "=1", "cpu=1,,"}) {
    EXPECT_THROW(set_weights(policy, bad), Error) << bad;
  }
  policy.objective = Objective::kGaneti;
  set_weights(policy, "vcpus=2,servers=0");
  EXPECT_DOUBLE_EQ(policy.even_weights.vcpus, 2);
  EXPECT_DOUBLE_EQ(policy.even_weights.servers, 0);
  EXPECT_THROW(set_weights(policy, "overload=1"), Error);
}

}  // namespace
}  // namespace rackline::capacity
