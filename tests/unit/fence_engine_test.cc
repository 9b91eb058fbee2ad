// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/error.h"
#include "fence/manual.h"
#include "fence_fake.h"

namespace rackline::fence {
namespace {

using Outcome = FenceReport::Outcome;

class Engine : public testing::Test, protected FenceCluster {};

// A host that does not answer.
std::string silent(const std::string& /*host*/) {
  return {};
}

TEST_F(Engine, TheIntentIsWrittenBeforeTheFirstCommandAndTheMarkBeforeTheResult) {
  bool intent = false, marked = true;
  power.plugs["h1"].on_command = [&] {
    intent = journal().open().size() == 1;
    marked = mark("h1").has_value();
  };
  bool marked_when_told = false;
  FenceEngine engine(policy, world(), [&](const FenceReport& report) {
    marked_when_told = mark("h1") && mark("h1")->id == report.id;
  });
  engine.request(down("h1", clock));
  engine.wait();
  EXPECT_TRUE(intent);
  EXPECT_FALSE(marked);
  EXPECT_TRUE(marked_when_told);
  EXPECT_TRUE(journal().open().empty());
}

TEST_F(Engine, AFailureLeavesNoMarkAndNothingOpen) {
  power.plugs["h1"].liar = true;
  const auto report = run_one(down("h1", clock));
  EXPECT_EQ(report.outcome, Outcome::kFailed);
  EXPECT_TRUE(report.needs_person);
  EXPECT_FALSE(mark("h1"));
  EXPECT_TRUE(journal().open().empty());
}

TEST_F(Engine, AFencedHostThatIsOffIsTheSameFencing) {
  const auto first = run_one(down("h1", clock));
  const auto again = run_one(down("h1", clock));
  EXPECT_TRUE(again.already);
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(power.plugs["h1"].offs, 1);
}

TEST_F(Engine, AReturningHostThatDiedIsANewFencingWhateverItsPowerReads) {
  const auto first = run_one(down("h1", clock));
  for (const bmc::Power reads : {bmc::Power::kOn, bmc::Power::kOff}) {
    auto returning = *mark("h1");
    returning.state = cluster::FenceMark::State::kReturning;
    ASSERT_TRUE(put(*store, returning));
    power.plugs["h1"].power = reads;
    const auto again = run_one(down("h1", clock));
    EXPECT_EQ(again.outcome, Outcome::kFenced);
    EXPECT_FALSE(again.already);
    EXPECT_NE(again.id, first.id);
    EXPECT_EQ(mark("h1")->state, cluster::FenceMark::State::kFenced);
    EXPECT_EQ(mark("h1")->id, again.id);
  }
}

TEST_F(Engine, NeverMoreThanHalfOfTheHosts) {
  EXPECT_EQ(run_one(down("h1", clock)).outcome, Outcome::kFenced);
  EXPECT_EQ(run_one(down("h2", clock)).outcome, Outcome::kFenced);
  EXPECT_EQ(run_one(down("h3", clock)).outcome, Outcome::kRefused);
  // Not even by proof that it is off already: its virtual servers would be started elsewhere.
  power.plugs["h4"].power = bmc::Power::kOff;
  EXPECT_EQ(run_one(down("h4", clock)).outcome, Outcome::kRefused);
  EXPECT_FALSE(mark("h4"));
  EXPECT_EQ(power.plugs["h3"].offs, 0);
  policy.force = true;
  EXPECT_EQ(run_one(down("h3", clock)).outcome, Outcome::kFenced);
}

TEST_F(Engine, HostsInHandCountAsFenced) {
  std::mutex mutex;
  std::condition_variable settled;
  std::map<Outcome, int> outcomes;
  int commands = 0;
  const auto hosts = {"h1", "h2", "h3", "h4", "h5"};
  for (const char* host : hosts) {
    // Nobody is marked as fenced before it is known of all what becomes of them.
    power.plugs[host].on_command = [&] {
      std::unique_lock lock(mutex);
      ++commands;
      settled.notify_all();
      settled.wait_for(lock, std::chrono::seconds(5),
                       [&] { return commands + outcomes[Outcome::kRefused] >= 5; });
    };
  }
  {
    FenceEngine engine(policy, world(), [&](const FenceReport& report) {
      const std::lock_guard guard(mutex);
      ++outcomes[report.outcome];
      settled.notify_all();
    });
    for (const char* host : hosts) engine.request(down(host, clock));
    engine.wait();
  }
  EXPECT_EQ(outcomes[Outcome::kFenced], 2);
  EXPECT_EQ(outcomes[Outcome::kRefused], 3);
}

TEST_F(Engine, ALoopOfFencingsEndsWithAPerson) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(run_one(down("h1", clock)).outcome, Outcome::kFenced) << i;
    ASSERT_TRUE(remove(*store, *mark("h1")));
    power.plugs["h1"].power = bmc::Power::kOn;
    clock.advance(Milliseconds{60'000});
  }
  const auto fourth = run_one(down("h1", clock));
  EXPECT_EQ(fourth.outcome, Outcome::kRefused);
  EXPECT_TRUE(fourth.needs_person);
  EXPECT_EQ(power.plugs["h1"].offs, 3);
  clock.advance(policy.loop_window);
  EXPECT_EQ(run_one(down("h1", clock)).outcome, Outcome::kFenced);
}

TEST_F(Engine, AHostInMaintenanceIsNotFenced) {
  put(*store, cluster::MaintenanceMark{"h1", "new fans", clock.wall()});
  EXPECT_EQ(run_one(down("h1", clock)).outcome, Outcome::kRefused);
  EXPECT_EQ(power.plugs["h1"].offs, 0);
}

TEST_F(Engine, AMarkThatCannotBeReadIsNotTakenForNone) {
  store->commit({{}, {{"fence/h1", "nonsense"}}, {}});
  EXPECT_EQ(run_one(down("h1", clock)).outcome, Outcome::kFailed);
  EXPECT_EQ(power.plugs["h1"].offs, 0);
}

TEST_F(Engine, AHostThatCameUpWhileItWaitedIsNotFenced) {
  std::vector<FenceReport> reports;
  FenceEngine* self = nullptr;
  FenceEngine engine(policy, world(), [&](const FenceReport& report) { reports.push_back(report); });
  self = &engine;
  // The second request waits behind the first, and meanwhile the host is up.
  power.plugs["h1"].on_command = [&] {
    self->request(down("h1", clock));
    self->alive("h1", clock.wall());
  };
  engine.request(down("h1", clock));
  engine.wait();
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[1].outcome, Outcome::kWithdrawn);
}

TEST_F(Engine, NothingIsBegunAfterAStopIsAskedFor) {
  stopping = true;
  EXPECT_EQ(run_one(down("h1", clock)).outcome, Outcome::kRefused);
  EXPECT_EQ(power.plugs["h1"].offs, 0);
}

TEST_F(Engine, WithoutTheLockNothingIsDone) {
  policy.lock_patience = policy.max_age = Milliseconds{0};
  const auto other = store->try_lock("fence");
  EXPECT_EQ(run_one(down("h1", clock)).outcome, Outcome::kBusy);
  EXPECT_EQ(power.plugs["h1"].offs, 0);
}

TEST_F(Engine, TheLockIsFreeBetweenRequests) {
  FenceEngine engine(policy, world(), [](const FenceReport&) {});
  EXPECT_TRUE(store->try_lock("fence"));
  engine.request(down("h1", clock));
  engine.wait();
  EXPECT_TRUE(store->try_lock("fence"));
}

TEST_F(Engine, AResultThatCannotBeToldIsToldByWait) {
  FenceEngine engine(policy, world(), [](const FenceReport&) {
    throw Error(Status::kUnreachable, "write records", "stdout", "no space left");
  });
  engine.request(down("h1", clock));
  EXPECT_THROW(engine.wait(), Error);
  EXPECT_TRUE(mark("h1"));
}

TEST_F(Engine, ADryRunOnlyReads) {
  policy.dry_run = true;
  const auto report = run_one(down("h1", clock));
  EXPECT_TRUE(report.planned);
  EXPECT_EQ(report.power.after, bmc::Power::kOn);
  EXPECT_EQ(power.plugs["h1"].offs, 0);
  EXPECT_TRUE(store->list("journal/").empty());
}

TEST_F(Engine, AnOpenIntentOfAHostThatIsOffIsProvenAndMarked) {
  journal().begin("f1", "h1", "c1");
  power.plugs["h1"].power = bmc::Power::kOff;
  const auto reports = run({}, true);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].outcome, Outcome::kFenced);
  EXPECT_EQ(reports[0].id, "f1");
  EXPECT_EQ(reports[0].cause, "c1");
  EXPECT_EQ(mark("h1")->id, "f1");
  EXPECT_EQ(power.plugs["h1"].offs, 0);
  EXPECT_TRUE(run({}, true).empty());
}

TEST_F(Engine, AnOpenIntentOfAHostThatIsOnIsClosedAndNotCarriedOut) {
  journal().begin("f1", "h1", "c1");
  const auto reports = run({}, true);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].outcome, Outcome::kFailed);
  EXPECT_EQ(power.plugs["h1"].offs, 0);
  EXPECT_FALSE(mark("h1"));
  EXPECT_TRUE(run({}, true).empty());
}

TEST_F(Engine, AnOpenIntentStaysOpenWhileThePowerCannotBeRead) {
  journal().begin("f1", "h1", "c1");
  power.plugs["h1"].mute = true;
  EXPECT_EQ(run({}, true).at(0).outcome, Outcome::kFailed);
  power.plugs["h1"].mute = false;
  power.plugs["h1"].power = bmc::Power::kOff;
  EXPECT_EQ(run({}, true).at(0).outcome, Outcome::kFenced);
}

TEST_F(Engine, AnOpenIntentDoesNotReplaceALaterFencing) {
  journal().begin("f1", "h1", "c1");
  clock.advance(Milliseconds{5000});
  ASSERT_TRUE(put(*store, cluster::FenceMark{"h1", "f2", "c2", "manual", clock.wall()}));
  power.plugs["h1"].power = bmc::Power::kOff;
  const auto reports = run({}, true);
  EXPECT_EQ(reports.at(0).id, "f2");
  EXPECT_TRUE(reports.at(0).already);
  EXPECT_EQ(mark("h1")->id, "f2");
}

TEST_F(Engine, WhatAKilledRunLeftOpenIsOvertakenByTheNextFencing) {
  journal().begin("f1", "h1", "c1");
  EXPECT_EQ(run_one(down("h1", clock)).outcome, Outcome::kFenced);
  EXPECT_TRUE(journal().open().empty());
}

TEST_F(Engine, APersonsWordIsNotTakenAgainstThePower) {
  auto here = world();
  EXPECT_EQ(confirm_off(here, policy, "h1", "ann", silent).outcome, Outcome::kRefused);
  EXPECT_FALSE(mark("h1"));
  power.plugs["h1"].mute = true;
  const auto report = confirm_off(here, policy, "h1", "ann", silent);
  EXPECT_EQ(report.outcome, Outcome::kFenced);
  EXPECT_NE(report.power.evidence.find("ann"), std::string::npos);
  EXPECT_EQ(mark("h1")->method, "manual");
  EXPECT_EQ(confirm_off(here, policy, "h1", "ann", silent).id, report.id);
  EXPECT_THROW(confirm_off(here, policy, "h9", "ann", silent), Error);
}

// The mark that was there proves nothing any more: what is started now rests on another one.
TEST_F(Engine, APersonsWordAfterASignOfLifeIsAnotherMark) {
  const auto first = run_one(down("h1", clock));
  auto here = world();
  EXPECT_EQ(confirm_off(here, policy, "h1", "ann", silent).id, first.id);
  clock.advance(Milliseconds{5000});
  put(*store, cluster::HealthMark{"h1", "fence_contradicted", "it beats", clock.wall(), clock.wall()});
  clock.advance(Milliseconds{5000});
  const auto again = confirm_off(here, policy, "h1", "ann", silent);
  EXPECT_NE(again.id, first.id);
  EXPECT_EQ(mark("h1")->id, again.id);
  EXPECT_EQ(confirm_off(here, policy, "h1", "ann", silent).id, again.id) << "and that one stands";
}

TEST_F(Engine, UnfenceMarksAsReturningBeforeItSwitchesOn) {
  run_one(down("h1", clock));
  bool returning = false;
  power.plugs["h1"].on_command = [&] {
    returning = mark("h1")->state == cluster::FenceMark::State::kReturning;
  };
  auto here = world();
  EXPECT_EQ(unfence(here, policy, "h1").outcome, act::Outcome::kDone);
  EXPECT_TRUE(returning);
  EXPECT_EQ(power.plugs["h1"].power, bmc::Power::kOn);
  EXPECT_EQ(unfence(here, policy, "h1").outcome, act::Outcome::kAlready);
  EXPECT_EQ(unfence(here, policy, "h2").outcome, act::Outcome::kAlready);
}

}  // namespace
}  // namespace rackline::fence
