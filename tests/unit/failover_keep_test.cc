// SPDX-License-Identifier: Apache-2.0
// What should run, runs.
#include <gtest/gtest.h>

#include "failover/keep.h"
#include "failover/recovery.h"
#include "failover_fake.h"
#include "store_urls.h"

namespace rackline::failover {
namespace {

class KeepRunningTest : public testing::Test {
 protected:
  KeepRunningTest() : store_(store::Store::open("sqlite:" + (directory_.path() / "state.db").string())) {
    policy_.poll = Milliseconds{1};
    policy_.verify_timeout = Milliseconds{300};
    policy_.settle = Milliseconds{20};
    policy_.lock_timeout = Milliseconds{0};
    inventory_ = fake_hosts(cluster_, 3);
  }
  void off(const std::string& name, const std::string& host, const std::string& reason,
           std::chrono::sys_seconds seen = {}) {
    cluster_.add(host, name, migrate::VmState::kShutoff);
    cluster_.at(host).vms["uuid-" + name].reason = reason;
    auto vm = fake_protected(name, host);
    vm.seen = seen;
    ASSERT_TRUE(put(*store_, vm));
  }
  // After these words of the stream.
  void keep(const std::vector<fence::LifeSign>& told = {}) {
    Recovery recovery(policy_, inventory_, cluster_, *store_, system_clock(),
                      [](const probe::Check&, Milliseconds) { return probe::Answer{true}; },
                      {.restarted = [](const record::VmRestarted&) {},
                       .not_restarted = [this](const record::VmNotRestarted& r) { reason_ = r.reason; },
                       .warn = [](const std::string&) {}});
    for (const auto& life : told) recovery.contradict(life);
    EXPECT_TRUE(recovery.keep());
  }
  void fenced(const std::string& host, const std::string& id) {
    cluster::FenceMark fence;
    fence.host = host;
    fence.id = id;
    fence.time = system_clock().wall();
    ASSERT_TRUE(cluster::put(*store_, fence));
    cluster_.at(host).silent = true;
  }

  store::ScratchDirectory directory_;
  std::unique_ptr<store::Store> store_;
  FakeCluster cluster_;
  std::vector<record::Host> inventory_;
  RecoveryPolicy policy_;
  std::string reason_;
};

TEST_F(KeepRunningTest, WhatWasKilledIsStartedWhereItWasAndOnce) {
  off("a", "h1", "unknown");
  off("b", "h2", "destroyed");
  off("c", "h3", "crashed");
  keep();
  keep();
  EXPECT_EQ(cluster_.started.size(), 3U);
  EXPECT_EQ(cluster_.whereabouts("a") + cluster_.whereabouts("b") + cluster_.whereabouts("c"), "h1h2h3");
}

TEST_F(KeepRunningTest, NothingIsStartedWhileAHostIsSilent) {
  off("a", "h1", "unknown");
  cluster_.at("h3").silent = true;
  keep();
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_NE(reason_.find("h3 does not answer"), std::string::npos);
}

// The planned silence of a host says nothing of what it runs.
TEST_F(KeepRunningTest, NothingIsStartedWhileAHostInMaintenanceIsSilent) {
  // It was not moved there before the maintenance began, which would be a reason of its own.
  const auto now = system_clock().wall();
  off("a", "h1", "unknown", now);
  cluster::MaintenanceMark planned;
  planned.host = "h3";
  planned.time = now - std::chrono::hours(1);
  cluster::put(*store_, planned);
  cluster_.at("h3").silent = true;
  keep();
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_NE(reason_.find("h3 does not answer"), std::string::npos) << reason_;
}

TEST_F(KeepRunningTest, WhatWasStoppedByWishOrMigratedIsLeftAlone) {
  for (const char* reason : {"shutdown", "saved", "from_snapshot", "migrated"}) off(reason, "h1", reason);
  keep();
  EXPECT_TRUE(cluster_.started.empty());
}

TEST_F(KeepRunningTest, NothingIsPutOnAHostThatDoesNotServe) {
  off("a", "h1", "unknown");
  cluster::put(*store_, cluster::DrainMark{"h1", "new fans", system_clock().wall(), "ann", {}});
  keep();
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_NE(reason_.find("new fans"), std::string::npos);
  EXPECT_NE(reason_.find("it goes elsewhere when"), std::string::npos) << reason_;
}

TEST_F(KeepRunningTest, AFencedHostThatShowsLifeStopsEverything) {
  off("a", "h1", "unknown");
  cluster::FenceMark fence;
  fence.host = "h3";
  fence.id = "f1";
  ASSERT_TRUE(cluster::put(*store_, fence));
  const auto now = system_clock().wall();
  cluster::put(*store_, cluster::HealthMark{"h3", "fence_contradicted", "it beats", now, now});
  cluster_.at("h3").silent = true;
  keep();
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_NE(reason_.find("shows life"), std::string::npos);
}

// By the clock of whoever fenced the host, it was fenced after it had shown life.
TEST_F(KeepRunningTest, ClocksThatDifferMakeNoContradictionForgotten) {
  off("a", "h1", "unknown");
  const auto now = system_clock().wall();
  cluster::FenceMark fence;
  fence.host = "h3";
  fence.id = "f1";
  fence.time = now + std::chrono::seconds{90};
  ASSERT_TRUE(cluster::put(*store_, fence));
  cluster::put(*store_, cluster::HealthMark{"h3", "fence_contradicted", "it beats", now, now, "w1", "f1"});
  cluster_.at("h3").silent = true;
  keep();
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_NE(reason_.find("shows life"), std::string::npos);
}

TEST_F(KeepRunningTest, AFencedHostThatAPersonVouchesForAfterItsLifeStopsNothingMore) {
  off("a", "h1", "unknown");
  const auto now = system_clock().wall();
  const auto life = now - std::chrono::seconds{20};
  cluster::put(*store_, cluster::HealthMark{"h3", "fence_contradicted", "it beats", life, now});
  cluster::FenceMark fence;
  fence.host = "h3";
  fence.id = "f2";
  fence.time = now;
  ASSERT_TRUE(cluster::put(*store_, fence));
  cluster_.at("h3").silent = true;
  keep();
  EXPECT_EQ(cluster_.started.size(), 1U) << reason_;
}

TEST_F(KeepRunningTest, AWordOfTheStreamStopsEverythingWhicheverWordComesAfterIt) {
  off("a", "h1", "unknown");
  fenced("h3", "f2");
  const auto now = system_clock().wall();
  for (const auto& words : {std::vector<fence::LifeSign>{{"h3", now, "f2"}, {"h3", now, "f1"}},
                            std::vector<fence::LifeSign>{{"h3", now, "f1"}, {"h3", now, "f2"}},
                            std::vector<fence::LifeSign>{{"h3", now}, {"h3", now, "f1"}}}) {
    keep(words);
    EXPECT_TRUE(cluster_.started.empty());
  }
}

TEST_F(KeepRunningTest, AWordAboutAnEarlierFenceStopsNothing) {
  off("a", "h1", "unknown");
  fenced("h3", "f2");
  keep({{"h3", system_clock().wall(), "f1"}});
  EXPECT_EQ(cluster_.started.size(), 1U) << reason_;
}

// Nobody watches, and its libvirtd answers all the same. One that has fenced itself is meant to live on.
TEST_F(KeepRunningTest, AFencedHostThatAnswersStopsEverything) {
  off("a", "h1", "unknown");
  cluster::FenceMark fence;
  fence.host = "h3";
  fence.id = "f1";
  fence.method = "manual";
  ASSERT_TRUE(cluster::put(*store_, fence));
  keep();
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_NE(reason_.find("h3 is fenced and shows life"), std::string::npos) << reason_;
  auto mark = *cluster::fence_mark(*store_, "h3");
  mark.method = "self";
  ASSERT_TRUE(cluster::put(*store_, mark));
  keep();
  EXPECT_EQ(cluster_.started.size(), 1U) << reason_;
}

TEST_F(KeepRunningTest, OneThatDoesNotStayIsNotStartedAgainAtOnce) {
  off("a", "h1", "unknown");
  keep();
  cluster_.at("h1").vms["uuid-a"].state = migrate::VmState::kShutoff;
  keep();
  EXPECT_EQ(cluster_.started.size(), 1U);
}

TEST_F(KeepRunningTest, AfterTooManyStartsAPersonIsNeeded) {
  off("a", "h1", "crashed");
  KeepNote note;
  note.vm = "a";
  const auto now = system_clock().wall();
  for (int i = 4; i > 0; --i) note.starts.push_back(now - std::chrono::seconds(100 * i));
  ASSERT_TRUE(put(*store_, note));
  keep();
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_NE(reason_.find("a person has to look"), std::string::npos);
}

TEST_F(KeepRunningTest, AfterEightFailedStartsOnlyAPersonGoesOn) {
  off("a", "h1", "destroyed");
  KeepNote note;
  note.vm = "a";
  note.since = system_clock().wall() - std::chrono::hours(2);
  note.failed = 7;
  ASSERT_TRUE(put(*store_, note));
  for (const char* host : {"h1", "h2", "h3"}) cluster_.at(host).failing_starts = 99;
  keep();
  EXPECT_NE(reason_.find("start: a: "), std::string::npos) << reason_;
  EXPECT_EQ(keep_notes(*store_)["a"].failed, 8);
  cluster_.started.clear();
  // However long ago they were.
  note = keep_notes(*store_)["a"];
  note.starts.clear();
  ASSERT_TRUE(put(*store_, note));
  keep();
  EXPECT_TRUE(cluster_.started.empty());
  EXPECT_NE(reason_.find("8 starts of it in a row have failed"), std::string::npos) << reason_;
  EXPECT_NE(reason_.find("no such bridge"), std::string::npos);
  EXPECT_NE(reason_.find("a person has to look"), std::string::npos);
  for (const char* host : {"h1", "h2", "h3"}) cluster_.at(host).failing_starts = 0;
  forget_starts(*store_, "a");
  keep();
  EXPECT_EQ(cluster_.started.size(), 1U);
}

TEST_F(KeepRunningTest, WhatAPersonWantsOffIsLeftOff) {
  off("a", "h1", "destroyed");
  auto vm = *protected_vm(*store_, "a");
  vm.stay_off = true;
  ASSERT_TRUE(put(*store_, vm));
  keep();
  EXPECT_TRUE(cluster_.started.empty());
}

// Pinned by a device: where it is the device is, too.
TEST_F(KeepRunningTest, OneThatIsPinnedIsStartedWhereItIs) {
  off("a", "h1", "destroyed");
  auto vm = *protected_vm(*store_, "a");
  vm.xml = FakeCluster::xml_with("a", "<hostdev type='pci'/>");
  vm.pinned = "it uses a device of its host";
  ASSERT_TRUE(put(*store_, vm));
  keep();
  EXPECT_EQ(cluster_.whereabouts("a"), "h1");
  // It goes nowhere else either when it did not stay.
  cluster_.at("h1").vms["uuid-a"].state = migrate::VmState::kShutoff;
  auto note = keep_notes(*store_)["a"];
  const auto now = system_clock().wall();
  note.starts = {now - std::chrono::seconds(300), now - std::chrono::seconds(200)};
  note.since = now - std::chrono::seconds(100);
  ASSERT_TRUE(put(*store_, note));
  keep();
  EXPECT_EQ(cluster_.started, (std::vector<std::string>{"a@h1", "a@h1"}));
}

}  // namespace
}  // namespace rackline::failover
