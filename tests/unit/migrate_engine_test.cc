// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/error.h"
#include "base/id.h"
#include "base/interrupt.h"
#include "migrate/engine.h"
#include "migrate/journal.h"
#include "migrate_fake.h"
#include "store/store.h"

namespace rackline::migrate {
namespace {

constexpr std::int64_t kGibibyte = 1LL << 30;

class MigrateTest : public testing::Test {
 protected:
  MigrateTest() : path_(std::filesystem::temp_directory_path() / ("rackline-migrate-" + random_id())) {
    std::filesystem::create_directory(path_);
    store_ = store::Store::open("sqlite:" + (path_ / "state.db").string());
    journal_ = std::make_unique<MoveJournal>(*store_, "migrate", system_clock());
    for (const char* name : {"h1", "h2", "h3"}) {
      MigrationHost host;
      host.host = name;
      host.uri = host.peer_uri = std::string("fake://") + name;
      host.shared_storage = {"/srv"};
      hosts_[name] = host;
    }
    policy_.poll = Milliseconds{5};
    policy_.settle = Milliseconds{400};
    policy_.answer_timeout = Milliseconds{5000};
  }
  ~MigrateTest() override {
    world_->thaw();
    std::filesystem::remove_all(path_);
  }

  static Move move(const std::string& vm, const std::string& from, const std::string& to,
                   std::int64_t stage = 1) {
    Move move;
    move.id = vm + "-" + from + "-" + to;
    move.vm = vm;
    move.from = from;
    move.to = to;
    move.stage = stage;
    return move;
  }

  MigrationEngine engine() {
    return {
        policy_,
        hosts_,
        [this](const MigrationHost& host) { return world_->host(host.host); },
        *journal_,
        system_clock(),
        {.finished = [this](const Move& move, const MoveReport& report) { reports_[move.id] = report; },
         .progress = [this](const Move&, const MoveProgress& progress) { states_.push_back(progress.state); },
         .warn = [this](const std::string& text) { warnings_.push_back(text); },
         .why_closed = why_closed_}};
  }
  act::Tally run(const std::vector<Move>& moves) { return engine().run(moves); }
  MoveReport& report(const Move& move) { return reports_.at(move.id); }

  // As a killed migrate would leave it: the intent is there, and nothing after it.
  void leave_intent(Move move, bool live = true) {
    move.uuid = "uuid-" + move.vm;
    if (live) move.domain_id = 7;
    move.memory_bytes = kGibibyte;
    journal_->intent(move.id, MoveIntent{move, live, false});
  }

  std::filesystem::path path_;
  std::shared_ptr<FakeWorld> world_ = std::make_shared<FakeWorld>();
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<MoveJournal> journal_;
  std::map<std::string, MigrationHost> hosts_;
  MigrationPolicy policy_;
  std::map<std::string, MoveReport> reports_;
  std::function<std::string(const std::string&)> why_closed_;
  std::vector<std::string> states_, warnings_;
};

TEST_F(MigrateTest, MovesARunningVmAndReportsTheTargetsFigures) {
  world_->add("h1", "db1");
  world_->with("h1", "db1", [](FakeWorld::Vm& vm) { vm.autostart = true; });
  const Move db1 = move("db1", "h1", "h2");
  EXPECT_EQ(run({db1})[act::Outcome::kDone], 1);
  EXPECT_EQ(world_->whereabouts("db1"), "h2");
  EXPECT_EQ(report(db1).outcome, act::Outcome::kDone);
  EXPECT_EQ(report(db1).downtime, Milliseconds{42});
  EXPECT_EQ(report(db1).attempts, 1);
  EXPECT_EQ(report(db1).live, true);
  world_->with("h2", "db1", [](FakeWorld::Vm& vm) { EXPECT_TRUE(vm.autostart); });
  EXPECT_TRUE(journal_->open().empty());
}

TEST_F(MigrateTest, ARepeatedPlanIsRecognised) {
  world_->add("h1", "db1");
  const Move db1 = move("db1", "h1", "h2");
  run({db1});
  EXPECT_EQ(run({db1})[act::Outcome::kAlready], 1);
  EXPECT_EQ(world_->begun, 1);
}

TEST_F(MigrateTest, ADecisionThatWasCarriedOutIsNotCarriedOutAgainOnceTheVmCameBack) {
  world_->add("h1", "db1");
  const Move db1 = move("db1", "h1", "h2");
  run({db1});
  run({move("db1", "h2", "h1")});
  EXPECT_EQ(run({db1})[act::Outcome::kRefused], 1);
  EXPECT_EQ(world_->whereabouts("db1"), "h1");
}

TEST_F(MigrateTest, ADryRunChecksAndTouchesNothing) {
  world_->add("h1", "db1");
  world_->add("h1", "db2");
  world_->with("h1", "db2", [](FakeWorld::Vm& vm) { vm.description.disks[0].source = "/var/local/db2"; });
  policy_.dry_run = true;
  const auto summary = run({move("db1", "h1", "h2"), move("db2", "h1", "h2")});
  EXPECT_EQ(summary[act::Outcome::kDone], 1);
  EXPECT_EQ(summary[act::Outcome::kRefused], 1);
  EXPECT_EQ(world_->begun + world_->changes, 0);
  EXPECT_TRUE(report(move("db1", "h1", "h2")).planned);
  EXPECT_TRUE(journal_->open().empty());
}

TEST_F(MigrateTest, RefusesWhatThePlanCannotMean) {
  world_->add("h1", "db1");
  EXPECT_EQ(run({move("db1", "h1", "h9")})[act::Outcome::kRefused], 1);
  EXPECT_EQ(run({move("db1", "h1", "h1")})[act::Outcome::kRefused], 1);
  EXPECT_EQ(run({move("db1", "h1", "h2"), move("db1", "h1", "h3")})[act::Outcome::kRefused], 1);
  EXPECT_THROW(run({move("db1", "h1", "h2"), move("db1", "h1", "h2", 2)}), Error);
  // The second rests on the first, and both are wrong by themselves.
  EXPECT_EQ(run({move("db1", "h9", "h2"), move("db2", "h2", "h9", 2)})[act::Outcome::kRefused], 2);
}

TEST_F(MigrateTest, NothingGoesToAHostThatDoesNotServe) {
  world_->add("h1", "db1");
  world_->add("h1", "db2");
  why_closed_ = [](const std::string& host) {
    if (host == "h3") throw Error(Status::kUnreachable, "read", "the store", "it is locked");
    return host + " is in maintenance";
  };
  const std::vector moves{move("db1", "h1", "h2"), move("db2", "h1", "h3")};
  EXPECT_EQ(run(moves)[act::Outcome::kRefused], 2);
  EXPECT_EQ(report(moves[0]).reason, "h2 is in maintenance");
  EXPECT_NE(report(moves[1]).reason.find("it is locked"), std::string::npos);
  EXPECT_EQ(world_->begun, 0);
  policy_.dry_run = true;
  EXPECT_EQ(run(moves)[act::Outcome::kRefused], 2);
}

TEST_F(MigrateTest, RefusesAnIncompatibleOrFullTarget) {
  world_->add("h1", "db1");
  world_->add("h1", "db2");
  world_->incompatible["h2"] = "h2 lacks AVX";
  world_->free_memory["h3"] = kGibibyte - 1;
  EXPECT_EQ(run({move("db1", "h1", "h2"), move("db2", "h1", "h3")})[act::Outcome::kRefused], 2);
  EXPECT_EQ(world_->begun, 0);
}

TEST_F(MigrateTest, HugePagesAreThoseOfTheTargetsPools) {
  world_->add("h1", "db1");
  world_->with("h1", "db1", [](FakeWorld::Vm& vm) { vm.description.hugepages = {{2 << 20, kGibibyte}}; });
  world_->free_memory["h2"] = world_->free_memory["h3"] = 0;  // beside the pools
  world_->free_hugepages["h2"] = {{2 << 20, kGibibyte - 1}, {1 << 30, 8 * kGibibyte}};
  world_->free_hugepages["h3"] = {{2 << 20, kGibibyte}};
  const Move to_h2 = move("db1", "h1", "h2");
  EXPECT_EQ(run({to_h2})[act::Outcome::kRefused], 1);
  EXPECT_EQ(report(to_h2).reason, "h2 (huge pages of 2MiB) has 1GiB free, it needs 1GiB");
  EXPECT_EQ(run({move("db1", "h1", "h3")})[act::Outcome::kDone], 1);
}

TEST_F(MigrateTest, TwoMovesCannotBothTakeTheLastGigabyte) {
  world_->add("h1", "db1");
  world_->add("h3", "db2");
  world_->free_memory["h2"] = kGibibyte + kGibibyte / 2;
  world_->ending = FakeWorld::Ending::kWhenTold;
  std::thread hand([&] {
    world_->wait_for_migrations(1);
    // Time in which the second must not begin; when the first is over it may, and finds the true figure.
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
    world_->end_migration("db1");
    world_->end_migration("db2");
  });
  const auto summary = run({move("db1", "h1", "h2"), move("db2", "h3", "h2")});
  hand.join();
  EXPECT_EQ(summary[act::Outcome::kDone], 2);
  EXPECT_EQ(world_->most_inbound, 1);
}

// Rule 8.
TEST_F(MigrateTest, KeepsItsLimits) {
  std::vector<Move> moves;
  for (int i = 0; i < 8; ++i) {
    const std::string vm = "vm" + std::to_string(i);
    world_->add(i % 2 == 0 ? "h1" : "h2", vm);
    moves.push_back(move(vm, i % 2 == 0 ? "h1" : "h2", "h3"));
  }
  policy_.max_outbound = 2;
  policy_.max_inbound = 3;
  policy_.max_total = 9;
  world_->ending = FakeWorld::Ending::kWhenTold;
  std::thread hand([&] {
    for (int i = 0; i < 8; ++i) {
      world_->wait_for_migrations(std::min(8, i + 3));
      world_->end_migration(world_->order[static_cast<std::size_t>(i)]);
    }
  });
  EXPECT_EQ(run(moves)[act::Outcome::kDone], 8);
  hand.join();
  EXPECT_LE(world_->most_outbound, 2);
  EXPECT_EQ(world_->most_inbound, 3);
}

TEST_F(MigrateTest, TheLimitOfALinkGoesWithEveryMove) {
  policy_.bandwidth_bytes_per_second = 123'456'789;
  world_->add("h1", "db1");
  world_->add("h2", "db2");
  run({move("db1", "h1", "h2"), move("db2", "h2", "h1")});
  ASSERT_EQ(world_->requests.size(), 2U);
  for (const auto& request : world_->requests) EXPECT_EQ(request.bandwidth_bytes_per_second, 123'456'789);
}

TEST_F(MigrateTest, AMigrationGoesToTheAddressOfItsTargetEncryptedIfAsked) {
  hosts_["h2"].migration_uri = "tcp://10.9.0.2";
  policy_.tls = true;
  world_->add("h1", "db1");
  world_->add("h2", "db2");
  run({move("db1", "h1", "h2"), move("db2", "h2", "h1")});
  ASSERT_EQ(world_->requests.size(), 2U);
  for (const auto& request : world_->requests) {
    EXPECT_TRUE(request.tls);
    EXPECT_EQ(request.migration_uri, request.peer_uri == "fake://h2" ? "tcp://10.9.0.2" : "");
  }
}

TEST_F(MigrateTest, AFailedMoveLeavesTheSourceRunningAndTheOthersGoOn) {
  world_->add("h1", "db1");
  world_->ending = FakeWorld::Ending::kFailure;
  const Move db1 = move("db1", "h1", "h2");
  EXPECT_EQ(run({db1})[act::Outcome::kFailed], 1);
  EXPECT_NE(report(db1).reason.find("it broke"), std::string::npos);
  EXPECT_NE(report(db1).reason.find("h1 runs it"), std::string::npos);
  EXPECT_EQ(world_->whereabouts("db1"), "h1");
  EXPECT_TRUE(journal_->open().empty());
  world_->ending = FakeWorld::Ending::kAtOnce;
  EXPECT_EQ(run({db1})[act::Outcome::kDone], 1) << "a failed move may be repeated";
}

// Rule 10: after the deadline the source runs it, and the target has nothing.
TEST_F(MigrateTest, AtTheDeadlineTheMigrationIsAborted) {
  world_->add("h1", "db1");
  world_->ending = FakeWorld::Ending::kWhenTold;
  policy_.deadline = Milliseconds{30};
  const Move db1 = move("db1", "h1", "h2");
  EXPECT_EQ(run({db1})[act::Outcome::kCancelled], 1);
  EXPECT_NE(report(db1).reason.find("deadline"), std::string::npos);
  EXPECT_EQ(world_->whereabouts("db1"), "h1");
  EXPECT_TRUE(journal_->open().empty());
}

// Rule 10: a copy that libvirt forgot on the target goes, since it never ran.
TEST_F(MigrateTest, RemovesALeftoverThatNeverRan) {
  world_->add("h1", "db1");
  world_->ending = FakeWorld::Ending::kFailure;
  world_->forgets_the_copy = true;
  EXPECT_EQ(run({move("db1", "h1", "h2")})[act::Outcome::kFailed], 1);
  EXPECT_EQ(world_->whereabouts("db1"), "h1");
  EXPECT_EQ(world_->discarded, 1);
}

TEST_F(MigrateTest, WhatCannotBeAbortedIsUnknownAndStaysInTheJournal) {
  world_->add("h1", "db1");
  world_->ending = FakeWorld::Ending::kWhenTold;
  world_->abort_works = false;
  policy_.deadline = Milliseconds{20};
  policy_.settle = Milliseconds{80};
  const Move db1 = move("db1", "h1", "h2");
  EXPECT_EQ(run({db1})[act::Outcome::kUnknown], 1);
  EXPECT_NE(report(db1).reason.find("outcome unknown"), std::string::npos);
  ASSERT_EQ(journal_->open().size(), 1U);
  // Later the migration has ended after all; the repeated command learns it from the hosts.
  world_->end_migration("db1");
  ASSERT_TRUE(world_->wait_until([&] { return world_->total == 0; }));
  EXPECT_EQ(run({db1})[act::Outcome::kDone], 1);
  EXPECT_EQ(world_->begun, 1);
  EXPECT_TRUE(journal_->open().empty());
}

TEST_F(MigrateTest, ASuccessIsBelievedOnlyWhenTheTargetRunsIt) {
  world_->add("h1", "db1");
  world_->confirm_is_lost = true;
  EXPECT_EQ(run({move("db1", "h1", "h2")})[act::Outcome::kDone], 1);
  EXPECT_EQ(world_->whereabouts("db1"), "h2") << "the definition that stayed behind is gone, too";
}

// Rule 9: nothing in post-copy without consent; and with it, said before it happens and in the record.
JobStats never_converging(int poll) {
  JobStats job;
  job.iteration = poll;
  job.total_bytes = 1000;
  job.remaining_bytes = 500;
  job.transferred_bytes = 1000 * poll;
  job.elapsed = Milliseconds{poll};
  return job;
}

TEST_F(MigrateTest, WithoutConsentNothingEverGoesToPostcopy) {
  world_->add("h1", "db1");
  world_->ending = FakeWorld::Ending::kWhenTold;
  world_->statistics = never_converging;
  policy_.deadline = Milliseconds{600};
  const Move db1 = move("db1", "h1", "h2");
  EXPECT_EQ(run({db1})[act::Outcome::kCancelled], 1);
  EXPECT_EQ(world_->postcopied, 0);
  EXPECT_EQ(world_->whereabouts("db1"), "h1");
  ASSERT_GE(world_->requests.size(), 2U);
  EXPECT_FALSE(world_->requests[0].allow_postcopy);
  EXPECT_FALSE(world_->requests[0].auto_converge);
  EXPECT_TRUE(world_->requests[1].auto_converge);
  EXPECT_EQ(report(db1).attempts, 2);
}

TEST_F(MigrateTest, WithConsentPostcopyIsAnnouncedAndRecorded) {
  world_->add("h1", "db1");
  world_->ending = FakeWorld::Ending::kWhenTold;
  world_->statistics = never_converging;
  policy_.allow_postcopy = true;
  policy_.deadline = Milliseconds{10'000};
  const Move db1 = move("db1", "h1", "h2");
  EXPECT_EQ(run({db1})[act::Outcome::kDone], 1);
  EXPECT_EQ(world_->postcopied, 1);
  EXPECT_TRUE(report(db1).postcopy);
  EXPECT_NE(std::find(states_.begin(), states_.end(), "post-copy, guest at risk"), states_.end());
  ASSERT_FALSE(warnings_.empty());
  EXPECT_NE(warnings_.back().find("loses the guest"), std::string::npos);
  EXPECT_EQ(world_->downtimes.front(), policy_.max_downtime);
  EXPECT_NE(std::find(world_->downtimes.begin(), world_->downtimes.end(), policy_.max_downtime_limit),
            world_->downtimes.end());
}

TEST_F(MigrateTest, ARefusedPostcopyIsPrecopyStillAndEndsAtTheDeadline) {
  world_->add("h1", "db1");
  world_->ending = FakeWorld::Ending::kWhenTold;
  world_->statistics = never_converging;
  world_->postcopy_works = false;
  policy_.allow_postcopy = true;
  policy_.deadline = Milliseconds{800};
  const Move db1 = move("db1", "h1", "h2");
  EXPECT_EQ(run({db1})[act::Outcome::kCancelled], 1);
  EXPECT_FALSE(report(db1).postcopy);
  EXPECT_EQ(world_->whereabouts("db1"), "h1");
}

// A host that hangs delays only its own moves.
TEST_F(MigrateTest, AFrozenHostIsATimeoutAndDelaysNobodyElse) {
  world_->add("h1", "db1");
  world_->add("h1", "db2");
  world_->freeze("h3");
  policy_.answer_timeout = Milliseconds{300};
  const Move stuck = move("db1", "h1", "h3");
  const Move free = move("db2", "h1", "h2");
  const auto summary = run({stuck, free});
  EXPECT_EQ(summary[act::Outcome::kDone], 1);
  EXPECT_EQ(summary[act::Outcome::kFailed], 1);
  EXPECT_NE(report(stuck).reason.find("h3: no answer within 300ms"), std::string::npos);
  EXPECT_LT(report(free).elapsed, Milliseconds{300});
  EXPECT_TRUE(journal_->open().empty()) << "nothing was begun";
}

TEST_F(MigrateTest, ATargetThatFreezesInTheMiddleIsUnknownUntilItAnswers) {
  world_->add("h1", "db1");
  world_->ending = FakeWorld::Ending::kWhenTold;
  policy_.answer_timeout = Milliseconds{100};
  policy_.settle = Milliseconds{200};
  std::thread hand([&] {
    world_->wait_for_migrations(1);
    world_->freeze("h2");
    world_->end_migration("db1");
  });
  const Move db1 = move("db1", "h1", "h2");
  EXPECT_EQ(run({db1})[act::Outcome::kUnknown], 1);
  hand.join();
  EXPECT_EQ(journal_->open().size(), 1U);
  world_->thaw();
  EXPECT_EQ(run({db1})[act::Outcome::kDone], 1);
  EXPECT_EQ(world_->begun, 1);
}

// Rule 12: an intent without a result is unknown, and the hosts are asked before anything is done again.
TEST_F(MigrateTest, AnInterruptedMoveThatIsDoneIsNotDoneAgain) {
  world_->add("h2", "db1");
  const Move db1 = move("db1", "h1", "h2");
  leave_intent(db1);
  EXPECT_EQ(run({db1})[act::Outcome::kDone], 1);
  EXPECT_EQ(world_->begun, 0);
  EXPECT_TRUE(journal_->open().empty());
}

TEST_F(MigrateTest, AnInterruptedMoveThatNeverHappenedIsDoneNow) {
  world_->add("h1", "db1");
  leave_intent(move("db1", "h1", "h2"));
  EXPECT_EQ(run(engine().open_moves())[act::Outcome::kDone], 1);
  EXPECT_EQ(world_->whereabouts("db1"), "h2");
}

TEST_F(MigrateTest, AMigrationThatGoesOnIsAdoptedAndNotBegunTwice) {
  world_->add("h1", "db1");
  world_->ending = FakeWorld::Ending::kWhenTold;
  std::thread former([&] { world_->host("h1")->migrate({"uuid-db1", "fake://h2", 0, false, false}); });
  ASSERT_TRUE(world_->wait_for_migrations(1));
  leave_intent(move("db1", "h1", "h2"));
  std::thread hand([&] {
    world_->wait_until([&] { return world_->asked >= 2; });
    world_->end_migration("db1");
  });
  EXPECT_EQ(run(engine().open_moves())[act::Outcome::kDone], 1);
  former.join();
  hand.join();
  EXPECT_EQ(world_->begun, 1);
  EXPECT_EQ(world_->whereabouts("db1"), "h2");
}

TEST_F(MigrateTest, AnAdoptedMigrationHasADeadlineToo) {
  world_->add("h1", "db1");
  world_->ending = FakeWorld::Ending::kWhenTold;
  std::thread former([&] {
    EXPECT_THROW(world_->host("h1")->migrate({"uuid-db1", "fake://h2", 0, false, false}), virt::VirtError);
  });
  ASSERT_TRUE(world_->wait_for_migrations(1));
  leave_intent(move("db1", "h1", "h2"));
  policy_.deadline = Milliseconds{30};
  EXPECT_EQ(run(engine().open_moves())[act::Outcome::kCancelled], 1);
  former.join();
  EXPECT_EQ(world_->whereabouts("db1"), "h1");
}

TEST_F(MigrateTest, TwoRunningCopiesAreReportedAndNotTouched) {
  world_->add("h1", "db1");
  world_->add("h2", "db1");
  const Move db1 = move("db1", "h1", "h2");
  leave_intent(db1);
  const auto summary = run({db1});
  EXPECT_TRUE(report(db1).inconsistent);
  EXPECT_EQ(summary[act::Outcome::kUnknown], 1);
  EXPECT_EQ(world_->begun + world_->changes + world_->aborted, 0);
  EXPECT_EQ(world_->whereabouts("db1"), "h1 h2");
  EXPECT_EQ(journal_->open().size(), 1U);
}

TEST_F(MigrateTest, AVmWithAnUnsettledMoveIsNotMovedByAnotherPlan) {
  world_->add("h1", "db1");
  leave_intent(move("db1", "h1", "h3"));
  EXPECT_EQ(run({move("db1", "h1", "h2")})[act::Outcome::kRefused], 1);
  EXPECT_EQ(world_->begun, 0);
}

// Rules 14 and 17: a definition is on the target before it leaves the source, at whatever point it stopped
// before.
TEST_F(MigrateTest, AStoppedVmMovesAsADefinition) {
  world_->add("h1", "db1", false);
  world_->with("h1", "db1", [](FakeWorld::Vm& vm) { vm.autostart = true; });
  const Move db1 = move("db1", "h1", "h2");
  EXPECT_EQ(run({db1})[act::Outcome::kDone], 1);
  EXPECT_EQ(world_->whereabouts("db1"), "h2(off)");
  EXPECT_EQ(report(db1).live, false);
  world_->with("h2", "db1", [](FakeWorld::Vm& vm) { EXPECT_TRUE(vm.autostart); });
}

TEST_F(MigrateTest, ADefinitionThatTheTargetDoesNotTakeStays) {
  world_->add("h1", "db1", false);
  world_->define_error = "unsupported";
  const Move db1 = move("db1", "h1", "h2");
  EXPECT_EQ(run({db1})[act::Outcome::kFailed], 1);
  EXPECT_EQ(world_->whereabouts("db1"), "h1(off)");
  EXPECT_TRUE(journal_->open().empty());
}

TEST_F(MigrateTest, ADefinitionThatIsOnBothHostsLeavesTheSource) {
  world_->add("h1", "db1", false);
  world_->add("h2", "db1", false);
  leave_intent(move("db1", "h1", "h2"), false);
  EXPECT_EQ(run(engine().open_moves())[act::Outcome::kDone], 1);
  EXPECT_EQ(world_->whereabouts("db1"), "h2(off)");
}

TEST_F(MigrateTest, ADefinitionThatDiffersOnTheTargetIsNotTakenForOurs) {
  world_->add("h1", "db1", false);
  world_->add("h2", "db1", false);
  world_->with("h2", "db1", [](FakeWorld::Vm& vm) { vm.description.disks[0].source = "/srv/other"; });
  const Move db1 = move("db1", "h1", "h2");
  leave_intent(db1, false);
  run(engine().open_moves());
  EXPECT_TRUE(report(db1).inconsistent);
  EXPECT_EQ(world_->whereabouts("db1"), "h1(off) h2(off)");
}

TEST_F(MigrateTest, AStoppedVmNeedsNoMemory) {
  world_->add("h1", "db1", false);
  world_->free_memory["h2"] = 0;
  EXPECT_EQ(run({move("db1", "h1", "h2")})[act::Outcome::kDone], 1);
}

TEST_F(MigrateTest, StagesWaitForOneAnotherAndDependantsOfAFailureAreRefused) {
  world_->add("h1", "db1");
  world_->add("h3", "db2");
  world_->with("h1", "db1", [](FakeWorld::Vm& vm) { vm.facts.job = true; });
  const auto summary = run({move("db1", "h1", "h2", 1), move("db2", "h3", "h1", 2)});
  EXPECT_EQ(summary[act::Outcome::kRefused], 2);
  EXPECT_EQ(world_->begun, 0);
}

TEST_F(MigrateTest, AVolumeHasToBeTheSameFileOnTheTarget) {
  world_->add("h1", "db1");
  world_->with("h1", "db1", [](FakeWorld::Vm& vm) {
    vm.description.disks = {{"vda", "file", "/srv/vm/db1.qcow2", "images", "db1.qcow2"}};
  });
  const Move to_h2 = move("db1", "h1", "h2");
  run({to_h2});
  EXPECT_EQ(report(to_h2).reason, "h2 does not have the volume db1.qcow2 of the storage pool images");
  world_->pools["h2/images"] = "/srv/other";
  run({to_h2});
  EXPECT_EQ(report(to_h2).reason,
            "the volume db1.qcow2 of the storage pool images is /srv/other/db1.qcow2 on h2 and "
            "/srv/vm/db1.qcow2 on h1");
  EXPECT_EQ(report(to_h2).outcome, act::Outcome::kRefused);
  EXPECT_EQ(world_->begun, 0);
  world_->pools["h2/images"] = "/srv/vm";
  run({to_h2});
  EXPECT_EQ(world_->whereabouts("db1"), "h2");
}

TEST_F(MigrateTest, ATargetWithoutItsNetworkIsRefusedBeforeAnythingHappens) {
  world_->add("h1", "db1");
  world_->with("h1", "db1", [](FakeWorld::Vm& vm) { vm.description.networks = {{"bridge", "br7"}}; });
  world_->without_network = {"h2"};
  const Move to_h2 = move("db1", "h1", "h2");
  const Move to_h3 = move("db1", "h1", "h3");
  policy_.dry_run = true;
  run({to_h2});
  EXPECT_EQ(report(to_h2).reason, "h2 has no network br7");
  policy_.dry_run = false;
  run({to_h2});
  EXPECT_EQ(report(to_h2).outcome, act::Outcome::kRefused);
  EXPECT_EQ(world_->changes, 0);
  run({to_h3});
  EXPECT_EQ(world_->whereabouts("db1"), "h3");
}

TEST_F(MigrateTest, TheIntentIsInTheJournalWhileTheServerMoves) {
  world_->add("h1", "db1");
  world_->ending = FakeWorld::Ending::kWhenTold;
  bool written = false;
  std::thread hand([&] {
    world_->wait_for_migrations(1);
    written = store_->get("journal/migrate/db1-h1-h2").has_value();
    world_->end_migration("db1");
  });
  run({move("db1", "h1", "h2")});
  hand.join();
  EXPECT_TRUE(written);
}

TEST_F(MigrateTest, WithoutAWritableJournalNothingIsBegun) {
  world_->add("h1", "db1");
  store_->commit({{}, {{"journal/migrate/db1-h1-h2", "{}"}}, {}});
  EXPECT_ANY_THROW(run({move("db1", "h1", "h2")}));
  EXPECT_EQ(world_->begun, 0);
}

TEST_F(MigrateTest, SnapshotsOfAStoppedServerGoAlong) {
  world_->add("h1", "db1", false);
  const Move db1 = move("db1", "h1", "h2");
  world_->with("h1", "db1", [](FakeWorld::Vm& vm) {
    vm.snapshots = {{"clean", "<a/>", false}, {"patched", "<b/>", true}};
  });
  world_->bad_snapshot = "patched";
  run({db1});
  EXPECT_EQ(report(db1).outcome, act::Outcome::kFailed);
  EXPECT_NE(report(db1).reason.find("h2 does not take its snapshot patched"), std::string::npos)
      << report(db1).reason;
  EXPECT_EQ(world_->whereabouts("db1"), "h1(off)");
  world_->with("h1", "db1", [](FakeWorld::Vm& vm) { EXPECT_EQ(vm.snapshots.size(), 2u); });
  world_->bad_snapshot.clear();
  run({db1});
  EXPECT_EQ(world_->whereabouts("db1"), "h2(off)");
  world_->with("h2", "db1", [](FakeWorld::Vm& vm) {
    ASSERT_EQ(vm.snapshots.size(), 2u);
    EXPECT_EQ(vm.snapshots[0].name, "clean");
    EXPECT_TRUE(vm.snapshots[1].current);
  });
}

// --- media ---

void load_iso(FakeWorld::Vm& vm) {
  VmDisk iso{"sda", "file", "/var/iso/debian.iso"};
  iso.cdrom = true;
  vm.description.disks.push_back(iso);
}

std::size_t disks_of(FakeWorld& world, const std::string& host, const std::string& vm) {
  std::size_t number = 0;
  world.with(host, vm, [&](FakeWorld::Vm& found) { number = found.description.disks.size(); });
  return number;
}

TEST_F(MigrateTest, AMediumThatTheTargetDoesNotSeeIsTakenOutByWordOnly) {
  world_->add("h1", "db1");
  world_->with("h1", "db1", load_iso);
  const Move db1 = move("db1", "h1", "h2");
  run({db1});
  EXPECT_EQ(report(db1).outcome, act::Outcome::kRefused);
  EXPECT_NE(report(db1).reason.find("--eject"), std::string::npos) << report(db1).reason;
  EXPECT_EQ(world_->changes, 0);
  policy_.eject = true;
  run({db1});
  EXPECT_EQ(report(db1).outcome, act::Outcome::kDone);
  EXPECT_EQ(report(db1).ejected, std::vector<std::string>{"/var/iso/debian.iso"});
  EXPECT_EQ(disks_of(*world_, "h2", "db1"), 1u);
}

TEST_F(MigrateTest, AMediumOnSharedStorageStaysInItsDrive) {
  world_->add("h1", "db1");
  world_->with("h1", "db1", [](FakeWorld::Vm& vm) {
    load_iso(vm);
    vm.description.disks.back().source = "/srv/iso/debian.iso";
  });
  policy_.eject = true;
  const Move db1 = move("db1", "h1", "h2");
  run({db1});
  EXPECT_TRUE(report(db1).ejected.empty());
  EXPECT_EQ(disks_of(*world_, "h2", "db1"), 2u);
}

TEST_F(MigrateTest, WhatWasEjectedComesBackWhenItDoesNotMove) {
  world_->add("h1", "db1");
  world_->with("h1", "db1", load_iso);
  policy_.eject = true;
  world_->ending = FakeWorld::Ending::kFailure;
  const Move db1 = move("db1", "h1", "h2");
  run({db1});
  EXPECT_EQ(report(db1).outcome, act::Outcome::kFailed);
  EXPECT_NE(report(db1).reason.find("/var/iso/debian.iso is back"), std::string::npos) << report(db1).reason;
  EXPECT_EQ(disks_of(*world_, "h1", "db1"), 2u);
  EXPECT_EQ(world_->whereabouts("db1"), "h1");
}

TEST_F(MigrateTest, WhatItsGuestDoesNotLetGoStaysAndNothingMoves) {
  world_->add("h1", "db1");
  world_->with("h1", "db1", [](FakeWorld::Vm& vm) {
    load_iso(vm);
    load_iso(vm);
    vm.description.disks.back().target = "sdb";
  });
  world_->locked_drives = {"sdb"};
  policy_.eject = true;
  const Move db1 = move("db1", "h1", "h2");
  run({db1});
  EXPECT_EQ(report(db1).outcome, act::Outcome::kFailed);
  EXPECT_EQ(world_->begun, 0);
  EXPECT_EQ(disks_of(*world_, "h1", "db1"), 3u);
}

TEST_F(MigrateTest, WhatAKilledRunEjectedComesBackOrStaysOutWithTheMove) {
  Move db1 = move("db1", "h1", "h2");
  db1.uuid = "uuid-db1";
  db1.domain_id = 7;
  world_->add("h1", "db1");
  MoveIntent intent{.move = db1};
  intent.ejected = {{"sda", "/var/iso/debian.iso", "<disk/>", "<disk/>"}};
  journal_->intent(db1.id, intent);
  world_->free_memory["h2"] = 0;  // it cannot go on
  run({db1});
  EXPECT_EQ(report(db1).outcome, act::Outcome::kRefused);
  EXPECT_EQ(disks_of(*world_, "h1", "db1"), 2u);

  world_->remove("h1", "db1");
  world_->add("h2", "db1");
  journal_->intent(db1.id, intent);
  run({db1});
  EXPECT_EQ(report(db1).outcome, act::Outcome::kDone);
  EXPECT_EQ(report(db1).ejected, std::vector<std::string>{"/var/iso/debian.iso"});
  EXPECT_EQ(disks_of(*world_, "h2", "db1"), 1u);
}

// --- disks that are copied ---

class CopyTest : public MigrateTest {
 protected:
  CopyTest() {
    policy_.copy_disks = true;
    add();
  }
  void add() {
    world_->add("h1", "db1");
    world_->with("h1", "db1", [](FakeWorld::Vm& vm) {
      VmDisk data{"vdb", "file", kPath};
      data.format = "qcow2";
      vm.description.disks.push_back(data);
    });
    world_->images[std::string("h1:") + kPath] = kGibibyte;
  }
  bool has_image(const std::string& host) { return world_->images.contains(host + ":" + kPath); }
  // As a killed migrate would leave it after it had made the image, or just before.
  void leave_copy(bool made) {
    Move open = db1_;
    open.uuid = "uuid-db1";
    open.domain_id = 7;
    MoveIntent intent{.move = open};
    intent.copies = {{"vdb", kPath, "qcow2", "", kGibibyte, 1000, made}};
    journal_->intent(open.id, intent);
    world_->images[std::string("h2:") + kPath] = kGibibyte;
  }

  static constexpr const char* kPath = "/var/local/db1.qcow2";
  const Move db1_ = move("db1", "h1", "h2");
};

TEST_F(CopyTest, ALocalDiskGoesAlongAndItsOriginalStays) {
  run({db1_});
  EXPECT_EQ(report(db1_).outcome, act::Outcome::kDone) << report(db1_).reason;
  EXPECT_EQ(report(db1_).copied, std::vector<std::string>{kPath});
  ASSERT_EQ(world_->requests.size(), 1u);
  EXPECT_EQ(world_->requests[0].disks, std::vector<std::string>{"vdb"}) << "and not the shared one";
  EXPECT_TRUE(has_image("h1") && has_image("h2"));
}

TEST_F(CopyTest, WithoutTheWordItIsRefusedAndTheWordIsNamed) {
  policy_.copy_disks = false;
  run({db1_});
  EXPECT_EQ(report(db1_).outcome, act::Outcome::kRefused);
  EXPECT_NE(report(db1_).reason.find("--copy-disks"), std::string::npos) << report(db1_).reason;
  EXPECT_EQ(world_->changes, 0);
}

TEST_F(CopyTest, WhatIsInItsPlaceOnTheTargetIsLeftAlone) {
  world_->images[std::string("h2:") + kPath] = 5;
  run({db1_});
  EXPECT_EQ(report(db1_).outcome, act::Outcome::kRefused);
  EXPECT_EQ(world_->changes, 0);
}

TEST_F(CopyTest, OfAFailedMoveTheNewImageGoesAndTheOldOneStays) {
  world_->ending = FakeWorld::Ending::kFailure;
  run({db1_});
  EXPECT_EQ(report(db1_).outcome, act::Outcome::kFailed);
  EXPECT_EQ(world_->whereabouts("db1"), "h1");
  EXPECT_TRUE(has_image("h1"));
  EXPECT_FALSE(has_image("h2"));
}

TEST_F(CopyTest, OneImageThatCannotBeMadeTakesTheOthersWithIt) {
  world_->with("h1", "db1", [](FakeWorld::Vm& vm) {
    VmDisk logs{"vdc", "file", "/var/local/logs"};
    logs.format = "raw";
    vm.description.disks.push_back(logs);
  });
  world_->images["h1:/var/local/logs"] = kGibibyte;
  world_->full = "/var/local/logs";
  run({db1_});
  EXPECT_EQ(report(db1_).outcome, act::Outcome::kFailed);
  EXPECT_EQ(world_->begun, 0);
  EXPECT_FALSE(has_image("h2"));
}

TEST_F(CopyTest, WhatAKilledRunMadeIsRemovedAndWhatItMayNotHaveMadeIsNot) {
  leave_copy(true);
  policy_.copy_disks = false;
  run({db1_});
  EXPECT_EQ(report(db1_).outcome, act::Outcome::kRefused) << "it is begun anew, without the word";
  EXPECT_FALSE(has_image("h2"));
  leave_copy(false);
  run({db1_});
  EXPECT_TRUE(has_image("h2"));
  EXPECT_TRUE(journal_->open().empty());
}

TEST_F(CopyTest, WhileTheSourceIsNotSeenToRunItTheNewImageStays) {
  leave_copy(true);
  world_->with("h1", "db1", [](FakeWorld::Vm& vm) {
    vm.facts.state = VmState::kShutoff;
    vm.facts.domain_id.reset();
  });
  run({db1_});
  EXPECT_TRUE(has_image("h2"));
}

TEST_F(CopyTest, ACopyOfAnotherSizeIsNoCopy) {
  world_->too_large = 512;
  run({db1_});
  EXPECT_EQ(report(db1_).outcome, act::Outcome::kUnknown);
  EXPECT_TRUE(report(db1_).inconsistent);
  EXPECT_NE(report(db1_).reason.find("another size"), std::string::npos) << report(db1_).reason;
  EXPECT_TRUE(has_image("h1"));
}

// In a process of its own, since a stop that was asked for stays asked for.
TEST_F(MigrateTest, AStopRollsBackWhatRunsAndBeginsNothing) {
  world_->add("h1", "db1");
  world_->add("h1", "db2");
  world_->ending = FakeWorld::Ending::kWhenTold;
  policy_.max_total = 1;
  const auto stopped_run = [&] {
    interrupt::install();
    std::thread hand([&] {
      world_->wait_for_migrations(1);
      interrupt::request(SIGINT);
    });
    const auto summary = run({move("db1", "h1", "h2"), move("db2", "h1", "h2")});
    hand.join();
    EXPECT_EQ(summary[act::Outcome::kCancelled], 2);
    EXPECT_EQ(world_->begun, 1);
    EXPECT_EQ(world_->whereabouts("db1"), "h1");
    EXPECT_EQ(report(move("db2", "h1", "h2")).reason, "not begun");
    EXPECT_TRUE(journal_->open().empty());
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(stopped_run(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace rackline::migrate
