// SPDX-License-Identifier: Apache-2.0
// Life after death: what becomes of a fencing whose host shows life, and of one that fails.
#include <gtest/gtest.h>

#include "base/error.h"
#include "fence_fake.h"

namespace rackline::fence {
namespace {

using Outcome = FenceReport::Outcome;

// A store that others keep locked until a time.
class LockedStore final : public store::Store {
 public:
  LockedStore(store::Store& real, const Clock& clock) : real_(real), clock_(clock) {}

  std::optional<store::Entry> get(std::string_view key) override {
    check();
    return real_.get(key);
  }
  std::vector<store::Entry> list(std::string_view prefix) override {
    check();
    return real_.list(prefix);
  }
  std::optional<std::int64_t> commit(const store::Transaction& transaction) override {
    check();
    const auto version = real_.commit(transaction);
    if (on_commit) on_commit();
    return version;
  }
  std::optional<store::Lock> try_lock(std::string_view name) override { return real_.try_lock(name); }

  Milliseconds locked_until{0};
  Status why = Status::kBusy;
  std::function<void()> on_commit;

 private:
  void check() const {
    if (clock_.monotonic() < locked_until) throw Error(why, "read store", "state.db", "database is locked");
  }
  store::Store& real_;
  const Clock& clock_;
};

class Life : public testing::Test, protected FenceCluster {
 protected:
  Life() { policy.retry_for = Milliseconds{600'000}; }

  FenceEngine& engine() {
    if (!engine_) {
      auto here = world();
      engine_.emplace(policy, FenceEngine::World{locked, here.power, here.time, here.stopping, here.methods},
                      [this](const FenceReport& report) { reports.push_back(report); });
    }
    return *engine_;
  }
  void fence(const FenceRequest& request) {
    engine().request(request);
    engine().wait_until_idle();
  }
  void alive_at(Milliseconds time) {
    on_sleep = [this, time] {
      if (clock.monotonic() >= time && !told_) {
        told_ = true;
        engine().alive("h1", clock.wall());
      }
    };
  }
  FenceReport last() const { return reports.at(reports.size() - 1); }
  void expect_withdrawn() {
    ASSERT_FALSE(reports.empty());
    EXPECT_EQ(last().outcome, Outcome::kWithdrawn);
    EXPECT_NE(last().reason.find("it is up again since the record was written"), std::string::npos);
    EXPECT_FALSE(last().needs_person);
    EXPECT_FALSE(mark("h1"));
    EXPECT_TRUE(journal().open().empty());
  }
  FakeSwitch::Plug& plug(const std::string& name) { return power.plugs[name]; }

  LockedStore locked{*store, clock};
  std::vector<FenceReport> reports;

 private:
  bool told_ = false;
  std::optional<FenceEngine> engine_;
};

TEST_F(Life, InADelayEndsItAtOnce) {
  methods["h1"][0][0].delay = Milliseconds{6000};
  alive_at(Milliseconds{2000});
  fence(down("h1", clock));
  expect_withdrawn();
  EXPECT_EQ(plug("h1").offs, 0);
  EXPECT_LT(clock.monotonic(), Milliseconds{3000});
}

TEST_F(Life, InASlowReadingIsAskedForBeforeTheCommand) {
  plug("h1").on_status = [this] { engine().alive("h1", clock.wall()); };
  fence(down("h1", clock));
  expect_withdrawn();
  EXPECT_EQ(plug("h1").offs, 0);
  EXPECT_EQ(last().power.after, bmc::Power::kOn);
  EXPECT_TRUE(store->list("journal/").empty());
}

TEST_F(Life, WhileTheIntentWaitsForTheStoreNothingIsTold) {
  plug("h1").on_status = [this] { locked.locked_until = clock.monotonic() + Milliseconds{5000}; };
  alive_at(Milliseconds{4000});
  fence(down("h1", clock));
  expect_withdrawn();
  EXPECT_EQ(plug("h1").offs, 0);
  EXPECT_LT(clock.monotonic(), Milliseconds{5000});
}

TEST_F(Life, WhileTheIntentIsWrittenIsAskedForBeforeTheCommand) {
  locked.on_commit = [this] { engine().alive("h1", clock.wall()); };
  fence(down("h1", clock));
  expect_withdrawn();
  EXPECT_EQ(plug("h1").offs, 0);
}

TEST_F(Life, BetweenTheFeedsOfALevelTheSecondIsNotTold) {
  methods["h1"] = {{fake_method("a"), fake_method("b")}};
  plug("a").on_command = [this] { engine().alive("h1", clock.wall()); };
  fence(down("h1", clock));
  expect_withdrawn();
  EXPECT_EQ(plug("a").offs, 1);
  EXPECT_EQ(plug("b").offs, 0);
  EXPECT_NE(last().reason.find("had been told to switch it off, and its power reads on"), std::string::npos);
}

TEST_F(Life, BetweenAttemptsNothingMoreIsTried) {
  plug("h1").liar = true;
  Milliseconds lives{0}, read{0};
  plug("h1").on_command = [&] {
    lives = clock.monotonic();
    engine().alive("h1", clock.wall());
  };
  plug("h1").on_status = [&] { read = clock.monotonic(); };
  fence(down("h1", clock));
  expect_withdrawn();
  EXPECT_EQ(plug("h1").offs, 1);
  EXPECT_GT(read, lives);
  EXPECT_LT(read, lives + Milliseconds{5000});  // by the first attempt
}

TEST_F(Life, BetweenLevelsTheNextIsNotEvenAsked) {
  methods["h1"] = {{fake_method("a")}, {fake_method("b", 2)}};
  plug("a").deaf = true;
  plug("a").on_status = [this] { engine().alive("h1", clock.wall()); };
  fence(down("h1", clock));
  expect_withdrawn();
  EXPECT_EQ(plug("a").offs + plug("b").offs + plug("b").readings, 0);
}

TEST_F(Life, AHostThatWasSwitchedOffAllTheSameIsFenced) {
  plug("h1").on_command = [this] { engine().alive("h1", clock.wall()); };
  fence(down("h1", clock));
  EXPECT_EQ(last().outcome, Outcome::kFenced);
  EXPECT_NE(last().power.evidence.find("it showed life"), std::string::npos);
  EXPECT_EQ(plug("h1").readings, 3);
  EXPECT_TRUE(mark("h1"));
}

TEST_F(Life, WhatWasReadBeforeItProvesNothing) {
  int readings = 0;
  plug("h1").on_status = [&] {
    // It was off for one reading, and lives again.
    if (++readings == 3) engine().alive("h1", clock.wall());
  };
  fence(down("h1", clock));
  EXPECT_EQ(last().outcome, Outcome::kFenced);
  EXPECT_EQ(plug("h1").readings, 5);
}

TEST_F(Life, OfAHostThatReadsOffAndWasToldNothingIsNoFence) {
  plug("h1").power = bmc::Power::kOff;
  plug("h1").on_status = [this] { engine().alive("h1", clock.wall()); };
  fence(down("h1", clock));
  expect_withdrawn();
  EXPECT_NE(last().reason.find("find out which machine its fence method switches"), std::string::npos);
}

TEST_F(Life, AfterTheProofAndBeforeTheMarkNothingIsMarked) {
  int readings = 0;
  plug("h1").on_status = [&] {
    if (++readings == 3) locked.locked_until = clock.monotonic() + Milliseconds{5000};
  };
  alive_at(Milliseconds{2000});
  fence(down("h1", clock));
  EXPECT_EQ(plug("h1").offs, 1);
  expect_withdrawn();
}

TEST_F(Life, EndsTheWaitForAHostThatFencesItself) {
  methods["h1"] = {{self_method()}};
  auto request = down("h1", clock);
  request.state.self_fence_ms = 30'000;
  request.state.watchdog = true;
  alive_at(Milliseconds{20'000});
  fence(request);
  expect_withdrawn();
  EXPECT_LT(clock.monotonic(), Milliseconds{21'000});
}

TEST_F(Life, EndsTheWaitForTheLock) {
  const auto other = store->try_lock("fence");
  alive_at(Milliseconds{3000});
  fence(down("h1", clock));
  expect_withdrawn();
  EXPECT_LT(clock.monotonic(), Milliseconds{4000});
}

TEST_F(Life, OfAHostThatAKilledRunLeftOpenIsNoFence) {
  journal().begin("f1", "h1", "c1");
  plug("h1").power = bmc::Power::kOff;
  plug("h1").on_status = [this] { engine().alive("h1", clock.wall()); };
  engine().settle();
  engine().wait_until_idle();
  expect_withdrawn();
}

TEST_F(Life, AfterTheMarkMakesAReadingOfOffWorthless) {
  fence(down("h1", clock));
  EXPECT_EQ(last().outcome, Outcome::kFenced);
  engine().contradicted({"h1", clock.wall()});
  clock.advance(Milliseconds{2000});
  fence(down("h1", clock));
  EXPECT_EQ(last().outcome, Outcome::kRefused);
  EXPECT_TRUE(last().needs_person);
}

TEST_F(Life, ThatContradictsAFenceIsKnownByTheFenceAndNotByTheClockOfWhoeverMadeIt) {
  fence(down("h1", clock));
  auto mark = *cluster::fence_mark(*store, "h1");
  mark.time = clock.wall() + std::chrono::seconds{30};
  ASSERT_TRUE(put(*store, mark));
  engine().contradicted({"h1", clock.wall(), mark.id});
  engine().contradicted({"h1", clock.wall(), "an earlier one"});
  clock.advance(Milliseconds{2000});
  fence(down("h1", clock));
  EXPECT_EQ(last().outcome, Outcome::kRefused);
  EXPECT_TRUE(last().needs_person);
}

TEST_F(Life, AfterTheMarkIsForgottenWhenAPersonMarksItAnew) {
  fence(down("h1", clock));
  engine().contradicted({"h1", clock.wall()});
  clock.advance(Milliseconds{5000});
  auto mark = *cluster::fence_mark(*store, "h1");
  mark.id = "by a person";
  mark.time = clock.wall();
  ASSERT_TRUE(put(*store, mark));
  fence(down("h1", clock));
  EXPECT_EQ(last().outcome, Outcome::kFenced);
  EXPECT_EQ(last().id, "by a person");
}

TEST_F(Life, AFencingThatFailedIsRepeatedUntilItIsDone) {
  plug("h1").mute = plug("h1").liar = true;
  on_sleep = [this] {
    if (clock.monotonic() > Milliseconds{200'000}) plug("h1").mute = plug("h1").liar = false;
  };
  fence(down("h1", clock));
  ASSERT_GE(reports.size(), 3U);
  EXPECT_EQ(last().outcome, Outcome::kFenced);
  EXPECT_EQ(reports[0].retry, Milliseconds{5000});
  EXPECT_EQ(reports[1].retry, Milliseconds{10'000});
  EXPECT_NE(reports[0].id, reports[1].id);
  EXPECT_EQ(engine().outcomes()[Outcome::kFailed], 0);
  EXPECT_TRUE(journal().open().empty());
}

TEST_F(Life, AsAHostStaysDownItsRecordDoesNotGrowOld) {
  policy.max_age = Milliseconds{1000};
  plug("h1").mute = plug("h1").liar = true;
  on_sleep = [this] {
    if (clock.monotonic() > Milliseconds{100'000}) plug("h1").mute = plug("h1").liar = false;
  };
  fence(down("h1", clock));
  EXPECT_EQ(last().outcome, Outcome::kFenced);
}

TEST_F(Life, IsAskedForBeforeEachFurtherRound) {
  plug("h1").liar = true;
  std::size_t offs = 0;
  on_sleep = [&] {
    if (reports.size() != 1 || offs > 0) return;
    offs = static_cast<std::size_t>(plug("h1").offs);
    engine().alive("h1", clock.wall());
  };
  fence(down("h1", clock));
  ASSERT_EQ(reports.size(), 2U);
  expect_withdrawn();
  EXPECT_EQ(plug("h1").offs, 2);
  EXPECT_LT(last().elapsed - reports[0].elapsed, Milliseconds{1000});
}

TEST_F(Life, RoundsAreBoundedAndThenAPersonIsCalledOnceMore) {
  plug("h1").liar = true;
  fence(down("h1", clock));
  EXPECT_EQ(last().outcome, Outcome::kFailed);
  EXPECT_FALSE(last().retry);
  EXPECT_TRUE(last().needs_person);
  EXPECT_NE(last().reason.find("--retry-for"), std::string::npos);
  EXPECT_LE(clock.monotonic(), policy.retry_for + policy.deadline);
  EXPECT_EQ(engine().outcomes()[Outcome::kFailed], 1);
}

TEST_F(Life, ANewerRequestTakesThePlaceOfARepeatedOne) {
  plug("h1").liar = true;
  bool again = false;
  on_sleep = [&] {
    if (reports.size() != 2 || again) return;
    again = true;
    plug("h1").liar = false;
    engine().request(down("h1", clock));
  };
  fence(down("h1", clock));
  ASSERT_EQ(reports.size(), 3U);
  EXPECT_EQ(last().outcome, Outcome::kFenced);
  EXPECT_EQ(last().round, 1);
}

TEST_F(Life, WhenNobodyWatchesAnyMoreNothingIsRepeated) {
  plug("h1").liar = true;
  engine().request(down("h1", clock));
  engine().wait();
  EXPECT_EQ(last().outcome, Outcome::kFailed);
  EXPECT_FALSE(last().retry);
  EXPECT_LE(reports.size(), 2U);
}

TEST_F(Life, ALockedStoreIsWaitedFor) {
  locked.locked_until = Milliseconds{18'000};
  fence(down("h1", clock));
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(last().outcome, Outcome::kFenced);
}

TEST_F(Life, AStoreOutOfReachIsTriedAgain) {
  locked.locked_until = Milliseconds{18'000};
  locked.why = Status::kUnreachable;
  fence(down("h1", clock));
  EXPECT_EQ(reports.at(0).retry, Milliseconds{5000});
  EXPECT_EQ(last().outcome, Outcome::kFenced);
}

TEST_F(Life, ABusyLockIsTriedAgain) {
  auto other = store->try_lock("fence");
  on_sleep = [&] {
    if (clock.monotonic() > Milliseconds{100'000}) other.reset();
  };
  fence(down("h1", clock));
  EXPECT_EQ(reports.at(0).outcome, Outcome::kBusy);
  EXPECT_EQ(last().outcome, Outcome::kFenced);
}

TEST_F(Life, APersonWhoConfirmsEndsTheRounds) {
  plug("h1").deaf = true;
  bool confirmed = false;
  on_sleep = [&] {
    if (reports.size() != 2 || confirmed) return;
    confirmed = true;
    ASSERT_TRUE(put(*store, cluster::FenceMark{"h1", "m1", "", "manual", clock.wall()}));
  };
  fence(down("h1", clock));
  EXPECT_EQ(last().outcome, Outcome::kFenced);
  EXPECT_TRUE(last().already);
  EXPECT_EQ(last().id, "m1");
}

TEST_F(Life, AHostThatOnlyFencesItselfIsNotTriedAgain) {
  methods["h1"] = {{self_method()}};
  fence(down("h1", clock));
  EXPECT_EQ(reports.size(), 1U);
}

}  // namespace
}  // namespace rackline::fence
