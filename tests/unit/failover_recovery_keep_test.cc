// SPDX-License-Identifier: Apache-2.0
// What failover keeps, and how a host is taken back.
#include <gtest/gtest.h>

#include "base/error.h"
#include "cluster/marks.h"
#include "failover/clear.h"
#include "failover/journal.h"
#include "failover/protect.h"
#include "failover/recovery_verdict.h"
#include "failover_fake.h"
#include "store_urls.h"

namespace rackline::failover {
namespace {

class KeepTest : public testing::Test {
 protected:
  KeepTest() : store_(store::Store::open("sqlite:" + (directory_.path() / "state.db").string())) {
    inventory_ = fake_hosts(cluster_, 3);
  }
  Protector protector() {
    return {inventory_,
            cluster_,
            *store_,
            system_clock(),
            Milliseconds{1000},
            false,
            {.stored = [](const record::VmProtected&) {}, .warn = [](const std::string&) {}}};
  }
  Status protect(const std::vector<std::string>& vms, const std::vector<std::string>& after = {}) {
    Wishes wishes;
    wishes.vms = vms;
    wishes.after = after;
    return protector().protect(wishes);
  }
  void mark(const std::string& host,
            cluster::FenceMark::State state = cluster::FenceMark::State::kReturning) {
    cluster::FenceMark mark;
    mark.host = host;
    mark.id = "f1";
    mark.state = state;
    ASSERT_TRUE(put(*store_, mark));
  }
  record::HostCleared clear(const std::string& host, bool destroy = false) {
    return failover::clear({host, destroy, false, Milliseconds{1000}}, inventory_, cluster_, *store_,
                           system_clock(), [](const std::string&) {});
  }

  store::ScratchDirectory directory_;
  std::unique_ptr<store::Store> store_;
  FakeCluster cluster_;
  std::vector<record::Host> inventory_;
};

TEST_F(KeepTest, AutostartGoesOffAndComesBack) {
  cluster_.add("h1", "a");
  auto& vm = cluster_.at("h1").vms["uuid-a"];
  vm.autostart = true;
  EXPECT_EQ(protect({"a"}), Status::kDone);
  EXPECT_FALSE(vm.autostart);
  EXPECT_EQ(protect({"a"}), Status::kDone);
  EXPECT_EQ(protector().unprotect({"a"}), Status::kDone);
  EXPECT_TRUE(vm.autostart);
}

TEST_F(KeepTest, AnAutostartThatDoesNotGoOffIsTold) {
  cluster_.add("h1", "a");
  cluster_.at("h1").vms["uuid-a"].autostart = true;
  cluster_.autostart_sticks = true;
  EXPECT_EQ(protect({"a"}), Status::kNo);
}

TEST_F(KeepTest, ACircleChangesNothing) {
  for (const char* name : {"a", "b", "c"}) cluster_.add("h1", name);
  protect({"a"}, {"b"});
  protect({"b"}, {"c"});
  EXPECT_THROW(protect({"c"}, {"a"}), Error);
  EXPECT_FALSE(protected_vm(*store_, "c"));
}

TEST_F(KeepTest, WishesThatContradictEachOtherChangeNothing) {
  for (const char* name : {"a", "b"}) cluster_.add("h1", name);
  Wishes wishes;
  wishes.vms = {"a", "b"};
  wishes.anti_affinity = "g";
  wishes.affinity.together = "t";
  EXPECT_THROW(protector().protect(wishes), Error);
  wishes.affinity.together.reset();
  wishes.affinity.prefer = {"h9"};
  EXPECT_THROW(protector().protect(wishes), Error);
  EXPECT_FALSE(protected_vm(*store_, "a"));
}

TEST_F(KeepTest, WhatIsNotGivenAnewStaysAsItWas) {
  cluster_.add("h1", "a");
  Wishes wishes;
  wishes.vms = {"a"};
  wishes.affinity = {{"h1", "h2"}, true, "t", true};
  EXPECT_EQ(protector().protect(wishes), Status::kDone);
  EXPECT_EQ(protect({"a"}), Status::kDone);
  protector().refresh();
  const auto stored = protected_vm(*store_, "a")->affinity;
  EXPECT_EQ(stored.prefer, (std::vector<std::string>{"h1", "h2"}));
  EXPECT_TRUE(stored.only && stored.failback);
  EXPECT_EQ(stored.together, "t");
  wishes.affinity = {{"h3"}, false, {}, false};
  EXPECT_EQ(protector().protect(wishes), Status::kDone);
  EXPECT_FALSE(protected_vm(*store_, "a")->affinity.only) << "other hosts, and nothing said of only";
}

TEST_F(KeepTest, RefreshFollowsAMoveAndForgetsNobody) {
  cluster_.add("h1", "a");
  cluster_.add("h2", "b");
  protect({"a", "b"});
  cluster_.at("h1").vms.clear();
  cluster_.add("h3", "a");
  cluster_.at("h2").silent = true;
  EXPECT_EQ(protector().refresh(), Status::kUnreachable);
  EXPECT_EQ(protected_vm(*store_, "a")->host, "h3");
  EXPECT_EQ(protected_vm(*store_, "b")->host, "h2");
  EXPECT_TRUE(protected_vm(*store_, "b")->running);
}

// The lock is wanted just when a host hangs.
TEST_F(KeepTest, RefreshWaitsForAHostThatHangsOnlyOnce) {
  for (const char* vm : {"a", "b", "c", "d"}) cluster_.add("h1", vm);
  protect({"a", "b", "c", "d"});
  cluster_.at("h1").hangs = Milliseconds{1500};
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(protector().refresh(), Status::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, Milliseconds{2000});
  std::this_thread::sleep_for(Milliseconds{1000});  // what was asked still answers
}

TEST_F(KeepTest, RefreshDoesNotBelieveAMarkedHostThatItsServersAreStopped) {
  cluster_.add("h1", "a");
  protect({"a"});
  mark("h1");
  cluster_.at("h1").vms["uuid-a"].state = migrate::VmState::kShutoff;
  protector().refresh();
  EXPECT_TRUE(protected_vm(*store_, "a")->running);
}

TEST_F(KeepTest, AServerThatEndedWithItsHostStillWantsToRunAndOneThatWasStoppedDoesNot) {
  cluster_.add("h1", "a");
  cluster_.add("h1", "b");
  protect({"a", "b"});
  auto& vms = cluster_.at("h1").vms;
  vms["uuid-a"].state = vms["uuid-b"].state = migrate::VmState::kShutoff;
  vms["uuid-a"].lost = true;
  protector().refresh();
  EXPECT_TRUE(protected_vm(*store_, "a")->running);
  EXPECT_FALSE(protected_vm(*store_, "b")->running);
}

TEST_F(KeepTest, ClearRemovesWhatIsStaleAndThenTheMark) {
  cluster_.add("h1", "moved", migrate::VmState::kShutoff);
  cluster_.add("h1", "own", migrate::VmState::kShutoff);
  cluster_.add("h1", "other", migrate::VmState::kShutoff);
  protect({"moved", "own"});
  settle_host(*store_, "moved", "h2", {});
  cluster_.add("h2", "moved");
  mark("h1");
  const auto cleared = clear("h1");
  EXPECT_EQ(cleared.outcome, "done");
  EXPECT_EQ(cleared.removed, std::vector<std::string>{"moved"});
  EXPECT_EQ(cluster_.whereabouts("moved"), "h2");
  EXPECT_EQ(cluster_.whereabouts("own"), "h1(off)");
  EXPECT_EQ(cluster_.whereabouts("other"), "h1(off)");
  EXPECT_FALSE(cluster::fence_mark(*store_, "h1"));
  EXPECT_EQ(clear("h1").outcome, "already");
}

TEST_F(KeepTest, ClearDoesNotBelieveThatACopyIsGone) {
  cluster_.add("h1", "moved", migrate::VmState::kShutoff);
  protect({"moved"});
  settle_host(*store_, "moved", "h2", {});
  cluster_.add("h2", "moved");
  mark("h1");
  cluster_.definitions_stick = true;
  EXPECT_EQ(clear("h1").outcome, "refused");
  EXPECT_TRUE(cluster::fence_mark(*store_, "h1"));
  cluster_.definitions_stick = false;
  EXPECT_EQ(clear("h1").outcome, "done");
}

TEST_F(KeepTest, ClearEndsAStaleCopyOnlyByConsentAndOnlyBesideTheRightOne) {
  cluster_.add("h1", "a");
  protect({"a"});
  settle_host(*store_, "a", "h2", {});
  mark("h1");
  cluster_.add("h2", "a");
  EXPECT_EQ(clear("h1").outcome, "refused");
  EXPECT_EQ(cluster_.whereabouts("a"), "h1 h2");
  EXPECT_TRUE(cluster::fence_mark(*store_, "h1"));
  EXPECT_EQ(clear("h1", true).outcome, "done");
  EXPECT_EQ(cluster_.whereabouts("a"), "h2");
}

TEST_F(KeepTest, ClearFindsThePlaceOfTheOnlyCopy) {
  cluster_.add("h1", "a");
  protect({"a"});
  settle_host(*store_, "a", "h2", {});
  mark("h1");
  cluster_.at("h3").silent = true;
  EXPECT_EQ(clear("h1", true).outcome, "refused");  // it may run there, too
  cluster_.at("h3").silent = false;
  EXPECT_EQ(clear("h1").outcome, "done");
  EXPECT_EQ(cluster_.whereabouts("a"), "h1");
  EXPECT_EQ(protected_vm(*store_, "a")->host, "h1");
}

// Its place does not have it, and neither has any other host that answers.
TEST_F(KeepTest, ClearLeavesWhatMayBeTheOnlyCopyUntilAllAnswer) {
  cluster_.add("h1", "a", migrate::VmState::kShutoff);
  protect({"a"});
  settle_host(*store_, "a", "h2", {});
  mark("h1");
  cluster_.at("h3").silent = true;
  EXPECT_EQ(clear("h1").outcome, "refused");
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off)");
  cluster_.at("h3").silent = false;
  EXPECT_EQ(clear("h1").outcome, "done");
  EXPECT_EQ(protected_vm(*store_, "a")->host, "h1");
}

TEST_F(KeepTest, ClearWaitsForRestartsThatHaveNoResultAndForTheHostItself) {
  cluster_.add("h1", "a", migrate::VmState::kShutoff);
  protect({"a"});
  mark("h1", cluster::FenceMark::State::kFenced);
  auto journal = start_journal(*store_, system_clock());
  journal.intent("f1.a", Intent{"f1.a", "a", "uuid-a", "h1", "h2", "f1", "", 1});
  EXPECT_EQ(clear("h1").outcome, "refused");
  journal.result("f1.a", {});
  cluster_.at("h1").silent = true;
  EXPECT_THROW(clear("h1"), Error);
  EXPECT_TRUE(cluster::fence_mark(*store_, "h1"));
}

TEST_F(KeepTest, OneWithARestartThatHasNoResultIsNotForgotten) {
  cluster_.add("h1", "a");
  protect({"a"});
  auto journal = start_journal(*store_, system_clock());
  journal.intent("f1.a", Intent{"f1.a", "a", "uuid-a", "h1", "h2", "f1", "", 1});
  EXPECT_EQ(protector().unprotect({"a"}), Status::kRefused);
  EXPECT_TRUE(protected_vm(*store_, "a"));
  journal.result("f1.a", {});
  EXPECT_EQ(protector().unprotect({"a"}), Status::kDone);
}

TEST(ParseCheck, TakesAddressesAndPortsAndNothingElse) {
  EXPECT_EQ(std::get<probe::Tcp>(*parse_check("tcp:10.0.0.1:80")).port, "80");
  EXPECT_EQ(std::get<probe::Tcp>(*parse_check("tcp:[fe80::1]:80")).address, "fe80::1");
  EXPECT_EQ(std::get<probe::Http>(*parse_check("http://10.0.0.1/health")).url, "http://10.0.0.1/health");
  for (const char* wrong :
       {"", "tcp:", "tcp:a", "tcp:a:", "tcp::80", "tcp:a:0", "tcp:a:65536", "tcp:a:b", "tcp:fe80::1:80",
        "udp:a:80", "tcp:[]:80", "http:a", "http://", "command:true", "file:/f:5m"}) {
    EXPECT_FALSE(parse_check(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace rackline::failover
