// SPDX-License-Identifier: Apache-2.0
// Starts that fail, and starts that hang: what is said of them, and when another host may be tried.
#include <gtest/gtest.h>

#include "failover/journal.h"
#include "failover/recovery.h"
#include "failover_fake.h"
#include "store_urls.h"

namespace rackline::failover {
namespace {

class StartTest : public testing::Test {
 protected:
  StartTest() : store_(store::Store::open("sqlite:" + (directory_.path() / "state.db").string())) {
    policy_.poll = Milliseconds{1};
    policy_.verify_timeout = Milliseconds{150};
    policy_.settle = Milliseconds{40};
    policy_.lock_timeout = Milliseconds{0};
    inventory_ = fake_hosts(cluster_, 3);
    // h3 has hardly room, so that h2 is tried first.
    cluster_.at("h3").memory = 3 * FakeCluster::kGiB;
    cluster_.add("h1", "a");
    EXPECT_TRUE(put(*store_, fake_protected("a", "h1")));
    cluster_.kill("h1");
    fence("h1", "f1");
  }
  void fence(const std::string& host, const std::string& id) {
    cluster::FenceMark mark;
    mark.host = host;
    mark.id = id;
    ASSERT_TRUE(cluster::put(*store_, mark));
  }
  // A run that knows nothing but what is in the store.
  void resume() {
    outcome_.clear();
    reason_.clear();
    Recovery recovery(policy_, inventory_, cluster_, *store_, system_clock(),
                      [](const probe::Check&, Milliseconds) { return probe::Answer{true}; },
                      {.restarted = [this](const record::VmRestarted& r) { outcome_ = r.outcome; },
                       .not_restarted =
                           [this](const record::VmNotRestarted& r) {
                             outcome_ = r.outcome;
                             reason_ = r.reason;
                           },
                       .warn = [](const std::string&) {}});
    recovery.resume();
  }

  store::ScratchDirectory directory_;
  std::unique_ptr<store::Store> store_;
  std::vector<record::Host> inventory_;
  RecoveryPolicy policy_;
  std::string outcome_, reason_;
  FakeCluster cluster_;  // last: its threads end first
};

TEST_F(StartTest, EachHostThatWasTriedIsNamedWithWhatLibvirtSaid) {
  cluster_.at("h2").failing_starts = cluster_.at("h3").failing_starts = 9;
  resume();
  EXPECT_EQ(outcome_, "failed");
  EXPECT_EQ(reason_.rfind("start: a: ", 0), 0U) << reason_;
  EXPECT_NE(reason_.find("h2: no such bridge"), std::string::npos);
  EXPECT_NE(reason_.find("h3: no such bridge"), std::string::npos);
  EXPECT_EQ(reason_.find("uuid-a"), std::string::npos);
}

TEST_F(StartTest, WhereAnotherOneHasItsNameItIsNotTried) {
  cluster_.add_namesake("h2", "a");
  resume();
  EXPECT_EQ(outcome_, "done");
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off) h3");
}

TEST_F(StartTest, WhereAllHaveItsNameThatIsSaidAndNothingIsTried) {
  cluster_.add_namesake("h2", "a");
  cluster_.add_namesake("h3", "a");
  resume();
  EXPECT_EQ(outcome_, "unplaced");
  EXPECT_EQ(reason_.rfind("another virtual server of that name is defined on h2 and h3", 0), 0U) << reason_;
  EXPECT_TRUE(cluster_.started.empty());
}

TEST_F(StartTest, ALockIsNamedAsTheCause) {
  for (const char* host : {"h2", "h3"}) {
    cluster_.at(host).failing_starts = 1;
    cluster_.at(host).failure =
        "process exited:\nFailed to get \"write\" lock\nIs another process using the image?";
  }
  resume();
  EXPECT_NE(reason_.find("a lock on its disk is held elsewhere"), std::string::npos) << reason_;
  EXPECT_EQ(reason_.find('\n'), std::string::npos);
}

// The start may come to its end on h2 at any moment.
TEST_F(StartTest, AStartThatHangsIsTriedNowhereElse) {
  cluster_.at("h2").start_hangs = Milliseconds{600};
  resume();
  EXPECT_EQ(outcome_, "unknown");
  EXPECT_NE(reason_.find("a start on h2 has not come to an end"), std::string::npos) << reason_;
  EXPECT_NE(reason_.find("it is started nowhere else until h2 is fenced"), std::string::npos);
  EXPECT_EQ(cluster_.started.size(), 1U);
  std::this_thread::sleep_for(Milliseconds{700});
  resume();
  EXPECT_EQ(outcome_, "done");  // it came up in the end, and is found
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off) h2");
  EXPECT_TRUE(cluster_.ran_twice.empty());
}

TEST_F(StartTest, WhenThatHostIsFencedItIsStartedElsewhere) {
  cluster_.at("h2").start_hangs = Milliseconds{400};
  cluster_.at("h2").start_fails_late = true;
  resume();
  EXPECT_EQ(outcome_, "unknown");
  cluster_.kill("h2");
  fence("h2", "f2");
  resume();
  EXPECT_EQ(outcome_, "done");
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off) h2(off) h3");
  std::this_thread::sleep_for(Milliseconds{400});
}

TEST_F(StartTest, AStartThatHangsAndThenSaysNoIsTriedElsewhere) {
  policy_.settle = Milliseconds{2000};
  cluster_.at("h2").start_hangs = Milliseconds{300};
  cluster_.at("h2").start_fails_late = true;
  resume();
  EXPECT_EQ(outcome_, "done");
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off) h3");
}

// The connection breaks, and libvirtd goes on with it: without a definition it cannot.
TEST_F(StartTest, AStartOfABrokenConnectionIsTriedElsewhereWhenItsDefinitionIsGone) {
  cluster_.at("h2").starts_behind = Milliseconds{200};
  resume();
  EXPECT_EQ(outcome_, "done");
  std::this_thread::sleep_for(Milliseconds{250});
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off) h3");
  EXPECT_TRUE(cluster_.ran_twice.empty());
}

TEST_F(StartTest, AStartOfABrokenConnectionWhoseDefinitionStaysIsTriedNowhereElse) {
  cluster_.at("h2").starts_behind = Milliseconds{200};
  cluster_.definitions_stick = true;
  resume();
  EXPECT_EQ(outcome_, "unknown");
  std::this_thread::sleep_for(Milliseconds{250});
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off) h2");
  EXPECT_TRUE(cluster_.ran_twice.empty());
}

// libvirtd is still at it, and tells a later start no.
TEST_F(StartTest, AStartThatAKilledRunLeftUnderWayIsNotForgottenForALaterOnesNo) {
  start_journal(*store_, system_clock())
      .intent("f1.a", Intent{"f1.a", "a", "uuid-a", "h1", "h2", "f1", "", 1});
  cluster_.add("h2", "a", migrate::VmState::kShutoff);
  cluster_.definitions_stick = true;
  cluster_.at("h2").failing_starts = 1;
  resume();
  EXPECT_EQ(outcome_, "unknown");
  EXPECT_EQ(cluster_.started, std::vector<std::string>{"a@h2"});
  cluster_.definitions_stick = false;
  cluster_.at("h2").failing_starts = 1;
  resume();
  EXPECT_EQ(outcome_, "done");
  EXPECT_EQ(cluster_.whereabouts("a"), "h1(off) h3");
}

TEST_F(StartTest, AfterEightRoundsAPersonIsCalled) {
  for (const char* host : {"h2", "h3"}) cluster_.at(host).failing_starts = 999;
  FakeClock clock;
  std::vector<std::string> reasons;
  Recovery recovery(policy_, inventory_, cluster_, *store_, clock,
                    [](const probe::Check&, Milliseconds) { return probe::Answer{true}; },
                    {.restarted = [](const record::VmRestarted&) {},
                     .not_restarted = [&](const record::VmNotRestarted& r) { reasons.push_back(r.reason); },
                     .warn = [](const std::string&) {}});
  recovery.resume();
  for (int round = 2; round <= 12; ++round) {
    clock.advance(Milliseconds{60'000});
    recovery.retry();
  }
  EXPECT_EQ(cluster_.started.size(), 16U);
  ASSERT_EQ(reasons.size(), 2U);
  EXPECT_NE(reasons[1].find("8 rounds of starts have failed"), std::string::npos);
  EXPECT_NE(reasons[1].find("a person has to look"), std::string::npos);
  EXPECT_FALSE(recovery.pending());
}

}  // namespace
}  // namespace rackline::failover
