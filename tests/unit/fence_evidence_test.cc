// SPDX-License-Identifier: Apache-2.0
// What a fencing rests on: verdicts against the times of signs of life, marks and journals that are torn, a
// store that fails after the command, and persons who want their turn.
#include <gtest/gtest.h>

#include "base/error.h"
#include "fence/manual.h"
#include "fence_fake.h"

namespace rackline::fence {
namespace {

using Outcome = FenceReport::Outcome;
using std::chrono::seconds;

class Evidence : public testing::Test, protected FenceCluster {
 protected:
  FenceEngine& engine() {
    if (!engine_) {
      auto here = world();
      here.warn = [this](const std::string& text) { warned.push_back(text); };
      engine_.emplace(policy, std::move(here),
                      [this](const FenceReport& report) { reports.push_back(report); });
    }
    return *engine_;
  }
  FenceReport fence(const FenceRequest& request) {
    engine().request(request);
    engine().wait_until_idle();
    return reports.at(reports.size() - 1);
  }
  FenceRequest verdict(seconds ago, const std::string& id) {
    auto request = down("h1", clock);
    request.state.time -= ago;
    request.state.id = id;
    return request;
  }
  int offs() { return power.plugs["h1"].offs; }
  void tear(const std::string& key) { store->commit({{}, {{key, "torn"}}, {}}); }

  std::vector<FenceReport> reports;
  std::vector<std::string> warned;

 private:
  std::optional<FenceEngine> engine_;
};

TEST_F(Evidence, AVerdictThatIsOlderThanASignOfLifeIsWithdrawn) {
  engine().alive("h1", clock.wall());
  EXPECT_EQ(fence(verdict(seconds{20}, "a")).outcome, Outcome::kWithdrawn);
  EXPECT_EQ(offs(), 0);
  // Of the same second the later word counts, and so does a newer one.
  EXPECT_EQ(fence(verdict(seconds{0}, "b")).outcome, Outcome::kFenced);
}

TEST_F(Evidence, AVerdictThatWasAnsweredIsNotActedOnAgain) {
  const auto first = verdict(seconds{0}, "a");
  power.plugs["h1"].on_status = [&] { engine().alive("h1", clock.wall()); };
  EXPECT_EQ(fence(first).outcome, Outcome::kWithdrawn);
  power.plugs["h1"].on_status = {};
  EXPECT_EQ(fence(first).outcome, Outcome::kWithdrawn);
  EXPECT_EQ(offs(), 0);
  clock.advance(Milliseconds{2000});
  EXPECT_EQ(fence(verdict(seconds{0}, "b")).outcome, Outcome::kFenced);
}

TEST_F(Evidence, LifeOfLongAgoWithdrawsNothing) {
  power.plugs["h1"].on_status = [&] { engine().alive("h1", clock.wall() - std::chrono::days{9}); };
  EXPECT_EQ(fence(verdict(seconds{0}, "a")).outcome, Outcome::kFenced);
}

TEST_F(Evidence, AClockThatIsSetBackALittleDoesNotHideLife) {
  power.plugs["h1"].on_status = [&] { engine().alive("h1", clock.wall() - seconds{5}); };
  EXPECT_EQ(fence(verdict(seconds{0}, "a")).outcome, Outcome::kWithdrawn);
  EXPECT_EQ(offs(), 0);
}

TEST_F(Evidence, LifeOfTheFutureSparesNobodyForLong) {
  engine().alive("h1", clock.wall() + std::chrono::years{100});
  clock.advance(Milliseconds{2000});
  EXPECT_EQ(fence(verdict(seconds{0}, "a")).outcome, Outcome::kFenced);
}

TEST_F(Evidence, ThatContradictsItselfCallsAPersonAndStopsWhatIsInHand) {
  auto odd = verdict(seconds{0}, "b");
  odd.state.net = "alive";
  power.plugs["h1"].on_status = [&] { engine().request(odd); };
  EXPECT_EQ(fence(verdict(seconds{0}, "a")).outcome, Outcome::kWithdrawn);
  EXPECT_EQ(offs(), 0);
  EXPECT_EQ(reports.at(0).outcome, Outcome::kRefused);
  EXPECT_TRUE(reports.at(0).needs_person);
}

TEST_F(Evidence, TornEntriesOfOthersStopNobodyAndAreToldOnce) {
  tear("fence/zzz");
  tear("journal/fence/x");
  engine().settle();
  EXPECT_EQ(fence(verdict(seconds{0}, "a")).outcome, Outcome::kFenced);
  auto other = down("h2", clock);
  EXPECT_EQ(fence(other).outcome, Outcome::kFenced);
  EXPECT_EQ(warned.size(), 2U);
}

TEST_F(Evidence, ATornMarkCountsAsAFencedHost) {
  tear("fence/h4");
  tear("fence/h5");
  EXPECT_EQ(fence(verdict(seconds{0}, "a")).outcome, Outcome::kRefused);
  EXPECT_EQ(offs(), 0);
}

TEST_F(Evidence, APersonWritesOverATornMark) {
  tear("fence/h1");
  power.plugs["h1"].mute = true;
  auto here = world();
  const auto report = confirm_off(here, policy, "h1", "ann", [](const auto&) { return std::string(); });
  EXPECT_EQ(report.outcome, Outcome::kFenced);
  EXPECT_EQ(mark("h1")->id, report.id);
  tear("fence/h1");
  power.plugs["h1"].mute = false;
  EXPECT_EQ(unfence(here, policy, "h1").outcome, act::Outcome::kRefused);
  policy.force = true;
  EXPECT_EQ(unfence(here, policy, "h1").outcome, act::Outcome::kDone);
  EXPECT_EQ(mark("h1")->state, cluster::FenceMark::State::kReturning);
}

TEST_F(Evidence, APersonsWordIsNotTakenAgainstAHostThatAnswers) {
  power.plugs["h1"].mute = true;
  auto here = world();
  const HostAnswer answers = [](const std::string&) { return std::string("its libvirtd runs app1"); };
  const auto refused = confirm_off(here, policy, "h1", "ann", answers);
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  EXPECT_EQ(refused.reason, "h1 answers: its libvirtd runs app1; it is not off (--force)");
  EXPECT_FALSE(mark("h1"));
  policy.force = true;
  const auto forced = confirm_off(here, policy, "h1", "ann", answers);
  EXPECT_EQ(forced.outcome, Outcome::kFenced);
  EXPECT_NE(forced.power.evidence.find("by force, although it answered"), std::string::npos);
}

TEST_F(Evidence, HeartbeatsWordAboutALivingHostIsAnAnswer) {
  cluster::HealthMark health{"h1", "hypervisor_dead", "no libvirtd", clock.wall(), clock.wall()};
  put(*store, health);
  EXPECT_NE(answer_of_heartbeat(*store, "h1", clock.wall()), "");
  EXPECT_EQ(answer_of_heartbeat(*store, "h1", clock.wall() + seconds{61}), "");
  health.verdict = "suspect";
  put(*store, health);
  EXPECT_EQ(answer_of_heartbeat(*store, "h1", clock.wall()), "");
}

TEST_F(Evidence, ATryEndsEarlyForAPersonAndTheLockIsHis) {
  policy.retry_for = Milliseconds{600'000};
  power.plugs["h1"].deaf = true;
  std::optional<FenceWish> wish;
  Milliseconds wished{0};
  power.plugs["h1"].on_status = [&] {
    if (wish || !reports.empty()) return;
    wished = clock.monotonic();
    wish.emplace(*store, "h1", clock.wall());
  };
  bool free = false;
  on_sleep = [&] {
    if (!wish || clock.monotonic() < wished + Milliseconds{30'000}) return;
    free = static_cast<bool>(store->try_lock("fence"));
    power.plugs["h1"].deaf = false;
    wish.reset();
  };
  EXPECT_EQ(fence(verdict(seconds{0}, "a")).outcome, Outcome::kFenced);
  EXPECT_TRUE(free);
  EXPECT_LT(reports.at(0).elapsed, Milliseconds{20'000});
  EXPECT_EQ(reports.at(0).outcome, Outcome::kFailed);
}

TEST_F(Evidence, AWishThatWasLeftBehindIsForgotten) {
  store->commit({{}, {{"fence-wish/h1", "{\"time\":\"2020-01-01T00:00:00Z\"}"}}, {}});
  EXPECT_EQ(fence(verdict(seconds{0}, "a")).outcome, Outcome::kFenced);
}

TEST_F(Evidence, APersonWaitsForTheLockAndIsTold) {
  auto other = store->try_lock("fence");
  power.plugs["h1"].mute = true;
  on_sleep = [&] {
    if (clock.monotonic() > Milliseconds{40'000}) other.reset();
  };
  auto here = world();
  here.warn = [this](const std::string& text) { warned.push_back(text); };
  EXPECT_EQ(confirm_off(here, policy, "h1", "ann", [](const auto&) { return std::string(); }).outcome,
            Outcome::kFenced);
  EXPECT_EQ(warned.size(), 1U);
  EXPECT_TRUE(store->list("fence-wish/").empty());
}

TEST_F(Evidence, MaintenanceThatIsAnnouncedInADelayIsSeen) {
  methods["h1"][0][0].delay = Milliseconds{4000};
  on_sleep = [&] {
    if (clock.monotonic() < Milliseconds{2000}) return;
    put(*store, cluster::MaintenanceMark{"h1", "new fans", clock.wall()});
  };
  EXPECT_EQ(fence(verdict(seconds{0}, "a")).outcome, Outcome::kRefused);
  EXPECT_EQ(offs(), 0);
}

TEST_F(Evidence, MaintenanceThatIsAnnouncedBetweenTriesIsSeen) {
  power.plugs["h1"].liar = true;
  power.plugs["h1"].on_command = [&] {
    put(*store, cluster::MaintenanceMark{"h1", "new fans", clock.wall()});
  };
  EXPECT_EQ(fence(verdict(seconds{0}, "a")).outcome, Outcome::kRefused);
  EXPECT_EQ(offs(), 1);
}

TEST_F(Evidence, WhatAKilledRunLeftOpenIsNotMarkedInMaintenance) {
  journal().begin("f1", "h1", "c1");
  power.plugs["h1"].power = bmc::Power::kOff;
  put(*store, cluster::MaintenanceMark{"h1", "new fans", clock.wall()});
  engine().settle();
  engine().wait_until_idle();
  EXPECT_EQ(reports.at(0).outcome, Outcome::kRefused);
  EXPECT_FALSE(mark("h1"));
  EXPECT_TRUE(journal().open().empty());
}

TEST_F(Evidence, WhatWasDoneIsToldThoughTheStoreFails) {
  power.plugs["h1"].on_command = [&] { tear("fence/h1"); };
  const auto report = fence(verdict(seconds{0}, "a"));
  EXPECT_EQ(report.outcome, Outcome::kFailed);
  EXPECT_EQ(report.power.attempts, 1);
  EXPECT_EQ(report.power.after, bmc::Power::kOff);
  EXPECT_NE(report.reason.find("had been told to switch it off, and its power reads off"), std::string::npos);
  EXPECT_EQ(journal().open().size(), 1U);
}

TEST(Doubt, ALineThatCannotBeReadMayBeLife) {
  const std::set<std::string> all{"h1", "h2"};
  const std::set<std::string> one{"h1"}, none;
  EXPECT_EQ(maybe_alive(R"({"kind":"host_up","host":"h1","silent_ms":"x"})", all), one);
  EXPECT_EQ(maybe_alive(R"("host": "h1","verdict":"alive"})", all), one);
  EXPECT_EQ(maybe_alive(R"({"kind":"host_up","time":"2026-11)", all), all);
  EXPECT_EQ(maybe_alive(R"({"kind":"host_up","host":"h)", all), all);
  EXPECT_EQ(maybe_alive(R"({"kind":"host_up","host":"h9",)", all), none);
  EXPECT_EQ(maybe_alive(R"({"kind":"host_down","host":"h1",)", all), none);
  EXPECT_EQ(maybe_alive("heartbeat: cannot read", all), none);
}

}  // namespace
}  // namespace rackline::fence
