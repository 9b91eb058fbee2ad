// SPDX-License-Identifier: Apache-2.0
// Two hundred schedules of silence and return against delays, slow and failing controllers and two levels, in
// simulated time: a host that shows life gets no power command after the engine was told, and one that stays
// down is fenced in the end.
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "fence_fake.h"

namespace rackline::fence {
namespace {

using Outcome = FenceReport::Outcome;

constexpr Milliseconds kStep{50};
constexpr Milliseconds kUntilDown{3000};  // from the last heartbeat to host_down
constexpr Milliseconds kUntilUp{300};     // from a heartbeat to host_up

// One host and its watcher. Each moment that passes, in the engine or in the test, is seen here.
class Schedule final : public bmc::PowerSwitch {
 public:
  Schedule(unsigned seed, store::Store& store) : store_(store), random_(seed) {
    bool silent = true;
    Milliseconds at{0};
    for (int turns = pick(0, 4); turns > 0; --turns) {
      at += Milliseconds{pick(100, 20'000)};
      silent = !silent;
      turns_.push_back({at, silent});
    }
    for (const char* plug : {"bmc", "pdu"}) {
      auto& control = controls_[plug];
      control.slow = Milliseconds{pick(0, 2) == 0 ? pick(200, 2000) : 20};
      control.late = Milliseconds{pick(0, 2) == 0 ? pick(200, 3000) : 0};
      control.deaf_until = Milliseconds{pick(0, 2) == 0 ? pick(1000, 120'000) : 0};
      control.failing = pick(0, 2) == 0 ? 40 : 0;
    }
    bmc::FenceLevel level{fake_method("bmc")};
    level[0].delay = Milliseconds{pick(0, 2) == 0 ? pick(500, 8000) : 0};
    level[0].attempts = pick(1, 3);
    level[0].timeout = Milliseconds{pick(4000, 20'000)};
    levels = {level};
    if (pick(0, 1) == 0) levels.push_back({fake_method("pdu", 2)});
    if (pick(0, 4) == 0) {
      lock_ = store_.try_lock("fence");
      unlock_at_ = Milliseconds{pick(1000, 20'000)};
    }
  }

  void begin(FenceEngine& engine) {
    engine_ = &engine;
    tell_down();
  }
  // Time passes, and the watcher tells what it sees.
  void pass(Milliseconds time) {
    for (const auto until = clock.monotonic() + time; clock.monotonic() < until;) {
      clock.advance(std::min(kStep, until - clock.monotonic()));
      look();
    }
  }
  bool has_more() const { return !turns_.empty() || told_dead_ != dead_now() || cut_at_; }

  bmc::AgentReply call(const bmc::FenceMethod& method, bmc::PowerAction action,
                       Milliseconds timeout) override {
    const auto control = controls_[method.option("plug")];
    if (action == bmc::PowerAction::kOff && !told_dead_) ++commands_against_life;
    if (clock.monotonic() < control.deaf_until || control.slow > timeout) {
      pass(timeout);
      return {bmc::Power::kUnknown, false, "no answer"};
    }
    pass(control.slow);
    if (pick(1, 100) <= control.failing) return {bmc::Power::kUnknown, false, "an error"};
    if (action == bmc::PowerAction::kStatus) return {on ? bmc::Power::kOn : bmc::Power::kOff, true, {}};
    ++commands;
    if (!cut_at_ && on) cut_at_ = clock.monotonic() + control.late;
    return {bmc::Power::kUnknown, true, {}};
  }

  bool ends_down() const { return !on || silent_; }

  SharedClock clock;
  bmc::FenceLevels levels;
  bool on = true;
  int commands = 0, commands_against_life = 0;

 private:
  struct Turn {
    Milliseconds at;
    bool silent;
  };
  struct Control {
    Milliseconds slow{0}, late{0}, deaf_until{0};
    int failing = 0;  // percent of the calls
  };

  int pick(int least, int most) { return std::uniform_int_distribution(least, most)(random_); }
  bool dead_now() const { return silent_ || !on; }

  void look() {
    const auto now = clock.monotonic();
    if (lock_ && now >= unlock_at_) lock_.reset();
    const bool was_dead = dead_now();
    if (cut_at_ && now >= *cut_at_) {
      cut_at_.reset();
      on = false;
    }
    while (!turns_.empty() && now >= turns_.front().at) {
      silent_ = turns_.front().silent;
      turns_.erase(turns_.begin());
    }
    if (dead_now() != was_dead) changed_ = now;
    if (told_dead_ && !dead_now() && now >= changed_ + kUntilUp) {
      told_dead_ = false;
      engine_->alive("h1", clock.wall());
    }
    if (!told_dead_ && dead_now() && now >= changed_ + kUntilDown) tell_down();
  }
  void tell_down() {
    told_dead_ = true;
    engine_->request(down("h1", clock));
  }

  store::Store& store_;
  std::mt19937 random_;
  std::map<std::string, Control> controls_;
  std::vector<Turn> turns_;
  std::optional<store::Lock> lock_;
  Milliseconds unlock_at_{0}, changed_{0};
  std::optional<Milliseconds> cut_at_;
  bool silent_ = true, told_dead_ = true;
  FenceEngine* engine_ = nullptr;
};

TEST(FenceCampaign, NoHostIsSwitchedOffAfterItsLifeWasToldAndEachThatStaysDownIsFenced) {
  const store::ScratchDirectory scratch;
  int fenced = 0, withdrawn = 0, repeated = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto store =
        store::Store::open("sqlite:" + (scratch.path() / (std::to_string(seed) + ".db")).string());
    Schedule host(seed, *store);
    FencePolicy policy;
    std::map<std::string, bmc::FenceLevels> methods{{"h1", host.levels}};
    for (const char* other : {"h2", "h3"}) methods[other] = {{fake_method(other)}};
    std::vector<FenceReport> reports;
    {
      FenceEngine engine(policy,
                         {*store,
                          host,
                          {host.clock, [&](Milliseconds time) { host.pass(time); }},
                          [] { return false; },
                          methods},
                         [&](const FenceReport& report) {
                           reports.push_back(report);
                           EXPECT_FALSE(report.outcome == Outcome::kFenced && host.on)
                               << "told that it is off";
                           if (report.outcome == Outcome::kWithdrawn) ++withdrawn;
                           if (report.retry) ++repeated;
                         });
      host.begin(engine);
      do {
        engine.wait_until_idle();
        host.pass(kStep);
      } while (host.has_more());
      engine.wait_until_idle();
      engine.wait();
    }
    EXPECT_EQ(host.commands_against_life, 0);
    EXPECT_TRUE(FenceJournal(*store, host.clock).open().empty());
    ASSERT_FALSE(reports.empty());
    if (host.ends_down()) {
      EXPECT_EQ(reports.back().outcome, Outcome::kFenced) << reports.back().reason;
      EXPECT_TRUE(cluster::fence_mark(*store, "h1"));
      ++fenced;
    } else {
      EXPECT_EQ(reports.back().outcome, Outcome::kWithdrawn) << reports.back().reason;
      EXPECT_FALSE(cluster::fence_mark(*store, "h1"));
    }
  }
  // The schedules are about something.
  EXPECT_GT(fenced, 50);
  EXPECT_GT(withdrawn, 50);
  EXPECT_GT(repeated, 20);
}

}  // namespace
}  // namespace rackline::fence
