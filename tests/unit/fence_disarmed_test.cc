// SPDX-License-Identifier: Apache-2.0
// A person disarms the cluster while a host is in hand: no command goes out from then on.
#include <gtest/gtest.h>

#include "cluster/disarm.h"
#include "fence/records.h"
#include "fence_fake.h"

namespace rackline::fence {
namespace {

using Outcome = FenceReport::Outcome;

class Disarmed : public testing::Test, protected FenceCluster {
 protected:
  void disarm() { cluster::put(*store, cluster::DisarmMark{"new switches", clock.wall(), "ann", {}}); }
  auto disarms() {
    return [this] { disarm(); };
  }
  // How many commands h1 gets by either plug, when the input ends behind the request.
  int commands(const FenceRequest& request) {
    const auto report = run_one(request);
    EXPECT_EQ(report.outcome, Outcome::kRefused);
    EXPECT_TRUE(report.disarmed);
    EXPECT_NE(report.reason.find("the cluster is disarmed since"), std::string::npos) << report.reason;
    const bool told = report.reason.find("had been told to switch it off") != std::string::npos;
    const int sent = power.plugs["h1"].offs + power.plugs["pdu"].offs;
    EXPECT_EQ(told, sent > 0) << report.reason;
    EXPECT_FALSE(mark("h1"));
    EXPECT_TRUE(journal().open().empty());
    return sent;
  }
};

TEST_F(Disarmed, InADelayStopsTheFirstCommand) {
  methods["h1"][0][0].delay = Milliseconds{4000};
  on_sleep = [this] {
    if (clock.monotonic() >= Milliseconds{2000}) disarm();
  };
  EXPECT_EQ(commands(down("h1", clock)), 0);
}

TEST_F(Disarmed, BetweenTriesStopsTheNext) {
  methods["h1"][0][0].attempts = 3;
  power.plugs["h1"].liar = true;
  power.plugs["h1"].on_command = disarms();
  EXPECT_EQ(commands(down("h1", clock)), 1);
}

TEST_F(Disarmed, BetweenLevelsStopsTheNext) {
  methods["h1"] = {{fake_method("h1")}, {fake_method("pdu", 2)}};
  methods["h1"][0][0].attempts = 1;
  power.plugs["h1"].liar = true;
  power.plugs["h1"].on_command = disarms();
  EXPECT_EQ(commands(down("h1", clock)), 1);
}

TEST_F(Disarmed, BetweenTwoFeedsStopsTheSecond) {
  methods["h1"] = {{fake_method("h1"), fake_method("pdu")}};
  power.plugs["h1"].on_command = disarms();
  EXPECT_EQ(commands(down("h1", clock)), 1);
}

TEST_F(Disarmed, WhileAHostThatFencesItselfIsWaitedForProvesNothing) {
  methods["h1"] = {{self_method()}};
  auto request = down("h1", clock);
  request.state.self_fence_ms = 30'000;
  request.state.watchdog = true;
  on_sleep = [this] {
    if (clock.monotonic() >= Milliseconds{20'000}) disarm();
  };
  EXPECT_EQ(commands(request), 0);
}

TEST_F(Disarmed, AHostThatReadsOffIsNotMarked) {
  power.plugs["h1"].power = bmc::Power::kOff;
  power.plugs["h1"].on_status = disarms();
  EXPECT_EQ(commands(down("h1", clock)), 0);
}

TEST_F(Disarmed, InALaterRoundIsToldToAPersonAndFencedWhenItIsArmed) {
  policy.retry_for = Milliseconds{600'000};
  power.plugs["h1"].liar = true;
  std::vector<FenceReport> reports;
  FenceEngine engine(policy, world(), [&](const FenceReport& report) {
    reports.push_back(report);
    if (report.disarmed) power.plugs["h1"].liar = false;
    if (!report.disarmed && report.outcome != Outcome::kFenced && report.round == 2) disarm();
  });
  on_sleep = [&] {
    if (clock.monotonic() > Milliseconds{500'000}) cluster::remove_disarm(*store);
  };
  engine.request(down("h1", clock));
  engine.wait_until_idle();
  ASSERT_EQ(reports.size(), 4U);
  EXPECT_TRUE(reports[2].disarmed);
  EXPECT_NE(call_for_person(reports[2]), "");
  EXPECT_EQ(reports[3].outcome, Outcome::kFenced);
  EXPECT_EQ(power.plugs["h1"].power, bmc::Power::kOff);
}

TEST_F(Disarmed, WhatAKilledRunLeftOpenIsSettledWhenItIsArmed) {
  journal().begin("f1", "h1", "c1");
  power.plugs["h1"].power = bmc::Power::kOff;
  disarm();
  const auto refused = run({}, true).at(0);
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  EXPECT_FALSE(mark("h1"));
  EXPECT_EQ(journal().open().size(), 1U);
  std::vector<FenceReport> reports;
  FenceEngine engine(policy, world(), [&](const FenceReport& report) { reports.push_back(report); });
  on_sleep = [&] {
    if (clock.monotonic() > Milliseconds{60'000}) cluster::remove_disarm(*store);
  };
  engine.settle();
  engine.wait_until_idle();
  ASSERT_FALSE(reports.empty());
  EXPECT_EQ(reports.back().outcome, Outcome::kFenced);
  EXPECT_EQ(reports.back().id, "f1");
  EXPECT_EQ(mark("h1")->id, "f1");
  EXPECT_TRUE(journal().open().empty());
}

TEST_F(Disarmed, ADryRunSaysWhatWouldBeDoneAndWhatHoldsItBack) {
  policy.dry_run = true;
  disarm();
  const auto report = run_one(down("h1", clock));
  EXPECT_EQ(report.outcome, Outcome::kRefused);
  EXPECT_TRUE(report.planned);
  EXPECT_EQ(
      report.reason,
      "the cluster is disarmed since 2027-01-15T08:00:00Z (by ann): new switches; without that it would "
      "be fenced: its power reads on");
  EXPECT_EQ(power.plugs["h1"].offs, 0);
}

}  // namespace
}  // namespace rackline::fence
