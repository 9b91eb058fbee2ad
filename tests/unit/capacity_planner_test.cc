// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "base/error.h"
#include "capacity/planner.h"

namespace rackline::capacity {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kGiB = std::int64_t{1} << 30;
const record::Time kNoon{std::chrono::sys_seconds{1'800'000'000s}};

record::HostSample host(const std::string& name, double cpu_percent, std::int64_t memory = 64 * kGiB) {
  record::HostSample host;
  host.time = kNoon;
  host.host = name;
  host.state = "up";
  host.cpus = 10;
  host.cpu_percent = cpu_percent;
  host.memory_bytes = memory;
  return host;
}

record::VmSample vm(const std::string& name, const std::string& on, double cores,
                    std::int64_t memory = 4 * kGiB) {
  record::VmSample vm;
  vm.time = kNoon;
  vm.vm = name;
  vm.host = on;
  vm.state = "running";
  vm.uuid = "uuid-" + name;
  vm.domain_id = 7;
  vm.vcpus = 2;
  vm.cpu_cores = cores;
  vm.memory_bytes = memory;
  return vm;
}

record::PlacementRule rule(const std::string& word, std::vector<std::string> vms, record::List hosts = {}) {
  record::PlacementRule rule;
  rule.rule = word;
  rule.vms = std::move(vms);
  rule.hosts = std::move(hosts);
  return rule;
}

struct Facts {
  std::vector<record::HostSample> hosts;
  std::vector<record::VmSample> vms;

  void into(Planner& planner, record::Time time = kNoon) const {
    for (const auto& host : hosts) {
      planner.round().host_slot() = host;
      planner.round().host_slot().time = std::max(host.time, time - 60s);
      planner.round().keep_host();
    }
    for (const auto& vm : vms) {
      planner.round().vm_slot() = vm;
      planner.round().keep_vm();
    }
    planner.close(time);
  }

  // What the world looks like once the moves are done.
  void carry_out(const std::vector<record::VmMove>& moves) {
    for (const auto& move : moves) {
      const auto moved = std::find_if(vms.begin(), vms.end(),
                                      [&](const auto& v) { return v.vm == move.vm && v.host == move.from; });
      ASSERT_NE(moved, vms.end()) << move.vm << " is not on " << move.from;
      moved->host = move.to;
      moved->domain_id = *moved->domain_id + 100;
      for (auto& host : hosts) {
        const double share = *moved->cpu_cores / static_cast<double>(host.cpus.value_or(1)) * 100;
        if (host.host == move.from && host.cpu_percent) *host.cpu_percent -= share;
        if (host.host == move.to && host.cpu_percent) *host.cpu_percent += share;
      }
    }
  }
};

// h1 is too busy, the others have room.
Facts busy() {
  Facts facts;
  facts.hosts = {host("h1", 90), host("h2", 20), host("h3", 25)};
  for (int i = 0; i < 9; ++i) facts.vms.push_back(vm("a" + std::to_string(i), "h1", 1));
  for (int i = 0; i < 4; ++i) facts.vms.push_back(vm("b" + std::to_string(i), "h2", 0.5));
  for (int i = 0; i < 5; ++i) facts.vms.push_back(vm("c" + std::to_string(i), "h3", 0.5));
  return facts;
}

Plan balance(const Facts& facts, Policy policy = {}, const std::vector<record::PlacementRule>& rules = {}) {
  Planner planner(policy);
  for (const auto& r : rules) planner.rules().add(r);
  facts.into(planner);
  return planner.balance();
}

Policy forced() {
  Policy policy;
  policy.force = true;
  return policy;
}

// --- thresholds, hold, cooldown: a spike moves nothing, and nothing goes back and forth ---

TEST(CapPlanner, RelievesAHostAboveTheThresholdAndSaysWhy) {
  const Plan plan = balance(busy(), forced());
  ASSERT_FALSE(plan.moves.empty());
  EXPECT_EQ(plan.moves[0].from, "h1");
  EXPECT_TRUE(plan.moves[0].reason.starts_with("h1 cpu 90% > 75%; then h1 cpu ")) << plan.moves[0].reason;
  EXPECT_NE(plan.moves[0].reason.find(", " + plan.moves[0].to + " cpu "), std::string::npos)
      << "the target's load as well: " << plan.moves[0].reason;
  EXPECT_EQ(plan.moves[0].uuid, "uuid-" + plan.moves[0].vm);
  EXPECT_EQ(plan.moves[0].domain_id, 7);
  EXPECT_EQ(plan.moves[0].memory_bytes, 4 * kGiB);
  EXPECT_LT(plan.score_after, plan.score_before);
  EXPECT_GE(plan.score_after, plan.lower_bound);
  EXPECT_DOUBLE_EQ(*plan.moves.front().score_before, plan.score_before);
  EXPECT_DOUBLE_EQ(*plan.moves.back().score_after, plan.score_after);
}

TEST(CapPlanner, BelowTheThresholdNothingMoves) {
  Facts facts = busy();
  facts.hosts[0].cpu_percent = 74;
  const Plan plan = balance(facts, forced());
  EXPECT_TRUE(plan.moves.empty());
  ASSERT_TRUE(plan.none);
  EXPECT_EQ(plan.none->reason, "no host is above 75% cpu or 90% memory");
}

TEST(CapPlanner, ASpikeMovesNothing) {
  Policy policy = forced();
  policy.hold = 3;
  Planner planner(policy);
  const Facts high = busy();
  Facts low = busy();
  low.hosts[0].cpu_percent = 40;
  record::Time time = kNoon;
  for (const Facts* round : std::vector<const Facts*>{&high, &high, &low, &high, &high}) {
    round->into(planner, time += 10s);
    const Plan plan = planner.balance();
    EXPECT_TRUE(plan.moves.empty());
    EXPECT_EQ(planner.check().balanced, true);
  }
  EXPECT_NE(planner.balance().none->reason.find("2 of 3 rounds"), std::string::npos);
  high.into(planner, time += 10s);
  EXPECT_FALSE(planner.check().balanced);
  EXPECT_FALSE(planner.balance().moves.empty()) << "the third round on end";
}

TEST(CapPlanner, AHostThatSpikesIsNeitherRelievedNorATargetBesideOneThatIsHeld) {
  Policy policy = forced();
  policy.hold = 2;
  Planner planner(policy);
  Facts facts = busy();
  facts.into(planner, kNoon);
  planner.balance();
  facts.hosts[1].cpu_percent = 80;
  facts.into(planner, kNoon + 10s);
  const Plan plan = planner.balance();
  ASSERT_FALSE(plan.moves.empty());
  for (const auto& move : plan.moves) {
    EXPECT_NE(move.from, "h2");
    EXPECT_NE(move.to, "h2");
  }
}

TEST(CapPlanner, PlanningAgainOnTheResultGivesAnEmptyPlan) {
  int planned = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    const auto below = [&](int limit) {
      return static_cast<int>(random() % static_cast<std::uint64_t>(limit));
    };
    Facts facts;
    const int hosts = 2 + below(6);
    std::vector<double> load(static_cast<std::size_t>(hosts), 0.3);
    std::vector<std::string> names;
    const int vms = 5 + below(30);
    for (int i = 0; i < vms; ++i) {
      const int on = std::min(below(hosts), below(hosts));
      names.push_back("v" + std::to_string(i));
      const double cores = below(1500) / 1000.0;
      load[static_cast<std::size_t>(on)] += cores;
      facts.vms.push_back(vm(names.back(), "h" + std::to_string(on), cores, kGiB * (1 + below(6))));
      if (below(5) == 0) facts.vms.back().anti_affinity = "g" + std::to_string(below(3));
    }
    for (int h = 0; h < hosts; ++h) {
      facts.hosts.push_back(host("h" + std::to_string(h), load[static_cast<std::size_t>(h)] * 10, 48 * kGiB));
      facts.hosts.back().failure_domain = "rack" + std::to_string(h % 3);
      facts.hosts.back().drained = below(8) == 0;
    }
    const std::vector<record::PlacementRule> rules = {
        rule("spread", {names[0], names[1]}), rule("exclude", {names[2]}, std::vector<std::string>{"h0"}),
        rule("pin", {names[3]}, std::vector<std::string>{"h0", "h1"})};
    const Plan plan = balance(facts, forced(), rules);
    planned += plan.moves.empty() ? 0 : 1;
    facts.carry_out(plan.moves);
    const Plan again = balance(facts, forced(), rules);
    EXPECT_TRUE(again.moves.empty()) << "seed " << seed << ": " << again.moves.size() << " more after "
                                     << plan.moves.size();
    EXPECT_TRUE(again.none);
  }
  EXPECT_GT(planned, 100) << "or the test shows nothing";
}

TEST(CapPlanner, AMoveThatGainsLessThanTheMarginIsNotMade) {
  Policy policy = forced();
  policy.imbalance = 0.01;
  policy.margin = 0;
  const std::size_t all = balance(busy(), policy).moves.size();
  policy.margin = 0.5;
  EXPECT_LT(balance(busy(), policy).moves.size(), all) << "only those that are worth it";
  policy.imbalance = Policy().imbalance;
  policy.margin = 3;
  const Plan plan = balance(busy(), policy);
  EXPECT_TRUE(plan.moves.empty());
  ASSERT_TRUE(plan.none);
  EXPECT_EQ(plan.none->reason, "h1 cpu 90% > 75%: no move is allowed and lowers the score enough");
}

TEST(CapPlanner, WhatHasMovedLatelyStays) {
  Facts facts = busy();
  Planner planner(forced());
  for (int i = 0; i < 9; ++i) {
    record::VmMoved moved;
    moved.vm = "a" + std::to_string(i);
    moved.outcome = "done";
    moved.time = kNoon - 29min;
    planner.history().add(moved);
  }
  facts.into(planner);
  for (const auto& move : planner.balance().moves) EXPECT_NE(move.vm[0], 'a');
  facts.into(planner, kNoon + 2min);
  const Plan later = planner.balance();
  EXPECT_TRUE(
      std::any_of(later.moves.begin(), later.moves.end(), [](const auto& m) { return m.vm[0] == 'a'; }));
}

TEST(CapPlanner, DryRunsAndRefusalsAreNoMoves) {
  Planner planner(forced());
  for (int i = 0; i < 9; ++i) {
    record::VmMoved moved;
    moved.vm = "a" + std::to_string(i);
    moved.time = kNoon - 1min;
    moved.outcome = i % 2 == 0 ? "refused" : "done";
    moved.planned = i % 2 != 0;
    planner.history().add(moved);
  }
  busy().into(planner);
  EXPECT_FALSE(planner.balance().moves.empty());
}

TEST(CapPlanner, NothingGoesBackWithinTheCooldown) {
  // The load follows the virtual servers around: each round the host that got them is the busy one.
  Planner planner(forced());
  Facts facts = busy();
  std::map<std::string, std::set<std::string>> left;
  record::Time time = kNoon;
  for (int round = 0; round < 20; ++round) {
    facts.into(planner, time += 60s);
    const Plan plan = planner.balance();
    for (const auto& move : plan.moves) {
      EXPECT_FALSE(left[move.vm].contains(move.to)) << move.vm << " goes back to " << move.to;
      left[move.vm].insert(move.from);
    }
    facts.carry_out(plan.moves);
    for (auto& h : facts.hosts) h.cpu_percent = 20;
    facts.hosts[static_cast<std::size_t>(round % 3)].cpu_percent = 95;
  }
}

TEST(CapPlanner, ThereIsNoSecondPlanWhileTheFirstIsUnderWay) {
  Planner planner(forced());
  Facts facts = busy();
  facts.into(planner, kNoon);
  const Plan plan = planner.balance();
  ASSERT_FALSE(plan.moves.empty());
  facts.hosts[1].cpu_percent = 85;  // something else becomes busy meanwhile
  facts.into(planner, kNoon + 10s);
  const Plan meanwhile = planner.balance();
  EXPECT_TRUE(meanwhile.moves.empty());
  ASSERT_TRUE(meanwhile.none);
  EXPECT_NE(meanwhile.none->reason.find("is not seen on"), std::string::npos);
}

// --- what is not known means less, never more ---

TEST(CapPlanner, AHostOfWhichTooLittleIsKnownTakesNoPart) {
  const auto without = [](void (*spoil)(Facts&)) {
    Facts facts = busy();
    spoil(facts);
    const Plan plan = balance(facts, forced());
    for (const auto& move : plan.moves) {
      EXPECT_NE(move.to, "h2");
      EXPECT_NE(move.from, "h2");
    }
    EXPECT_EQ(plan.left_out.size(), 1u);
    return plan.left_out.empty() ? "" : plan.left_out[0];
  };
  EXPECT_EQ(without([](Facts& f) { f.hosts[1].state = "unreachable"; }),
            "h2 is left out: it is not up but unreachable");
  EXPECT_EQ(without([](Facts& f) { f.hosts[1].cpu_percent.reset(); }),
            "h2 is left out: its CPU load is unknown");
  EXPECT_EQ(without([](Facts& f) { f.hosts[1].memory_bytes.reset(); }),
            "h2 is left out: its memory is unknown");
  EXPECT_EQ(without([](Facts& f) { f.hosts[1].cpus.reset(); }),
            "h2 is left out: the number of its CPUs is unknown");
  EXPECT_EQ(without([](Facts& f) { f.hosts[1].vms_running = 5; }),
            "h2 is left out: not all of its virtual servers are known");
  EXPECT_EQ(without([](Facts& f) { f.vms[10].memory_bytes.reset(); }),
            "h2 is left out: the memory of b1 there is unknown");
  EXPECT_EQ(without([](Facts& f) { f.hosts.push_back(f.hosts[1]); }),
            "h2 is left out: there are two samples of it");
  EXPECT_EQ(without([](Facts& f) { f.hosts.erase(f.hosts.begin() + 1); }),
            "h2 is left out: there is no sample of it");
}

TEST(CapPlanner, AStaleSampleIsNoSample) {
  Planner planner(forced());
  Facts facts = busy();
  for (const auto& h : facts.hosts) {
    planner.round().host_slot() = h;
    if (h.host == "h2") planner.round().host_slot().time = kNoon - 3min;
    planner.round().keep_host();
  }
  for (const auto& v : facts.vms) {
    planner.round().vm_slot() = v;
    planner.round().keep_vm();
  }
  planner.close(kNoon);
  const Plan plan = planner.balance();
  ASSERT_EQ(plan.left_out.size(), 1u);
  EXPECT_NE(plan.left_out[0].find("stale"), std::string::npos);
  EXPECT_FALSE(plan.moves.empty());
  for (const auto& move : plan.moves) EXPECT_EQ(move.to, "h3");
}

TEST(CapPlanner, AVirtualServerOfWhichTooLittleIsKnownStays) {
  Facts facts = busy();
  for (int i = 0; i < 9; ++i) {
    auto& v = facts.vms[static_cast<std::size_t>(i)];
    switch (i) {
      case 0:
        v.state = "unknown";
        break;
      case 1:
        v.state = "paused";
        break;
      case 2:
        v.state = "suspended";
        break;
      case 3:
        v.migrating = true;
        break;
      case 4:
        break;  // this one may go
      default:
        v.cpu_cores.reset();
    }
  }
  const Plan plan = balance(facts, forced());
  for (const auto& move : plan.moves) {
    if (move.from == "h1") {
      EXPECT_EQ(move.vm, "a4");
    }
  }
}

TEST(CapPlanner, OneSeenOnTwoHostsIsOnItsWayAndCountsOnBoth) {
  Facts facts = busy();
  facts.hosts[1].memory_bytes = 32 * kGiB;
  facts.vms.push_back(vm("a0", "h2", 0, 12 * kGiB));
  facts.vms.front().memory_bytes = 12 * kGiB;
  const Plan plan = balance(facts, forced());
  std::int64_t coming = 0;
  for (const auto& move : plan.moves) {
    EXPECT_NE(move.vm, "a0");
    if (move.to == "h2") coming += *move.memory_bytes;
  }
  EXPECT_LE(coming + 4 * 4 * kGiB + 12 * kGiB, 32 * kGiB);
}

// --- rules ---

TEST(CapPlanner, BrokenRulesAreMended) {
  Facts facts = busy();
  facts.hosts[0].cpu_percent = 50;
  Plan plan = balance(facts, {}, {rule("anti_affinity", {"a0", "a1"})});
  ASSERT_EQ(plan.moves.size(), 1u);
  EXPECT_TRUE(plan.moves[0].reason.starts_with("a0, a1 on h1: anti-affinity of a0, a1;"));
  plan = balance(facts, {}, {rule("pin", {"a5"}, std::vector<std::string>{"h2"})});
  ASSERT_EQ(plan.moves.size(), 1u);
  EXPECT_EQ(plan.moves[0].vm, "a5");
  EXPECT_EQ(plan.moves[0].to, "h2");
  EXPECT_TRUE(plan.moves[0].reason.starts_with("a5 on h1: pinned to h2;"));
  plan = balance(facts, {}, {rule("exclude", {"a5"}, std::vector<std::string>{"h1", "h2"})});
  ASSERT_EQ(plan.moves.size(), 1u);
  EXPECT_EQ(plan.moves[0].to, "h3");
  facts.hosts[0].failure_domain = facts.hosts[1].failure_domain = "rack1";
  facts.hosts[2].failure_domain = "rack2";
  plan = balance(facts, {}, {rule("spread", {"a0", "b0"})});
  ASSERT_EQ(plan.moves.size(), 1u);
  EXPECT_EQ(plan.moves[0].to, "h3");
}

TEST(CapPlanner, ARuleThatCannotBeKeptIsToldAndNothingMoves) {
  Facts facts;
  facts.hosts = {host("h1", 10), host("h2", 10)};
  facts.vms = {vm("a", "h1", 0.1), vm("b", "h1", 0.1), vm("c", "h2", 0.1)};
  const Plan plan = balance(facts, forced(), {rule("anti_affinity", {"a", "b", "c"})});
  EXPECT_TRUE(plan.moves.empty());
  EXPECT_NE(plan.none->reason.find("a, b on h1: anti-affinity"), std::string::npos) << plan.none->reason;
}

TEST(CapPlanner, ARuleThatIsNotUnderstoodIsRefused) {
  Planner planner({});
  EXPECT_THROW(planner.rules().add(rule("friends", {"a", "b"})), Error);
  EXPECT_THROW(planner.rules().add(rule("pin", {"a"})), Error);
}

TEST(CapPlanner, NothingGoesToADrainedHost) {
  Facts facts = busy();
  facts.hosts[1].drained = true;
  for (const auto& move : balance(facts, forced()).moves) EXPECT_EQ(move.to, "h3");
}

TEST(CapPlanner, NothingGoesToAHostThatDoesNotServe) {
  for (const char* state :
       {"draining", "maintenance", "fenced", "returning", "unknown", "what comes later"}) {
    Facts facts = busy();
    facts.hosts[1].cluster_state = state;
    const Plan plan = balance(facts, forced());
    ASSERT_FALSE(plan.moves.empty()) << state;
    for (const auto& move : plan.moves) EXPECT_EQ(move.to, "h3") << state;
  }
}

TEST(CapPlanner, NothingGoesToAnotherArchitecture) {
  Facts facts = busy();
  facts.hosts[0].arch = facts.hosts[2].arch = "x86_64";
  facts.hosts[1].arch = "aarch64";
  const Plan plan = balance(facts, forced());
  ASSERT_FALSE(plan.moves.empty());
  for (const auto& move : plan.moves) EXPECT_NE(move.to, "h2");
}

TEST(CapPlanner, MemoryIsNotOvercommitted) {
  Facts facts = busy();
  facts.hosts[1].memory_bytes = 20 * kGiB;  // 16 in use, 256 MiB are the host's: no room for another 4
  int more = 0;
  for (const auto& move : balance(facts, forced()).moves) {
    more += move.to == "h2" ? 1 : 0;
    more -= move.from == "h2" ? 1 : 0;
  }
  EXPECT_LE(more, 0);
}

TEST(CapPlanner, WhatTheHostItselfIsSeenToTakeIsNotGivenAway) {
  Facts facts = busy();
  facts.hosts[1].memory_bytes = 24 * kGiB;
  facts.hosts[2].drained = true;
  const auto more_on_h2 = [&] {
    int count = 0;
    for (const auto& move : balance(facts, forced()).moves) {
      count += move.to == "h2" ? 1 : 0;
      count -= move.from == "h2" ? 1 : 0;
    }
    return count;
  };
  facts.hosts[1].memory_used_bytes = 16 * kGiB;
  for (int i = 9; i < 13; ++i) facts.vms[static_cast<std::size_t>(i)].memory_used_bytes = 4 * kGiB;
  EXPECT_GT(more_on_h2(), 0);
  facts.hosts[1].memory_used_bytes = 21 * kGiB;  // 5 of them nobody's
  EXPECT_EQ(more_on_h2(), 0);
}

// --- how much may move ---

TEST(CapPlanner, APlanThatTouchesMoreThanItMayIsRefused) {
  Facts facts;
  facts.hosts = {host("h1", 90), host("h2", 0), host("h3", 0)};
  std::vector<std::string> names;
  for (int i = 0; i < 9; ++i) {
    names.push_back("a" + std::to_string(i));
    facts.vms.push_back(vm(names.back(), "h1", 1));
  }
  const auto must_leave = rule("exclude", {names[0], names[1], names[2]}, std::vector<std::string>{"h1"});
  Policy policy;
  policy.max_change_percent = 25;
  try {
    balance(facts, policy, {must_leave});
    FAIL() << "three of nine have to move";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kRefused);
    EXPECT_NE(std::string(error.what()).find("of 9 virtual servers would move"), std::string::npos);
  }
  EXPECT_GE(balance(facts, forced(), {must_leave}).moves.size(), 3u);
  policy.max_moves = 2;
  EXPECT_EQ(balance(facts, policy, {must_leave}).moves.size(), 2u);
  policy.max_moves = 1;
  policy.max_change_percent = 1;
  EXPECT_EQ(balance(facts, policy, {must_leave}).moves.size(), 1u) << "one alone is no mass movement";
}

TEST(CapPlanner, WhatIsOnlyNiceToHaveDoesNotMakeAPlanTooLarge) {
  Facts facts;
  facts.hosts = {host("h1", 90), host("h2", 0), host("h3", 0)};
  for (int i = 0; i < 9; ++i) facts.vms.push_back(vm("a" + std::to_string(i), "h1", 1));
  Policy even = forced();
  even.imbalance = 0.01;
  EXPECT_GT(balance(facts, even).moves.size(), 2u) << "even";
  const Plan plan = balance(facts);
  EXPECT_EQ(plan.moves.size(), 2u) << "below the threshold, with 30% of nine";
  facts.carry_out(plan.moves);
  EXPECT_TRUE(balance(facts).moves.empty());
}

// --- evacuate, place, check ---

TEST(CapPlanner, EvacuateEmptiesAHostStoppedVirtualServersIncluded) {
  Facts facts = busy();
  facts.vms[0].state = "shutoff";
  facts.vms[0].domain_id.reset();
  facts.vms[1].cpu_cores.reset();
  facts.vms[2].state = "paused";
  Planner planner({});
  facts.into(planner);
  const Plan plan = planner.evacuate({"h1"});
  EXPECT_TRUE(plan.unplaced.empty());
  EXPECT_EQ(plan.moves.size(), 9u);
  for (const auto& move : plan.moves) {
    EXPECT_EQ(move.from, "h1");
    EXPECT_TRUE(move.reason.starts_with("evacuate h1; then " + move.to + " cpu ")) << move.reason;
    EXPECT_EQ(move.domain_id.has_value(), move.vm != "a0");
  }
}

TEST(CapPlanner, EvacuateOfAnEmptyHostHasNothingToDo) {
  Facts facts = busy();
  facts.hosts.push_back(host("h4", 1));
  Planner planner({});
  facts.into(planner);
  const Plan plan = planner.evacuate({"h4"});
  ASSERT_TRUE(plan.none);
  EXPECT_EQ(plan.none->reason, "h4 is empty");
}

TEST(CapPlanner, EvacuateTellsForEachThatCannotGoWhatForbidsEachHost) {
  Facts facts;
  facts.hosts = {host("h1", 10), host("h2", 10, 8 * kGiB), host("h3", 10), host("h4", 10), host("h5", 10)};
  facts.hosts[2].drained = true;
  facts.hosts[4].state = "timeout";
  facts.vms = {vm("big", "h1", 0.1, 12 * kGiB), vm("db2", "h4", 0.1)};
  facts.vms[0].anti_affinity = facts.vms[1].anti_affinity = "db";
  Planner planner({});
  planner.rules().add(rule("pin", {"db2"}, std::vector<std::string>{"h4"}));  // or it would make room
  facts.into(planner);
  const Plan plan = planner.evacuate({"h1"});
  ASSERT_EQ(plan.unplaced.size(), 1u);
  EXPECT_EQ(plan.unplaced[0].vm, "big");
  EXPECT_EQ(plan.unplaced[0].host, "h1");
  EXPECT_EQ(plan.unplaced[0].reason,
            "h2: 4.25GiB of memory missing; h3: drained; h4: anti-affinity group db (db2 is there); h5: it "
            "is not up "
            "but timeout");
}

TEST(CapPlanner, EvacuateOfAHostThatIsNotThereIsAnError) {
  Facts facts = busy();
  facts.hosts.push_back(host("h4", 1));
  facts.hosts.back().state = "unreachable";
  Planner planner({});
  facts.into(planner);
  try {
    planner.evacuate({"h9"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUsage);
  }
  try {
    planner.evacuate({"h4"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUnreachable);
  }
}

TEST(CapPlanner, EvacuateOfSeveralHostsCountsAsChange) {
  Facts facts = busy();
  Planner planner({});
  facts.into(planner);
  EXPECT_THROW(planner.evacuate({"h1", "h2"}), Error);
  Planner with_force(forced());
  facts.into(with_force);
  const Plan plan = with_force.evacuate({"h1", "h2"});
  for (const auto& move : plan.moves) EXPECT_EQ(move.to, "h3");
}

TEST(CapPlanner, PlaceAnswersEachRequestOnce) {
  Facts facts = busy();
  Planner planner({});
  facts.into(planner);
  const auto ask = [&](const std::string& name, std::int64_t memory) {
    record::VmRequest request;
    request.vm = name;
    request.memory_bytes = memory;
    planner.add(request);
  };
  ask("small", kGiB);
  ask("huge", 100 * kGiB);
  ask("b1", kGiB);
  const Plan plan = planner.place();
  ASSERT_EQ(plan.places.size(), 2u);
  EXPECT_EQ(plan.places[0].vm, "small");
  EXPECT_EQ(plan.places[0].host, "h2") << "the idlest";
  EXPECT_EQ(plan.places[1].vm, "b1");
  EXPECT_EQ(plan.places[1].reason, "it is there already");
  ASSERT_EQ(plan.unplaced.size(), 1u);
  EXPECT_EQ(plan.unplaced[0].vm, "huge");
}

TEST(CapPlanner, PlaceKeepsGroupsApartAlsoAmongRequests) {
  Facts facts;
  facts.hosts = {host("h1", 10), host("h2", 50)};
  Planner planner({});
  facts.into(planner);
  for (const char* name : {"r1", "r2", "r3"}) {
    record::VmRequest request;
    request.vm = name;
    request.memory_bytes = kGiB;
    request.anti_affinity = "r";
    planner.add(request);
  }
  const Plan plan = planner.place();
  ASSERT_EQ(plan.places.size(), 2u);
  EXPECT_NE(plan.places[0].host, plan.places[1].host);
  EXPECT_EQ(plan.unplaced.size(), 1u);
}

TEST(CapPlanner, CheckAnswersWithoutAPlan) {
  Planner planner({});
  busy().into(planner);
  const record::BalanceCheck check = planner.check();
  EXPECT_FALSE(check.balanced);
  EXPECT_EQ(check.hosts, 3);
  EXPECT_EQ(check.vms, 18);
  EXPECT_EQ(check.hosts_over, 1);
  EXPECT_EQ(check.reason, "h1 cpu 90% > 75%");
}

TEST(CapPlanner, TheOrderOfTheRecordsDoesNotMatter) {
  Facts facts = busy();
  const Plan plan = balance(facts, forced());
  std::reverse(facts.vms.begin(), facts.vms.end());
  std::reverse(facts.hosts.begin(), facts.hosts.end());
  const Plan other = balance(facts, forced());
  ASSERT_EQ(plan.moves.size(), other.moves.size());
  for (std::size_t i = 0; i < plan.moves.size(); ++i) EXPECT_EQ(plan.moves[i].id, other.moves[i].id);
}

TEST(CapPlanner, TheSecondLegOfAWayRoundHasNoIncarnationYet) {
  // Two pinned the wrong way round on full hosts: one has to step aside on the third.
  Facts facts;
  facts.hosts = {host("h1", 10, 10 * kGiB), host("h2", 10, 10 * kGiB), host("h3", 10, 10 * kGiB)};
  facts.vms = {vm("a", "h1", 0.1, 8 * kGiB), vm("b", "h2", 0.1, 7 * kGiB)};
  Policy policy = forced();
  policy.keep_spare = false;
  const Plan plan = balance(facts, policy,
                            {rule("pin", {"a"}, std::vector<std::string>{"h2"}),
                             rule("exclude", {"b"}, std::vector<std::string>{"h2"})});
  std::map<std::string, int> seen;
  for (const auto& move : plan.moves) {
    EXPECT_EQ(move.domain_id.has_value(), seen[move.vm]++ == 0);
  }
  facts.carry_out(plan.moves);
  EXPECT_EQ(facts.vms[0].host, "h2");
}

Policy without_spare() {
  Policy policy = forced();
  policy.keep_spare = false;
  return policy;
}

// --- a name or a UUID that another host has already ---

record::VmSample definition(const std::string& name, const std::string& on, const std::string& uuid) {
  record::VmSample stopped = vm(name, on, 0);
  stopped.state = "shutoff";
  stopped.domain_id.reset();
  stopped.cpu_cores.reset();
  stopped.uuid = uuid;
  return stopped;
}

struct Clash {
  record::VmSample there;
  std::string why;
};

std::vector<Clash> clashes() {
  return {{definition("web", "h3", "uuid-web"), "already has a definition of it"},
          {definition("web", "h3", "uuid-other"), "has another virtual server of that name"},
          {definition("other", "h3", "uuid-web"), "has its UUID, as other"}};
}

bool goes(const Plan& plan, const std::string& vm, const std::string& to) {
  return std::any_of(plan.moves.begin(), plan.moves.end(),
                     [&](const auto& move) { return move.vm == vm && move.to == to; });
}

TEST(CapPlanner, AHostThatHasTheNameOrTheUuidIsNoTarget) {
  for (const Clash& clash : clashes()) {
    Facts facts;
    facts.hosts = {host("h1", 95), host("h2", 60), host("h3", 5)};
    facts.vms = {vm("web", "h1", 3), vm("y", "h2", 2), clash.there};
    const Policy policy = without_spare();
    Planner planner(policy);
    facts.into(planner);
    const Plan away = planner.evacuate({"h1"});
    EXPECT_TRUE(goes(away, "web", "h2")) << clash.why;
    EXPECT_FALSE(goes(balance(facts, policy), "web", "h3")) << clash.why;
    EXPECT_FALSE(goes(planner.pack(), "web", "h3")) << clash.why;
  }
}

TEST(CapPlanner, ThatAHostHasTheNameOrTheUuidIsTold) {
  for (const Clash& clash : clashes()) {
    Facts facts;
    facts.hosts = {host("h1", 30), host("h3", 5)};
    facts.vms = {vm("web", "h1", 1), clash.there};
    Planner planner({});
    facts.into(planner);
    const Plan plan = planner.evacuate({"h1"});
    ASSERT_EQ(plan.unplaced.size(), 1u);
    EXPECT_EQ(plan.unplaced[0].reason, "h3: " + clash.why);
  }
}

// --- memory: what a guest may take back, and what is in huge pages ---

TEST(CapPlanner, ABalloonedGuestNeedsAllThatItMayHave) {
  Facts facts;
  facts.hosts = {host("h1", 95, 16 * kGiB), host("h2", 10, 16 * kGiB)};
  facts.vms = {vm("big", "h1", 4, 1 * kGiB), vm("b2", "h1", 4, 7 * kGiB), vm("c", "h2", 0.5, 11 * kGiB)};
  facts.vms[0].memory_max_bytes = 8 * kGiB;
  EXPECT_TRUE(balance(facts, forced()).moves.empty());
  facts.vms[2].memory_bytes = 1 * kGiB;
  const Policy policy = without_spare();
  Planner planner(policy);
  facts.into(planner);
  for (const auto& move : planner.evacuate({"h1"}).moves) {
    EXPECT_EQ(move.memory_bytes, (move.vm == "big" ? 8 : 7) * kGiB);
  }
}

TEST(CapPlanner, WhatBalloonsHaveTakenBackSendsNobodyAway) {
  Facts facts;
  facts.hosts = {host("h1", 10, 16 * kGiB), host("h2", 10, 64 * kGiB)};
  for (const char* name : {"a", "b", "c"}) {
    facts.vms.push_back(vm(name, "h1", 0.1, 4 * kGiB));
    facts.vms.back().memory_max_bytes = 8 * kGiB;
  }
  Plan plan = balance(facts, forced());
  EXPECT_TRUE(plan.moves.empty());
  EXPECT_EQ(plan.none->reason, "no host is above 75% cpu or 90% memory");
  for (auto& one : facts.vms) one.memory_bytes = 6 * kGiB;  // more than there is, without any balloon
  EXPECT_FALSE(balance(facts, without_spare()).moves.empty());
}

// h1 has 200 of its 256 GiB in a pool of huge pages, of which the guests a and b have 50 GiB each.
Facts with_a_pool(bool told = true) {
  Facts facts;
  facts.hosts = {host("h1", 40, 256 * kGiB), host("h2", 10, 256 * kGiB), host("h3", 10, 256 * kGiB)};
  facts.hosts[0].memory_used_bytes = 208 * kGiB;
  facts.hosts[1].memory_used_bytes = facts.hosts[2].memory_used_bytes = 8 * kGiB;
  for (const char* name : {"a", "b"}) {
    facts.vms.push_back(vm(name, "h1", 1, 50 * kGiB));
    facts.vms.back().memory_used_bytes = kGiB;
  }
  if (!told) return facts;
  const auto pages = [](std::int64_t size, std::int64_t gib) {
    return std::vector<std::string>{std::to_string(size) + "=" + std::to_string(gib * kGiB)};
  };
  facts.hosts[0].hugepage_pools = pages(2 << 20, 200);
  facts.hosts[0].hugepage_pools_free = pages(2 << 20, 100);
  for (auto& vm : facts.vms) {
    vm.hugepages = true;
    vm.hugepage_pools = pages(2 << 20, 50);
  }
  return facts;
}

std::int64_t fits(const Facts& facts, const std::string& host) {
  Planner planner(without_spare());
  facts.into(planner);
  record::VmRequest size;
  size.memory_bytes = 8 * kGiB;
  for (const auto& room : planner.headroom(size).front().hosts) {
    if (room.host == host) return room.fits;
  }
  return -1;
}

TEST(CapPlanner, GuestsInHugePagesAreNotCountedTwice) {
  const Facts facts = with_a_pool();
  EXPECT_TRUE(balance(facts, forced()).moves.empty());
  EXPECT_EQ(fits(facts, "h1"), 6) << "what is free beside the pool, 48 GiB";
}

TEST(CapPlanner, WhereNothingTellsOfHugePagesNobodyLeavesForThemAndNobodyComes) {
  const Facts facts = with_a_pool(false);
  const Plan plan = balance(facts, forced());
  EXPECT_TRUE(plan.moves.empty());
  EXPECT_EQ(plan.none->reason, "no host is above 75% cpu or 90% memory");
  EXPECT_EQ(fits(facts, "h1"), 0);
  Facts older = facts;  // a capwatch that told only whether
  for (auto& vm : older.vms) vm.hugepages = true;
  EXPECT_TRUE(balance(older, forced()).moves.empty());
  EXPECT_EQ(fits(older, "h1"), 6);
}

TEST(CapPlanner, GuestsInHugePagesGoWhereTheirPagesAre) {
  Facts facts = with_a_pool();
  const auto evacuated = [&facts] {
    Planner planner(without_spare());
    facts.into(planner);
    return planner.evacuate({"h1"});
  };
  const auto pools = [&facts](std::size_t h, std::int64_t size, std::int64_t gib) {
    facts.hosts[h].hugepage_pools = facts.hosts[h].hugepage_pools_free =
        std::vector<std::string>{std::to_string(size) + "=" + std::to_string(gib * kGiB)};
  };
  Plan plan = evacuated();
  ASSERT_EQ(plan.unplaced.size(), 2u);
  EXPECT_EQ(plan.unplaced[0].reason,
            "h2: 50GiB of huge pages of 2MiB missing; h3: 50GiB of huge pages of 2MiB missing");
  pools(1, 1 << 30, 150);  // of another size
  pools(2, 2 << 20, 60);   // enough for one
  facts.hosts[1].memory_used_bytes = facts.hosts[2].memory_used_bytes = 160 * kGiB;
  plan = evacuated();
  ASSERT_EQ(plan.moves.size(), 1u);
  EXPECT_EQ(plan.moves[0].to, "h3");
  EXPECT_EQ(plan.moves[0].memory_bytes, 50 * kGiB);
  EXPECT_EQ(plan.unplaced.size(), 1u);
}

TEST(CapPlanner, WhatAHostTakesBesideGuestsOutsideHugePagesIsItsOwn) {
  Facts facts;
  facts.hosts = {host("h1", 40, 256 * kGiB), host("h2", 10, 256 * kGiB)};
  facts.hosts[0].memory_used_bytes = 208 * kGiB;
  for (const char* name : {"a", "b"}) {
    facts.vms.push_back(vm(name, "h1", 1, 50 * kGiB));
    facts.vms.back().memory_used_bytes = kGiB;
    facts.vms.back().hugepages = false;
  }
  EXPECT_FALSE(balance(facts, without_spare()).moves.empty());
}

TEST(CapPlanner, AHostWithoutThePoolOfAVolumeIsNoTarget) {
  Facts facts;
  facts.hosts = {host("h1", 30), host("h2", 5), host("h3", 20)};
  facts.vms = {vm("a", "h1", 1)};
  facts.vms[0].storage_pools = std::vector<std::string>{"images=/srv/images"};
  facts.hosts[1].storage_pools = std::vector<std::string>{"images=/var/images"};
  Planner planner(without_spare());
  facts.into(planner);
  EXPECT_TRUE(goes(planner.evacuate({"h1"}), "a", "h3")) << "of which it is not known";
  facts.hosts[2].storage_pools = std::vector<std::string>{};
  Planner again(without_spare());
  facts.into(again);
  const Plan plan = again.evacuate({"h1"});
  ASSERT_EQ(plan.unplaced.size(), 1u);
  EXPECT_EQ(plan.unplaced[0].reason,
            "h2: has no storage pool images at /srv/images; h3: has no storage pool images at /srv/images");
}

// --- two of one name, and what is paused ---

TEST(CapPlanner, TwoServersOfOneNameAreTwo) {
  Facts facts = busy();
  facts.vms.push_back(vm("web", "h1", 1));
  facts.vms.push_back(vm("web", "h2", 1));
  facts.vms.back().uuid = "uuid-of-another";
  Planner planner(without_spare());
  facts.into(planner);
  const Plan plan = planner.evacuate({"h1"});
  EXPECT_TRUE(goes(plan, "web", "h3")) << "h2 has another one of that name";
  // One that has moved lately holds up no other of its name.
  record::VmMoved moved;
  moved.vm = "web";
  moved.uuid = "uuid-of-another";
  moved.outcome = "done";
  moved.time = kNoon - 1min;
  Planner later(forced());
  later.history().add(moved);
  facts.into(later);
  EXPECT_EQ(later.explain("web").front().host, "h1");
  EXPECT_NE(later.explain("web").front().reason, "it has moved lately");
  // Whose UUID is not told may be the same.
  facts.vms.back().uuid.reset();
  Planner unsure(without_spare());
  facts.into(unsure);
  EXPECT_FALSE(goes(unsure.evacuate({"h1"}), "web", "h3"));
}

TEST(CapPlanner, PausedServersAreCountedApart) {
  Facts facts = busy();
  facts.hosts[0].vms_running = 8;
  facts.hosts[0].vms_paused = 1;
  facts.vms[0].state = "paused";
  EXPECT_FALSE(balance(facts, forced()).moves.empty());
  facts.hosts[0].vms_paused.reset();  // an older capwatch counts them as running
  facts.hosts[0].vms_running = 9;
  EXPECT_FALSE(balance(facts, forced()).moves.empty());
  facts.hosts[0].vms_running = 8;
  EXPECT_TRUE(balance(facts, forced()).moves.empty()) << "not all are known";
}

// --- what stays, what goes together, and what is only preferred ---

Plan evacuate(const Facts& facts, const std::vector<record::PlacementRule>& rules,
              const std::string& host = "h1") {
  Planner planner(without_spare());
  for (const auto& r : rules) planner.rules().add(r);
  facts.into(planner);
  return planner.evacuate({host});
}

TEST(CapPlanner, WhatIsToStayLeavesOnlyAHostThatIsEmptied) {
  Facts facts = busy();
  std::vector<std::string> all;
  for (int i = 0; i < 9; ++i) all.push_back("a" + std::to_string(i));
  const auto stay = rule("stay", all);
  EXPECT_TRUE(balance(facts, forced(), {stay}).moves.empty());
  EXPECT_EQ(evacuate(facts, {stay}).moves.size(), 9u);
  EXPECT_EQ(evacuate(facts, {rule("pin", all, record::List({"h1"}))}).moves.size(), 0u);
}

TEST(CapPlanner, WhatDependsOnOneAnotherLeavesTogether) {
  Facts facts;
  facts.hosts = {host("h1", 30), host("h2", 30)};
  facts.hosts[0].failure_domain = "r1";
  facts.hosts[1].failure_domain = "r2";
  facts.vms = {vm("app", "h1", 1), vm("db", "h1", 1)};
  auto depends = rule("depends", {"app"});
  depends.on = std::vector<std::string>{"db"};
  const Plan plan = evacuate(facts, {depends});
  EXPECT_TRUE(plan.unplaced.empty());
  ASSERT_EQ(plan.moves.size(), 2u);
  EXPECT_EQ(plan.moves[0].stage, plan.moves[1].stage);
  // One of them alone has no room: then both stay.
  facts.vms[1].memory_bytes = 63 * kGiB;
  EXPECT_EQ(evacuate(facts, {depends}).moves.size(), 0u);
}

TEST(CapPlanner, ServersOfOneAffinityAreOnOneHost) {
  Facts facts;
  facts.hosts = {host("h1", 30), host("h2", 20), host("h3", 10)};
  facts.vms = {vm("a", "h1", 1), vm("b", "h1", 1), vm("c", "h2", 1)};
  Plan plan = balance(facts, without_spare(), {rule("affinity", {"a", "b", "c"})});
  ASSERT_EQ(plan.moves.size(), 1u) << "the one that is apart comes";
  EXPECT_EQ(plan.moves[0].vm, "c");
  EXPECT_EQ(plan.moves[0].to, "h1");
  plan = evacuate(facts, {rule("affinity", {"a", "b"})});
  ASSERT_EQ(plan.moves.size(), 2u);
  EXPECT_EQ(plan.moves[0].to, plan.moves[1].to);
  EXPECT_EQ(plan.moves[0].stage, plan.moves[1].stage);
  facts.hosts[0].cpu_percent = 95;
  for (const auto& move : balance(facts, without_spare(), {rule("affinity", {"a", "b"})}).moves)
    EXPECT_TRUE(move.vm != "a" && move.vm != "b") << "none of them alone";
}

TEST(CapPlanner, ARuleThatIsSoftGivesWayAndSaysSo) {
  Facts facts;
  facts.hosts = {host("h1", 30), host("h2", 30), host("h3", 30)};
  facts.vms = {vm("a", "h1", 1), vm("b", "h2", 1, 60 * kGiB)};
  facts.vms[1].bound_by = std::vector<std::string>{"it uses a device of its host"};
  auto pin = rule("pin", {"a"}, record::List({"h1", "h2"}));
  EXPECT_EQ(evacuate(facts, {pin}).unplaced.size(), 1u);
  pin.soft = true;
  Plan plan = evacuate(facts, {pin});
  ASSERT_EQ(plan.moves.size(), 1u);
  EXPECT_EQ(plan.moves[0].to, "h3");
  EXPECT_EQ(plan.doubts, std::vector<std::string>{"soft pin of a to h1, h2 is given up"});
  facts.vms[1].memory_bytes = 8 * kGiB;
  plan = evacuate(facts, {pin});
  ASSERT_EQ(plan.moves.size(), 1u);
  EXPECT_EQ(plan.moves[0].to, "h2") << "it is kept where that is possible";
  EXPECT_TRUE(plan.doubts.empty());
}

// --- demand is what is used and what is waited for, in CPUs of one speed ---

TEST(CapPlanner, WhatWaitsForACpuIsDemandAsWell) {
  Facts facts;
  facts.hosts = {host("h1", 90), host("h2", 40)};
  for (const char* name : {"a", "b", "c", "d"}) facts.vms.push_back(vm(name, "h1", 1));
  facts.vms.push_back(vm("e", "h2", 1));
  const auto load_of_h2 = [&facts] {
    Planner planner(without_spare());
    facts.into(planner);
    for (const auto& host : planner.evacuate({"h1"}).outlook) {
      if (host.host == "h2") return *host.cpu_after;
    }
    return 0.0;
  };
  EXPECT_DOUBLE_EQ(load_of_h2(), 80);
  for (auto& vm : facts.vms) vm.cpu_steal_percent = 50;  // of two CPUs each
  EXPECT_DOUBLE_EQ(load_of_h2(), 40 + 10 + 4 * 20);
}

TEST(CapPlanner, ASlowerHostIsBusierWithTheSame) {
  Facts facts;
  facts.hosts = {host("h1", 40), host("h2", 0)};
  for (const char* name : {"a", "b", "c", "d"}) facts.vms.push_back(vm(name, "h1", 1));
  const auto load_of_h2 = [&facts](Policy policy) {
    policy.force = true;
    policy.keep_spare = false;
    Planner planner(policy);
    facts.into(planner);
    return *planner.evacuate({"h1"}).outlook.back().cpu_after;
  };
  EXPECT_DOUBLE_EQ(load_of_h2({}), 40);
  facts.hosts[0].cpu_mhz = 3000;
  EXPECT_DOUBLE_EQ(load_of_h2({}), 40) << "a clock that is not known is no slow one";
  facts.hosts[1].cpu_mhz = 2000;
  EXPECT_NEAR(load_of_h2({}), 60, 0.01);
  Policy same;
  same.clock_is_speed = false;
  EXPECT_DOUBLE_EQ(load_of_h2(same), 40);
}

// --- as much as is needed, and why not ---

TEST(CapPlanner, NobodyElseMovesThanWhatRelievesABusyHost) {
  Facts facts;
  facts.hosts = {host("big1", 30, 768 * kGiB), host("big2", 25, 768 * kGiB), host("small1", 85, 256 * kGiB),
                 host("small2", 60, 256 * kGiB)};
  const std::vector<std::pair<int, double>> sizes{{18, 1}, {16, 1}, {19, 1.4}, {14, 1}};
  for (std::size_t h = 0; h < sizes.size(); ++h) {
    facts.hosts[h].cpus = h < 2 ? 64 : 32;
    for (int i = 0; i < sizes[h].first; ++i) {
      facts.vms.push_back(
          vm(facts.hosts[h].host + std::to_string(i), facts.hosts[h].host, sizes[h].second, 12 * kGiB));
    }
  }
  const Plan plan = balance(facts);
  EXPECT_EQ(plan.moves.size(), 3u);
  for (const auto& move : plan.moves) EXPECT_EQ(move.from, "small1");
  Policy even = forced();
  even.imbalance = 0.1;
  EXPECT_GT(balance(facts, even).moves.size(), 3u);
}

// node2 has given away too much, and what would mend that takes the spare while it is on its way.
Facts spare_in_flight() {
  Facts facts;
  facts.hosts = {host("node1", 1, 100 * kGiB), host("node2", 1, 100 * kGiB), host("node3", 1, 100 * kGiB)};
  facts.vms = {vm("a", "node1", 0.1, 15 * kGiB), vm("b1", "node2", 0.1, 42 * kGiB),
               vm("b2", "node2", 0.1, 42 * kGiB), vm("c", "node3", 0.1, 50 * kGiB)};
  return facts;
}

TEST(CapPlanner, ThatTheSpareForbidsAMoveIsTheReason) {
  Policy policy;
  policy.memory_threshold_percent = 80;
  policy.max_moves = 1;
  const Plan plan = balance(spare_in_flight(), policy);
  ASSERT_TRUE(plan.none);
  for (const char* part : {"b1 could go to node1", "on its way", "node3 failed", "N+1", "--spare ignore"}) {
    EXPECT_NE(plan.none->reason.find(part), std::string::npos) << part << " in " << plan.none->reason;
  }
  policy.max_moves = std::numeric_limits<int>::max();
  try {
    balance(spare_in_flight(), policy);
    FAIL() << "two of four may not move";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("N+1"), std::string::npos) << error.what();
  }
  policy.keep_spare = false;
  EXPECT_EQ(balance(spare_in_flight(), policy).moves.size(), 1u);
}

TEST(CapPlanner, OneGoesAwayToWhereAnEmptiedHostWouldSendIt) {
  Facts facts;
  facts.hosts = {host("h1", 20), host("h2", 60), host("h3", 5, 8 * kGiB), host("h4", 30)};
  facts.vms = {vm("web", "h1", 2), vm("db", "h2", 3), vm("web", "h2", 1)};
  facts.vms[2].uuid = "another";
  Planner planner(without_spare());
  facts.into(planner);
  const Plan plan = planner.away("web", "h1");
  ASSERT_EQ(plan.places.size(), 1u);
  const Plan emptied = planner.evacuate({"h1"});
  ASSERT_EQ(emptied.moves.size(), 1u);
  EXPECT_EQ(plan.places[0].host, emptied.moves[0].to);
  EXPECT_NE(planner.away("web", "h2").places.at(0).host, "h2");
  EXPECT_THROW(planner.away("web", "h3"), Error);

  planner.rules().add(rule("pin", {"web"}, std::vector<std::string>{"h1"}));
  const Plan pinned = planner.away("web", "h1");
  EXPECT_TRUE(pinned.places.empty());
  ASSERT_EQ(pinned.unplaced.size(), 1u);
  EXPECT_NE(pinned.unplaced[0].reason.find("pin"), std::string::npos) << pinned.unplaced[0].reason;
}

// --- what binds a virtual server to its host ---

// Two on h1, of which one may go; h2 and h3 have room.
Facts bound(const std::vector<std::string>& by) {
  Facts facts;
  facts.hosts = {host("h1", 95), host("h2", 5), host("h3", 10)};
  facts.vms = {vm("gpu", "h1", 6), vm("web", "h1", 3)};
  facts.vms[0].bound_by = by;
  facts.vms[1].bound_by = std::vector<std::string>{};
  return facts;
}

TEST(CapPlanner, WhatIsBoundToItsHostIsInNoPlan) {
  const std::string device = "it uses a device of its host: pci 0000:41:00.0";
  const Facts facts = bound({device});
  const Policy policy = without_spare();
  Planner planner(policy);
  facts.into(planner);
  EXPECT_FALSE(goes(balance(facts, policy), "gpu", "h2"));
  EXPECT_FALSE(goes(planner.pack(), "gpu", "h2"));
  const Plan plan = planner.evacuate({"h1"});
  ASSERT_EQ(plan.moves.size(), 1u);
  EXPECT_EQ(plan.moves[0].vm, "web");
  ASSERT_EQ(plan.unplaced.size(), 1u);
  EXPECT_EQ(plan.unplaced[0].reason, device);
  EXPECT_EQ(plan.stays, "1 of 2 virtual servers cannot leave h1: gpu (" + device + ")");
  const Rolling rolling = planner.rolling({"h1"}, 3);
  ASSERT_EQ(rolling.unserviceable.size(), 1u);
  EXPECT_EQ(rolling.unserviceable[0].constraint, "bound");
  EXPECT_NE(rolling.unserviceable[0].reason.find(device), std::string::npos);
  EXPECT_EQ(planner.explain("gpu").front().reason, device);
}

TEST(CapPlanner, NothingGoesToAHostWithoutItsNetwork) {
  for (const bool interface : {false, true}) {
    Facts facts = bound({});
    const auto names = [&](std::size_t h) -> record::List& {
      return interface ? facts.hosts[h].interfaces : facts.hosts[h].networks;
    };
    for (std::size_t h = 0; h < 3; ++h) names(h) = std::vector<std::string>{"red"};
    names(0)->emplace_back("blue");
    names(2)->emplace_back("blue");
    const std::string blue = interface ? "interface blue" : "network blue";
    for (auto& one : facts.vms) one.networks = std::vector<std::string>{blue};
    const Policy policy = without_spare();
    for (const auto& move : balance(facts, policy).moves) EXPECT_EQ(move.to, "h3");
    facts.hosts.pop_back();
    Planner planner(policy);
    facts.into(planner);
    const Plan plan = planner.evacuate({"h1"});
    ASSERT_EQ(plan.unplaced.size(), 2u);
    EXPECT_EQ(plan.unplaced[0].reason, "h2: has no " + blue);
    // Who does not know what its own is plugged into is no witness, and who tells nothing lacks nothing.
    names(0).reset();
    EXPECT_FALSE(balance(facts, policy).moves.empty());
    names(0) = std::vector<std::string>{"blue"};
    names(1).reset();
    EXPECT_FALSE(balance(facts, policy).moves.empty());
  }
}

TEST(CapPlanner, NothingGoesToAHostThatDoesNotSeeItsDisk) {
  Facts facts = bound({});
  facts.hosts[0].shared_storage = std::vector<std::string>{"/srv", "/fast"};
  facts.hosts[1].shared_storage = std::vector<std::string>{"/srv"};
  facts.hosts[2].shared_storage = std::vector<std::string>{"/fast/vm", "/srv"};
  facts.vms[0].disks = std::vector<std::string>{"/fast/vm/gpu.img"};
  facts.vms[1].disks = std::vector<std::string>{"/fast/web.img"};
  Planner planner(forced());
  facts.into(planner);
  const Plan plan = planner.evacuate({"h1"});
  ASSERT_EQ(plan.moves.size(), 1u);
  EXPECT_TRUE(goes(plan, "gpu", "h3"));
  ASSERT_EQ(plan.unplaced.size(), 1u);
  EXPECT_EQ(plan.unplaced[0].reason,
            "h2: /fast/web.img is not on storage that it shares with h1; h3: /fast/web.img is not on storage "
            "that it "
            "shares with h1");
}

}  // namespace
}  // namespace rackline::capacity
