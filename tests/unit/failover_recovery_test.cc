// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <set>

#include "cluster/disarm.h"
#include "failover/recovery.h"
#include "failover_fake.h"
#include "reserve/ledger_store.h"
#include "store_urls.h"

namespace rackline::failover {
namespace {

class RecoveryTest : public testing::Test {
 protected:
  RecoveryTest() : store_(store::Store::open("sqlite:" + (directory_.path() / "state.db").string())) {
    policy_.poll = Milliseconds{1};
    policy_.timeout = Milliseconds{2000};
    policy_.verify_timeout = Milliseconds{300};
    policy_.settle = Milliseconds{20};
    policy_.lock_timeout = Milliseconds{0};
    inventory_ = fake_hosts(cluster_, 4);
  }

  // A VM that ran on h1 and is protected.
  Protected& vm(const std::string& name, const std::string& host = "h1") {
    cluster_.add(host, name);
    Protected& vm = vms_.emplace_back(fake_protected(name, host));
    return vm;
  }
  void protect() {
    for (const auto& vm : vms_) ASSERT_TRUE(put(*store_, vm));
  }
  record::HostFenced fence(const std::string& host, const std::string& id) {
    cluster_.kill(host);
    cluster::FenceMark mark;
    mark.host = host;
    mark.id = id;
    mark.cause = "incident";
    mark.method = "fake";
    if (const auto old = cluster::fence_mark(*store_, host)) mark.version = old->version;
    EXPECT_TRUE(put(*store_, mark));
    return record_of(host, id);
  }
  static record::HostFenced record_of(const std::string& host, const std::string& id) {
    record::HostFenced fenced;
    fenced.id = id;
    fenced.host = host;
    fenced.method = "fake";
    fenced.power_after = "off";
    fenced.verified = true;
    return fenced;
  }
  Recovery recovery() { return recovery(*store_); }
  Recovery recovery(store::Store& store) {
    return {policy_,
            inventory_,
            cluster_,
            store,
            system_clock(),
            [this](const probe::Check&, Milliseconds) { return on_check_(), probe::Answer{serves_}; },
            {.restarted = [this](const record::VmRestarted& record) { restarted_.push_back(record); },
             .not_restarted = [this](const record::VmNotRestarted& r) { not_restarted_.push_back(r); },
             .warn = [this](const std::string& text) { warnings_ += text + "\n"; }}};
  }
  // A new world.
  void reset() {
    for (const auto& entry : store_->list("")) ASSERT_TRUE(store_->commit({{}, {}, {entry.key}}));
    for (const char* name : {"h1", "h2", "h3", "h4"}) cluster_.at(name) = {};
    cluster_.started.clear();
    vms_.clear();
  }
  std::string host_in_store(const std::string& vm) { return protected_vm(*store_, vm)->host; }

  store::ScratchDirectory directory_;
  std::unique_ptr<store::Store> store_;
  FakeCluster cluster_;
  std::vector<record::Host> inventory_;
  RecoveryPolicy policy_;
  std::deque<Protected> vms_;
  bool serves_ = true;
  std::function<void()> on_check_ = [] {};  // while one was started and others wait for it
  std::vector<record::VmRestarted> restarted_;
  std::vector<record::VmNotRestarted> not_restarted_;
  std::string warnings_;
};

TEST_F(RecoveryTest, RestartsWhatRanOnTheFencedHostAndSaysOnWhatProof) {
  vm("a").check = "tcp:10.0.0.1:80";
  vm("b", "h2");
  vm("stopped").running = false;
  protect();
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), system_clock().monotonic());
  ASSERT_EQ(restarted_.size(), 1U);
  EXPECT_EQ(restarted_[0].vm, "a");
  EXPECT_EQ(restarted_[0].fence, "f1");
  EXPECT_EQ(restarted_[0].cause, "incident");
  EXPECT_EQ(restarted_[0].verified, "check");
  EXPECT_EQ(restarted_[0].from, "h1");
  EXPECT_EQ(host_in_store("a"), restarted_[0].to);
  EXPECT_EQ(cluster_.started.size(), 1U);
  EXPECT_EQ(recovery.status(), Status::kDone);
}

TEST_F(RecoveryTest, NothingWeakerThanAProofIsActedOn) {
  vm("a");
  protect();
  const auto good = fence("h1", "f1");
  const auto refused = [&](record::HostFenced fenced) {
    auto recovery = this->recovery();
    not_restarted_.clear();
    recovery.accept(fenced, Milliseconds{0});
    EXPECT_EQ(recovery.status(), Status::kRefused);
    ASSERT_EQ(not_restarted_.size(), 1U);
    EXPECT_EQ(not_restarted_[0].outcome, "refused");
    EXPECT_TRUE(cluster_.started.empty());
  };
  auto fenced = good;
  fenced.verified = false;
  refused(fenced);
  fenced = good;
  fenced.power_after = "on";
  refused(fenced);
  fenced = good;
  fenced.power_after.reset();
  refused(fenced);
  fenced = good;
  fenced.planned = true;
  refused(fenced);
  fenced = good;
  fenced.id = "yesterday";
  refused(fenced);
  auto mark = *cluster::fence_mark(*store_, "h1");
  mark.state = cluster::FenceMark::State::kReturning;
  ASSERT_TRUE(put(*store_, mark));
  refused(good);
  ASSERT_TRUE(remove(*store_, *cluster::fence_mark(*store_, "h1")));
  refused(good);
}

TEST_F(RecoveryTest, APersonsWordOrASelfFenceNeedsNoPowerState) {
  vm("a");
  protect();
  auto fenced = fence("h1", "f1");
  fenced.method = "manual";
  fenced.power_after.reset();
  recovery().accept(fenced, Milliseconds{0});
  EXPECT_EQ(restarted_.size(), 1U);
}

TEST_F(RecoveryTest, AHostThatDoesNotAnswerAndIsNotFencedRefusesAll) {
  vm("a");
  protect();
  cluster_.at("h3").silent = true;
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_EQ(not_restarted_[0].outcome, "refused");
  EXPECT_NE(not_restarted_[0].reason.find("h3"), std::string::npos);
  EXPECT_NE(not_restarted_[0].reason.find("--confirm-manual h3"), std::string::npos);
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_TRUE(recovery.pending());
  // The same word is not said twice.
  recovery.retry();
  EXPECT_EQ(not_restarted_.size(), 1U);
  // It answers: at once.
  cluster_.at("h3").silent = false;
  recovery.retry();
  EXPECT_EQ(restarted_.size(), 1U);
  EXPECT_FALSE(recovery.pending());
  EXPECT_EQ(recovery.status(), Status::kDone);
}

TEST_F(RecoveryTest, ASilentHostThatIsFencedOrInMaintenanceIsNoObstacle) {
  vm("a").seen = std::chrono::sys_seconds{std::chrono::minutes{1}};
  protect();
  cluster_.at("h3").silent = true;
  cluster_.at("h4").silent = true;
  put(*store_, cluster::MaintenanceMark{"h3", "disk", {}});
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_TRUE(cluster_.started.empty());
  recovery.accept(fence("h4", "f4"), Milliseconds{0});
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off) h2");
}

TEST_F(RecoveryTest, WhatIsActiveElsewhereIsNotStartedHoweverItIsActive) {
  vm("paused");
  vm("moved");
  protect();
  cluster_.add("h2", "moved");
  cluster_.add("h3", "paused", migrate::VmState::kPaused);
  cluster_.ran_twice.clear();
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_TRUE(cluster_.started.empty());
  ASSERT_EQ(restarted_.size(), 1U);
  EXPECT_EQ(restarted_[0].outcome, "already");
  EXPECT_EQ(host_in_store("moved"), "h2");
  // One that was on its way there when its host died is not called restarted, and is started once it is gone.
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_EQ(not_restarted_[0].vm, "paused");
  EXPECT_EQ(not_restarted_[0].outcome, "refused");
  EXPECT_EQ(host_in_store("paused"), "h1");
  cluster_.at("h3").vms.clear();
  recovery.retry();
  EXPECT_EQ(cluster_.started.size(), 1U);
  EXPECT_TRUE(cluster_.ran_twice.empty());
}

// That it is in maintenance says that a host may be silent, and not that nothing runs there.
TEST_F(RecoveryTest, WhatAHostInMaintenanceSaysCounts) {
  vm("moved");
  vm("lost").host = "h2";
  protect();
  cluster_.at("h1").vms.clear();
  cluster_.add("h3", "moved");
  cluster_.add("h3", "lost");
  cluster_.ran_twice.clear();
  put(*store_, cluster::MaintenanceMark{"h3", "disk", {}});
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_TRUE(cluster_.started.empty());
  ASSERT_EQ(restarted_.size(), 1U);
  EXPECT_EQ(restarted_[0].outcome, "already");
  EXPECT_EQ(restarted_[0].to, "h3");
}

// That it is nowhere else is the only sign that it was on the dead host.
TEST_F(RecoveryTest, WhatMayRunOnASilentHostInMaintenanceWasNotOnTheDeadOne) {
  vm("lost").host = "h2";
  vms_[0].seen = std::chrono::sys_seconds{std::chrono::minutes{1}};  // after the maintenance began
  protect();
  cluster_.at("h1").vms.clear();
  cluster_.add("h3", "lost");
  cluster_.at("h3").silent = true;
  put(*store_, cluster::MaintenanceMark{"h3", "disk", {}});
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_TRUE(cluster_.started.empty());
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_EQ(not_restarted_[0].outcome, "refused");
  EXPECT_NE(not_restarted_[0].reason.find("h3"), std::string::npos);
  EXPECT_TRUE(recovery.pending());
}

// The store's word on where it is may be older than a move by hand, and that host is not asked.
TEST_F(RecoveryTest, WhatMayHaveBeenMovedToASilentHostInMaintenanceBeforeIsNotStarted) {
  const std::chrono::sys_seconds begun{std::chrono::hours{1}};
  cluster::MaintenanceMark mark{"h3", "disk", begun};
  vm("a").seen = begun + std::chrono::seconds{59};  // two clocks differ
  protect();
  cluster_.at("h3").silent = true;
  put(*store_, mark);
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_TRUE(cluster_.started.empty());
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_EQ(not_restarted_[0].outcome, "refused");
  EXPECT_NE(not_restarted_[0].reason.find("it may have been moved to h3"), std::string::npos);
  EXPECT_NE(warnings_.find("fence --confirm-manual h3"), std::string::npos);
  // That it was drained proves that it was not there.
  mark.empty = true;
  put(*store_, mark);
  EXPECT_TRUE(cluster::maintenance_mark(*store_, "h3")->empty);
  recovery.retry();
  EXPECT_EQ(cluster_.started.size(), 1U);
}

TEST_F(RecoveryTest, WhatWasSeenAfterAMaintenanceBeganIsNotOnThatHost) {
  const std::chrono::sys_seconds begun{std::chrono::hours{1}};
  vm("a").seen = begun + std::chrono::seconds{60};
  protect();
  cluster_.at("h3").silent = true;
  put(*store_, cluster::MaintenanceMark{"h3", "disk", begun});
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_EQ(cluster_.started.size(), 1U);
}

// On the host in maintenance, or on the dead one: a person has to know of it.
TEST_F(RecoveryTest, WhatIsNowhereAndWasLastOnASilentHostInMaintenanceIsTold) {
  vm("a").host = "h3";  // the store's word; it ran on h1
  protect();
  cluster_.at("h3").silent = true;
  put(*store_, cluster::MaintenanceMark{"h3", "disk", {}});
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_TRUE(cluster_.started.empty());
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_NE(not_restarted_[0].reason.find("h3, which is in maintenance"), std::string::npos);
}

TEST_F(RecoveryTest, WhatIsSeenToRunElsewhereOrSinceAMaintenanceBeganIsRemembered) {
  const auto now = system_clock().wall();
  vm("same").seen = now - std::chrono::seconds{90};
  vm("since").seen = now - std::chrono::seconds{110};
  vm("moved");
  vm("twice");
  vm("off").running = false;
  vm("silent", "h4");
  protect();
  cluster_.at("h1").vms.erase("uuid-moved");
  cluster_.at("h1").vms.erase("uuid-off");
  cluster_.at("h4").silent = true;
  for (const char* name : {"moved", "twice", "off", "silent"}) cluster_.add("h2", name);
  auto recovery = this->recovery();
  EXPECT_TRUE(recovery.keep());
  EXPECT_EQ(host_in_store("moved"), "h2");
  EXPECT_GE(protected_vm(*store_, "moved")->seen, now);
  EXPECT_EQ(host_in_store("twice"), "h1");
  EXPECT_EQ(host_in_store("off"), "h1");
  EXPECT_EQ(host_in_store("silent"), "h4");  // it may run there as well
  EXPECT_LT(protected_vm(*store_, "since")->seen, now);
  put(*store_, cluster::MaintenanceMark{"h3", "disk", now - std::chrono::seconds{160}});
  EXPECT_TRUE(recovery.keep());
  EXPECT_GE(protected_vm(*store_, "since")->seen, now);
  EXPECT_LT(protected_vm(*store_, "same")->seen, now);
}

// Undefined by a person, a week after h1 had died.
TEST_F(RecoveryTest, OneThatWasSeenElsewhereAfterADeathIsNotLostByIt) {
  vm("gone", "h2").seen = std::chrono::sys_seconds{std::chrono::hours{168}};
  protect();
  cluster_.at("h2").vms.clear();
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_TRUE(cluster_.started.empty());
}

// Hosts do not answer at one instant.
TEST_F(RecoveryTest, OneThatMovesWhileTheHostsAreAskedIsNotLost) {
  vm("a", "h3");
  protect();
  cluster_.at("h2").memory = FakeCluster::kGiB / 2;  // too little: it would be started on another one
  int moves = 0;
  cluster_.on_look = [&](const std::string& host) {
    if (host != "h3" || ++moves > 1) return;
    cluster_.at("h3").vms.clear();
    cluster_.add("h2", "a");
  };
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_EQ(cluster_.whereabouts("a"), "h2");
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_TRUE(cluster_.ran_twice.empty());
}

// A lock that is a lease is lost by standing still for long, and the next holder may have gone on elsewhere.
TEST_F(RecoveryTest, NothingIsStartedWithoutTheLock) {
  vm("a");
  protect();
  MortalStore store(*store_);
  cluster_.on_define = [&](const std::string&) { *store.lock_is_lost = true; };
  const auto fenced = fence("h1", "f1");
  EXPECT_THROW(recovery(store).accept(fenced, Milliseconds{0}), Error);
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_EQ(start_journal(*store_, system_clock()).open().size(), 1U);
}

TEST_F(RecoveryTest, OneThatWasDefinedAnewElsewhereIsNotStartedOnTheSameDisks) {
  vm("a");
  protect();
  cluster_.at("h3").vms["another-uuid"] = {"a", "another-uuid"};
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_TRUE(cluster_.started.empty());
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_EQ(not_restarted_[0].outcome, "refused");
  cluster_.at("h3").vms["another-uuid"].state = migrate::VmState::kShutoff;
  recovery.retry();
  EXPECT_EQ(cluster_.started.size(), 1U);
}

// Its mark says so as long as it is there, and no other way would lead on: neither could the start be made
// there, nor the host be cleared.
TEST_F(RecoveryTest, AnOpenStartOnAHostThatWasFencedAndIsOnItsWayBackIsHistory) {
  policy_.verify_timeout = Milliseconds{5000};  // none of it is waited for, and threads may be late
  vm("a");
  protect();
  for (const char* host : {"h2", "h3", "h4"}) cluster_.at(host).dies_at_start = true;
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  ASSERT_EQ(cluster_.started.size(), 1U);
  const std::string target = cluster_.started[0].substr(2);
  for (const char* host : {"h2", "h3", "h4"}) cluster_.at(host).dies_at_start = false;
  fence(target, "f2");
  auto mark = *cluster::fence_mark(*store_, target);
  mark.state = cluster::FenceMark::State::kReturning;
  ASSERT_TRUE(put(*store_, mark));
  auto later = recovery();
  later.resume();
  EXPECT_EQ(cluster_.started.size(), 1U) << "it does not answer yet";
  cluster_.at(target).silent = false;
  later.retry();
  EXPECT_EQ(cluster_.started.size(), 2U);
  ASSERT_EQ(restarted_.size(), 1U);
  EXPECT_NE(restarted_[0].to, target);
  EXPECT_TRUE(start_journal(*store_, system_clock()).open().empty());
  EXPECT_TRUE(cluster_.ran_twice.empty());
}

// A run takes minutes: what was seen at its beginning is no proof at its end.
TEST_F(RecoveryTest, WhatBecameActiveDuringTheRunIsNotStarted) {
  vm("a").check = "tcp:10.0.0.1:80";
  vm("b").after = {"a"};
  protect();
  policy_.fresh = Milliseconds{-1};
  cluster_.at("h3").memory = FakeCluster::kGiB / 2;  // too little: it will be started on another one
  on_check_ = [this] { cluster_.add("h3", "b"); };
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_EQ(cluster_.started.size(), 1U);
  EXPECT_EQ(cluster_.whereabouts("b"), "h1(off) h3");
  EXPECT_TRUE(cluster_.ran_twice.empty());
}

TEST_F(RecoveryTest, AFenceThatWasTakenBackDuringTheRunIsNoProof) {
  vm("a").check = "tcp:10.0.0.1:80";
  vm("b").after = {"a"};
  protect();
  on_check_ = [this] {
    auto mark = *cluster::fence_mark(*store_, "h1");
    mark.state = cluster::FenceMark::State::kReturning;
    EXPECT_TRUE(put(*store_, mark));
  };
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_EQ(cluster_.started.size(), 1U);
  EXPECT_EQ(cluster_.whereabouts("b"), "h1(off)");
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_EQ(not_restarted_[0].outcome, "refused");
}

TEST_F(RecoveryTest, WhenTheClusterIsDisarmedDuringTheRunNothingMoreIsStarted) {
  vm("a").check = "tcp:10.0.0.1:80";
  vm("b").after = {"a"};
  protect();
  on_check_ = [this] { cluster::put(*store_, cluster::DisarmMark{"new switches", {}, "ann", {}}); };
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_EQ(cluster_.started, std::vector<std::string>{"a@h2"});
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_EQ(not_restarted_[0].outcome, "refused");
  EXPECT_NE(not_restarted_[0].reason.find("(by ann)"), std::string::npos);
}

TEST_F(RecoveryTest, ADrillSaysThatTheClusterIsDisarmed) {
  vm("a");
  protect();
  cluster::put(*store_, cluster::DisarmMark{"new switches", {}, "ann", {}});
  recovery().drill("h1");
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_NE(not_restarted_[0].reason.find("new switches"), std::string::npos);
}

TEST_F(RecoveryTest, WhatIsPlannedWhileItIsDisarmedSaysWhatWouldBeDone) {
  vm("a");
  vm("b").after = {"a"};
  vm("big").memory_bytes = 99 * FakeCluster::kGiB;
  protect();
  const auto fenced = fence("h1", "f1");
  cluster::put(*store_, cluster::DisarmMark{"new switches", {}, "ann", {}});
  policy_.dry_run = true;
  auto recovery = this->recovery();
  recovery.accept(fenced, Milliseconds{0});
  std::map<std::string, std::string> words;
  for (const auto& record : not_restarted_) words[record.vm] = record.outcome + ": " + record.reason;
  EXPECT_TRUE(restarted_.empty());
  EXPECT_TRUE(words["a"].starts_with("refused: the cluster is disarmed"));
  EXPECT_NE(words["a"].find("once it is armed: a start on h2"), std::string::npos);
  EXPECT_NE(words["b"].find("once it is armed: a start on h"), std::string::npos);
  EXPECT_TRUE(words["big"].starts_with("unplaced: "));
  EXPECT_TRUE(cluster_.started.empty());
}

TEST_F(RecoveryTest, ActiveOnTwoHostsIsToldLoudlyAndNotTouched) {
  vm("a");
  protect();
  cluster_.add("h2", "a");
  cluster_.add("h3", "a");
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off) h2 h3");
  EXPECT_EQ(recovery.status(), Status::kRefused);
  EXPECT_NE(warnings_.find("h2 and h3"), std::string::npos);
}

TEST_F(RecoveryTest, OneThatMovedToTheDeadHostSinceItWasLastSeenIsRestarted) {
  vm("a").host = "h2";  // the store's word; it ran on h1
  vm("off").host = "h2";
  protect();
  cluster_.at("h1").vms.erase("uuid-off");
  cluster_.add("h2", "off", migrate::VmState::kShutoff);  // somebody stopped it
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  ASSERT_EQ(restarted_.size(), 1U);
  EXPECT_EQ(restarted_[0].vm, "a");
}

TEST_F(RecoveryTest, WhenNotAllFitTheHighestPrioritiesRun) {
  for (const char* name : {"a", "b", "c", "d"}) vm(name);
  vms_[2].priority = 10;
  vms_[3].priority = 5;
  protect();
  cluster_.at("h2").memory = FakeCluster::kGiB;
  cluster_.at("h3").memory = FakeCluster::kGiB;
  put(*store_, cluster::MaintenanceMark{"h4", "", {}});
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  ASSERT_EQ(restarted_.size(), 2U);
  EXPECT_EQ(std::set({restarted_[0].vm, restarted_[1].vm}), std::set<std::string>({"c", "d"}));
  ASSERT_EQ(not_restarted_.size(), 2U);
  EXPECT_EQ(not_restarted_[0].outcome, "unplaced");
  EXPECT_NE(not_restarted_[0].reason.find("memory"), std::string::npos);
  EXPECT_EQ(recovery.status(), Status::kNo);
}

// Of 1 GiB on each of h2 and h3 (h4 is in maintenance), that of h2 is reserved.
TEST_F(RecoveryTest, WhatIsReservedIsLeftAloneUnlessItIsForThatOneOrMayBeLent) {
  const auto restarted_on = [this](const std::string& vm_of_claim, bool lendable) {
    reset();
    restarted_.clear();
    not_restarted_.clear();
    for (const char* name : {"a", "b"}) vm(name);
    protect();
    cluster_.at("h2").memory = FakeCluster::kGiB;
    cluster_.at("h3").memory = FakeCluster::kGiB;
    put(*store_, cluster::MaintenanceMark{"h4", "", {}});
    reserve::LedgerStore(*store_, system_clock()).run([&](reserve::Ledger& ledger) {
      reserve::PoolRequest pool;
      pool.name = "h2";
      pool.capacity = reserve::parse_amounts("memory=1GiB");
      pool.hosts = std::vector<std::string>{"h2"};
      ledger.add_pool(pool);
      reserve::ClaimRequest claim;
      claim.pool = "h2";
      claim.owner = "web";
      claim.amounts = reserve::parse_amounts("memory=1GiB");
      claim.vm = vm_of_claim;
      claim.lendable = lendable;
      ledger.claim(claim);
      return true;
    });
    recovery().accept(fence("h1", "f1"), Milliseconds{0});
    return restarted_.size();
  };
  EXPECT_EQ(restarted_on("", false), 1U);
  EXPECT_EQ(cluster_.at("h2").vms.size(), 0U);
  EXPECT_NE(not_restarted_.at(0).reason.find("memory"), std::string::npos);
  EXPECT_EQ(restarted_on("", true), 2U);
  EXPECT_EQ(restarted_on("b", false), 2U);
}

TEST_F(RecoveryTest, HostsWithAMarkOrDrainedGetNothing) {
  vm("a");
  cluster::FenceMark back;
  back.host = "h2";
  back.id = "f0";
  back.state = cluster::FenceMark::State::kReturning;
  ASSERT_TRUE(put(*store_, back));
  put(*store_, cluster::MaintenanceMark{"h3", "", {}});
  vm("big").memory_bytes = 99 * FakeCluster::kGiB;
  protect();
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off) h4");
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_NE(not_restarted_[0].reason.find("h3: it does not serve (maintenance)"), std::string::npos);
}

TEST_F(RecoveryTest, AntiAffinityHoldsAlsoBesideThoseThatRun) {
  vm("a").anti_affinity = "g";
  vm("b").anti_affinity = "g";
  vm("c", "h2").anti_affinity = "g";
  vm("d", "h3").anti_affinity = "g";
  protect();
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  ASSERT_EQ(restarted_.size(), 1U);
  EXPECT_EQ(restarted_[0].to, "h4");
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_EQ(not_restarted_[0].outcome, "unplaced");
}

TEST_F(RecoveryTest, OthersBeginOnlyWhenWhatTheyNeedRuns) {
  vm("web").after = {"app"};
  vm("app").after = {"db"};
  vm("db").priority = -5;
  vms_[0].priority = 100;
  vm("free");
  protect();
  cluster_.start_takes = Milliseconds{20};
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  ASSERT_EQ(restarted_.size(), 4U);
  std::vector<std::string> order;
  for (const auto& record : restarted_) {
    if (record.vm != "free") order.push_back(record.vm);
  }
  EXPECT_EQ(order, std::vector<std::string>({"db", "app", "web"}));
}

TEST_F(RecoveryTest, WithoutWhatItNeedsItIsNotStarted) {
  vm("web").after = {"db"};
  vm("db");
  protect();
  for (const char* host : {"h2", "h3", "h4"}) cluster_.at(host).failing_starts = 9;
  cluster_.at("h2").failing_starts = 9;
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_TRUE(restarted_.empty());
  for (const auto& start : cluster_.started) EXPECT_EQ(start.substr(0, 2), "db");
  ASSERT_EQ(not_restarted_.size(), 2U);
}

TEST_F(RecoveryTest, NoMoreAtOnceThanAllowed) {
  for (int i = 0; i < 12; ++i) vm("vm" + std::to_string(i));
  protect();
  cluster_.start_takes = Milliseconds{20};
  policy_.max_total = 2;
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_EQ(restarted_.size(), 12U);
  EXPECT_EQ(cluster_.most_at_once, 2);
}

TEST_F(RecoveryTest, NoMoreAtOnceOnAHostThanAllowed) {
  for (int i = 0; i < 12; ++i) vm("vm" + std::to_string(i));
  protect();
  cluster_.start_takes = Milliseconds{20};
  policy_.max_total = 12;
  policy_.max_per_host = 1;
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_EQ(restarted_.size(), 12U);
  EXPECT_EQ(cluster_.most_on_one_host, 1);
  EXPECT_GE(cluster_.most_at_once, 2);
}

TEST_F(RecoveryTest, AFailedStartLeavesNothingAndIsTriedElsewhereButNotForEver) {
  vm("a");
  protect();
  for (const char* host : {"h2", "h3", "h4"}) cluster_.at(host).failing_starts = 9;
  policy_.attempts = 2;
  auto recovery = this->recovery();
  const auto fenced = fence("h1", "f1");
  recovery.accept(fenced, Milliseconds{0});
  EXPECT_EQ(cluster_.started.size(), 2U);
  EXPECT_NE(cluster_.started[0], cluster_.started[1]);
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off)");
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_EQ(not_restarted_[0].outcome, "failed");
  EXPECT_EQ(not_restarted_[0].attempts, 2);
  EXPECT_EQ(recovery.status(), Status::kNo);
  recovery.retry();
  EXPECT_EQ(cluster_.started.size(), 2U);
  for (const char* host : {"h2", "h3", "h4"}) cluster_.at(host).failing_starts = 0;
  recovery.accept(fenced, Milliseconds{0});  // repeated by a person
  EXPECT_EQ(restarted_.size(), 1U);
}

TEST_F(RecoveryTest, AFailedStartRemovesNoDefinitionThatWasThereBefore) {
  vm("a");
  protect();
  for (const char* host : {"h2", "h3", "h4"}) {
    cluster_.at(host).failing_starts = 9;
    cluster_.add(host, "a", migrate::VmState::kShutoff);
  }
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_FALSE(cluster_.started.empty());
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off) h2(off) h3(off) h4(off)");
}

TEST_F(RecoveryTest, AStartOfUnknownOutcomeIsNotTriedElsewhereBeforeThatHostIsFenced) {
  vm("a");
  protect();
  for (const char* host : {"h2", "h3", "h4"}) cluster_.at(host).dies_at_start = true;
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  ASSERT_EQ(cluster_.started.size(), 1U);
  const std::string target = cluster_.started[0].substr(2);
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_EQ(not_restarted_[0].outcome, "unknown");
  recovery.retry();
  EXPECT_EQ(cluster_.started.size(), 1U);
  for (const char* host : {"h2", "h3", "h4"}) cluster_.at(host).dies_at_start = false;
  recovery.accept(fence(target, "f2"), Milliseconds{0});
  EXPECT_EQ(cluster_.started.size(), 2U);
  EXPECT_EQ(restarted_.size(), 1U);
  EXPECT_NE(restarted_[0].to, target);
  EXPECT_FALSE(recovery.pending());
  EXPECT_TRUE(cluster_.ran_twice.empty());
}

TEST_F(RecoveryTest, OneThatDoesNotAnswerItsCheckRunsAllTheSameAndIsTold) {
  vm("a").check = "tcp:10.0.0.1:80";
  protect();
  serves_ = false;
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  ASSERT_EQ(restarted_.size(), 1U);
  EXPECT_EQ(restarted_[0].verified, "domain");
  EXPECT_NE(restarted_[0].reason->find("did not answer"), std::string::npos);
  EXPECT_EQ(recovery.status(), Status::kNo);
  EXPECT_EQ(cluster_.started.size(), 1U);
}

TEST_F(RecoveryTest, APausedGuestIsNoRestart) {
  vm("a");
  protect();
  for (const char* host : {"h2", "h3", "h4"}) cluster_.at(host).paused_starts = true;
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_TRUE(restarted_.empty());
  ASSERT_EQ(not_restarted_.size(), 1U);
  EXPECT_EQ(not_restarted_[0].outcome, "failed");
  EXPECT_EQ(cluster_.started.size(), 1U);
}

TEST_F(RecoveryTest, RepeatedWorkIsRecognised) {
  vm("a");
  protect();
  const auto fenced = fence("h1", "f1");
  recovery().accept(fenced, Milliseconds{0});
  restarted_.clear();
  auto again = recovery();
  again.accept(fenced, Milliseconds{0});
  ASSERT_EQ(restarted_.size(), 1U);
  EXPECT_EQ(restarted_[0].outcome, "already");
  EXPECT_EQ(again.status(), Status::kDone);
  EXPECT_EQ(cluster_.started.size(), 1U);
}

TEST_F(RecoveryTest, TwoDeathsInARow) {
  vm("a");
  vm("b");
  protect();
  auto recovery = this->recovery();
  recovery.accept(fence("h1", "f1"), Milliseconds{0});
  const std::string second = host_in_store("a");
  recovery.accept(fence(second, "f2"), Milliseconds{0});
  EXPECT_NE(host_in_store("a"), second);
  EXPECT_EQ(restarted_.back().fence, "f2");
  EXPECT_TRUE(cluster_.ran_twice.empty());
}

TEST_F(RecoveryTest, AnotherFailoverAtWorkIsWaitedForAndThenGivenUp) {
  vm("a");
  protect();
  const auto held = store_->try_lock("failover");
  auto recovery = this->recovery();
  try {
    recovery.accept(fence("h1", "f1"), Milliseconds{0});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kBusy);
  }
  EXPECT_TRUE(cluster_.started.empty());
}

TEST_F(RecoveryTest, DryRunAndDrillTouchNothing) {
  vm("a");
  vm("b", "h2");
  protect();
  recovery().drill("h2");
  ASSERT_EQ(restarted_.size(), 1U);
  EXPECT_EQ(restarted_[0].vm, "b");
  EXPECT_EQ(restarted_[0].planned, true);
  restarted_.clear();
  policy_.dry_run = true;
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  ASSERT_EQ(restarted_.size(), 1U);
  EXPECT_EQ(restarted_[0].planned, true);
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_TRUE(store_->list("journal/").empty());
  EXPECT_EQ(host_in_store("a"), "h1");
}

TEST_F(RecoveryTest, WhatTheClusterCouldNotBearNextIsTold) {
  for (const char* name : {"a", "b"}) vm(name);
  protect();
  cluster_.at("h2").memory = FakeCluster::kGiB;
  cluster_.at("h3").memory = FakeCluster::kGiB;
  cluster_.at("h4").memory = FakeCluster::kGiB / 2;
  recovery().accept(fence("h1", "f1"), Milliseconds{0});
  EXPECT_EQ(restarted_.size(), 2U);
  EXPECT_NE(warnings_.find("died now"), std::string::npos);
}

// Killed at every write to the store, before and after it is on disk: the next run neither starts one twice
// nor forgets one.
TEST_F(RecoveryTest, KilledAtEveryStep) {
  for (const bool resumed : {false, true}) {
    for (const bool after : {false, true}) {
      bool survived = false;
      for (int step = 1; !survived; ++step) {
        ASSERT_LT(step, 40);
        reset();
        for (const char* name : {"a", "b", "c"}) vm(name);
        vms_[2].after = {"a"};
        protect();
        cluster_.at("h2").failing_starts = 1;
        const auto fenced = fence("h1", "f1");
        MortalStore mortal(*store_);
        mortal.writes_left = step;
        mortal.after = after;
        try {
          recovery(mortal).accept(fenced, Milliseconds{0});
          survived = true;
        } catch (const MortalStore::Killed&) {
          auto next = recovery();
          next.settle();
          if (resumed) {
            next.resume();
          } else {
            next.accept(fenced, Milliseconds{0});
          }
          EXPECT_EQ(next.status(), Status::kDone) << warnings_;
        }
        for (const char* name : {"a", "b", "c"}) {
          EXPECT_EQ(cluster_.whereabouts(name), "h1(off) " + host_in_store(name)) << step << after;
        }
        EXPECT_TRUE(cluster_.ran_twice.empty());
        EXPECT_TRUE(start_journal(*store_, system_clock()).open().empty());
      }
    }
  }
}

}  // namespace
}  // namespace rackline::failover
