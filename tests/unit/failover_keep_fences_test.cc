// SPDX-License-Identifier: Apache-2.0
// What should run, runs: also what hosts had that are fenced.
#include <gtest/gtest.h>

#include "failover/recovery.h"
#include "failover_fake.h"
#include "store_urls.h"

namespace rackline::failover {
namespace {

using Names = std::vector<std::string>;

class KeepAfterAFenceTest : public testing::Test {
 protected:
  KeepAfterAFenceTest() : store_(store::Store::open("sqlite:" + (directory_.path() / "state.db").string())) {
    policy_.poll = Milliseconds{1};
    policy_.lock_timeout = Milliseconds{0};
    inventory_ = fake_hosts(cluster_, 3);
    cluster_.add("h1", "a");
    EXPECT_TRUE(put(*store_, fake_protected("a", "h1")));
    fence("h1");
  }
  void fence(const std::string& host) {
    cluster_.kill(host);
    cluster::FenceMark mark;
    mark.host = host;
    mark.id = "fence-of-" + host;
    ASSERT_TRUE(cluster::put(*store_, mark));
  }
  Recovery recovery() {
    return {policy_,
            inventory_,
            cluster_,
            *store_,
            system_clock(),
            [](const probe::Check&, Milliseconds) { return probe::Answer{true}; },
            {.restarted = [this](const record::VmRestarted& r) { words_.push_back(r.outcome); },
             .not_restarted = [](const record::VmNotRestarted&) {},
             .warn = [](const std::string&) {}}};
  }
  // Where it was started.
  std::string place() const { return cluster_.started.back().substr(2); }

  store::ScratchDirectory directory_;
  std::unique_ptr<store::Store> store_;
  FakeCluster cluster_;
  std::vector<record::Host> inventory_;
  RecoveryPolicy policy_;
  Names words_;
};

// The one that read host_fenced was killed before it had started anything.
TEST_F(KeepAfterAFenceTest, TheMarkIsProofEnough) {
  EXPECT_TRUE(recovery().keep());
  EXPECT_EQ(cluster_.started.size(), 1U);
}

TEST_F(KeepAfterAFenceTest, WhatAFenceHasRestartedIsStartedAgainWhenItEnds) {
  auto recovery = this->recovery();
  recovery.resume();
  ASSERT_EQ(cluster_.started.size(), 1U);
  cluster_.at(place()).vms["uuid-a"].state = migrate::VmState::kShutoff;
  EXPECT_TRUE(recovery.keep());
  EXPECT_EQ(cluster_.started, Names(2, "a@" + place()));
}

// The fence of the first host has restarted it on a host that is fenced by now: it does not run "already".
TEST_F(KeepAfterAFenceTest, OneThatDiedWithItsSecondHostIsNotSaidToRun) {
  recovery().resume();
  ASSERT_EQ(words_, Names{"done"});
  fence(place());
  auto after = recovery();
  record::HostFenced again;
  again.host = "h1";
  again.id = "fence-of-h1";
  again.power_after = "off";
  again.verified = true;
  after.accept(again, system_clock().monotonic());
  EXPECT_EQ(words_, Names{"done"});
  EXPECT_TRUE(after.keep());
  EXPECT_EQ(words_, (Names{"done", "done"}));
}

// It was moved to the host that died, and libvirt has left its definition where it came from.
TEST_F(KeepAfterAFenceTest, OneThatWasMovedToTheDeadHostIsStarted) {
  auto& left = cluster_.at("h2").vms["uuid-a"];
  left = cluster_.at("h1").vms["uuid-a"];
  left.reason = "migrated";
  auto vm = *protected_vm(*store_, "a");
  vm.host = "h2";
  ASSERT_TRUE(put(*store_, vm));
  EXPECT_TRUE(recovery().keep());
  EXPECT_EQ(cluster_.started.size(), 1U);
}

}  // namespace
}  // namespace rackline::failover
