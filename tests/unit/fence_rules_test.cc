// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "fence/rules.h"
#include "fence_fake.h"
#include "heartbeat/agent.h"

namespace rackline::fence {
namespace {

using Kind = FenceRequest::Kind;
using Verdict = FenceRuling::Verdict;

class Rules : public testing::Test {
 protected:
  Verdict verdict() { return rule_on(request, policy, clock.wall()).verdict; }
  bool self_is_accepted() { return self_fence_objection(request, policy).empty(); }

  SharedClock clock;
  FencePolicy policy;
  FenceRequest request = down("h1", clock);
};

TEST_F(Rules, ADeadHostIsFenced) {
  EXPECT_EQ(verdict(), Verdict::kFence);
}

TEST_F(Rules, WhatIsNotDeadIsLeftUnlessThePolicySaysOtherwise) {
  const struct {
    Kind kind;
    const char* verdict;
    bool FencePolicy::*wanted;
  } kCases[] = {{Kind::kIsolated, "isolated", &FencePolicy::fence_isolated},
                {Kind::kPartitioned, "partitioned", &FencePolicy::fence_partitioned},
                {Kind::kHypervisorDown, "hypervisor_dead", &FencePolicy::fence_hypervisor_down}};
  for (const auto& one : kCases) {
    policy = {};
    request.kind = one.kind;
    request.state.verdict = one.verdict;
    EXPECT_EQ(verdict(), Verdict::kLeave) << one.verdict;
    policy.*one.wanted = true;
    EXPECT_EQ(verdict(), Verdict::kFence) << one.verdict;
  }
}

TEST_F(Rules, AVerdictOfAnotherKindIsRefused) {
  request.state.verdict = "suspect";
  EXPECT_EQ(verdict(), Verdict::kRefuse);
}

TEST_F(Rules, ALivingStorageHeartbeatIsAVeto) {
  request.state.store = "alive";
  EXPECT_EQ(verdict(), Verdict::kRefuse);
  policy.fence_living_store = true;
  EXPECT_EQ(verdict(), Verdict::kFence);
}

TEST_F(Rules, ARecordHasToBeFresh) {
  const auto now = request.state.time;
  request.state.time = now - std::chrono::seconds{60};
  EXPECT_EQ(verdict(), Verdict::kFence);
  request.state.time = now - std::chrono::seconds{61};
  EXPECT_EQ(verdict(), Verdict::kRefuse);
  request.state.time = now + std::chrono::seconds{61};
  EXPECT_EQ(verdict(), Verdict::kRefuse);
}

TEST_F(Rules, AWatcherThatHearsLessThanHalfIsNotBelieved) {
  request.state.hosts_watched = 4;
  request.state.hosts_silent = 2;
  EXPECT_EQ(verdict(), Verdict::kFence);
  request.state.hosts_silent = 3;
  EXPECT_EQ(verdict(), Verdict::kRefuse);
  policy.force = true;
  EXPECT_EQ(verdict(), Verdict::kFence);
}

TEST_F(Rules, ExactlyHalfIsNotTooMany) {
  EXPECT_FALSE(too_many(1, 2));
  EXPECT_TRUE(too_many(2, 3));
  EXPECT_FALSE(too_many(2, 5));
  EXPECT_TRUE(too_many(3, 5));
}

TEST_F(Rules, SelfFencingIsAcceptedOnlyWithAllOfItsGrounds) {
  request.state.self_fence_ms = 30'000;
  request.state.watchdog = true;
  EXPECT_TRUE(self_is_accepted());
  const auto good = request;
  request.state.self_fence_ms.reset();
  EXPECT_FALSE(self_is_accepted());
  request = good;
  request.state.watchdog = false;
  EXPECT_FALSE(self_is_accepted());
  policy.trust_self_fence = true;
  EXPECT_TRUE(self_is_accepted());
  policy.trust_self_fence = false;
  for (const char* store : {"alive", "unknown", "never", "none"}) {
    request = good;
    request.state.store = store;
    EXPECT_FALSE(self_is_accepted()) << store;
  }
  // No trust makes an agent act that has one channel only, or one that we do not see.
  policy.trust_self_fence = true;
  EXPECT_FALSE(self_is_accepted());
  policy.trust_self_fence = false;
  request = good;
  request.state.net = "alive";
  EXPECT_FALSE(self_is_accepted());
  request = good;
  request.kind = Kind::kHypervisorDown;
  EXPECT_FALSE(self_is_accepted());
}

// Rule 3: the self-fence time is shorter than the takeover time, with a margin.
TEST_F(Rules, TheSelfFenceTimeHasToBeWellBelowTheTakeoverTime) {
  request.state.watchdog = true;
  policy.takeover = Milliseconds{10'000};
  request.state.self_fence_ms = 7'999;
  EXPECT_TRUE(self_is_accepted());
  request.state.self_fence_ms = 8'000;
  EXPECT_FALSE(self_is_accepted());
}

// Heartbeat's default beside fence's.
TEST_F(Rules, AsItComesTheSelfFenceTimeIsWellBelowTheTakeoverTime) {
  request.state.watchdog = true;
  request.state.self_fence_ms = heartbeat::AgentOptions{}.self_fence.count();
  EXPECT_TRUE(self_is_accepted()) << self_fence_objection(request, policy);
}

TEST_F(Rules, SilenceThatIsNotKnownCountsFromTheRequest) {
  request.read_at = Milliseconds{1000};
  EXPECT_EQ(self_fenced_at(request, policy), Milliseconds{1000 + 60'000 - 3000});
  request.state.silent_ms.reset();
  EXPECT_EQ(self_fenced_at(request, policy), Milliseconds{61'000});
}

TEST_F(Rules, EvidenceHasToBeThatOfItsVerdict) {
  const auto good = request;
  const auto refused = [&](auto change) {
    request = good;
    change(request.state);
    const auto ruling = rule_on(request, policy, clock.wall());
    return ruling.verdict == Verdict::kRefuse && ruling.contradicts;
  };
  EXPECT_TRUE(refused([](auto& state) { state.net = "alive"; }));
  EXPECT_TRUE(refused([](auto& state) { state.libvirt = "answers"; }));
  EXPECT_TRUE(refused([](auto& state) { state.libvirt = "refused"; }));
  EXPECT_TRUE(refused([](auto& state) { state.peers_reached = 1; }));
  EXPECT_TRUE(refused([](auto& state) { state.net = "SILENT"; }));
  EXPECT_TRUE(refused([](auto& state) { state.store = "ALIVE"; }));
  EXPECT_TRUE(refused([](auto& state) { state.libvirt = ""; }));
  EXPECT_FALSE(refused([](auto& state) { state.peers_reached = 0; }));
  // Channels that live by nature.
  policy.fence_isolated = policy.fence_partitioned = policy.fence_hypervisor_down = true;
  policy.fence_living_store = true;
  EXPECT_FALSE(refused([&](auto& state) {
    request.kind = Kind::kHypervisorDown;
    state.verdict = "hypervisor_dead";
    state.net = state.store = "alive";
    state.libvirt = "answers";
  }));
  EXPECT_FALSE(refused([&](auto& state) {
    request.kind = Kind::kPartitioned;
    state.verdict = "partitioned";
    state.peers_reached = 2;
  }));
  EXPECT_FALSE(refused([&](auto& state) {
    request.kind = Kind::kIsolated;
    state.verdict = "isolated";
    state.store = "alive";
  }));
}

TEST_F(Rules, AVerdictOfADryRunSwitchesNothing) {
  request.planned = true;
  EXPECT_EQ(verdict(), Verdict::kRefuse);
  policy.dry_run = true;
  EXPECT_EQ(verdict(), Verdict::kFence);
}

}  // namespace
}  // namespace rackline::fence
