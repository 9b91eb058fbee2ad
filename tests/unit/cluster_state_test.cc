// SPDX-License-Identifier: Apache-2.0
// What is believed of a host, and which names a host may have.
#include <gtest/gtest.h>

#include "cluster/name.h"
#include "cluster/state.h"
#include "store_urls.h"

namespace rackline::cluster {
namespace {

using std::chrono::seconds;

class ClusterStateTest : public testing::Test {
 protected:
  const std::chrono::sys_seconds now_{seconds{1'800'000'000}};
  store::ScratchDirectory directory_;
  std::unique_ptr<store::Store> store_ =
      store::Store::open("sqlite:" + (directory_.path() / "state.db").string());

  HostState state(const std::string& host = "h1") {
    const auto one = host_status(*store_, host, now_);
    const auto all = host_statuses(*store_, now_);
    const auto found = all.find(host);
    EXPECT_EQ(one.state, found == all.end() ? HostState::kServing : found->second.state);
    return one.state;
  }
};

TEST_F(ClusterStateTest, AHostWithoutAMarkServes) {
  EXPECT_EQ(state(), HostState::kServing);
  EXPECT_EQ(why_not(host_status(*store_, "h1", now_)), "");
}

TEST_F(ClusterStateTest, TheGravestMarkIsTheState) {
  put(*store_, DrainMark{"h1", "fans", now_, "ann", std::nullopt});
  EXPECT_EQ(state(), HostState::kDraining);
  put(*store_, HealthMark{"h1", "suspect", "silent for 2s", now_, now_});
  EXPECT_EQ(state(), HostState::kUnknown);
  put(*store_, cluster::MaintenanceMark{"h1", "fans", now_, "ann", std::nullopt});
  EXPECT_EQ(state(), HostState::kMaintenance);
  ASSERT_TRUE(put(
      *store_, cluster::FenceMark{"h1", "f1", "", "manual", now_, cluster::FenceMark::State::kReturning, 0}));
  EXPECT_EQ(state(), HostState::kReturning);
  auto mark = *cluster::fence_mark(*store_, "h1");
  mark.state = cluster::FenceMark::State::kFenced;
  ASSERT_TRUE(put(*store_, mark));
  EXPECT_EQ(state(), HostState::kFenced);
  EXPECT_EQ(state("h2"), HostState::kServing);
}

TEST_F(ClusterStateTest, WhatHadATimeIsOverThen) {
  put(*store_, DrainMark{"h1", "", now_ - seconds{60}, "", now_});
  put(*store_, cluster::MaintenanceMark{"h2", "", now_ - seconds{60}, "", now_ + seconds{1}});
  EXPECT_EQ(state("h1"), HostState::kServing);
  EXPECT_EQ(state("h2"), HostState::kMaintenance);
}

TEST_F(ClusterStateTest, AWatcherThatHasGoneSaysNothingAnyMore) {
  put(*store_, HealthMark{"h1", "suspect", "", now_ - seconds{300}, now_ - seconds{60}});
  EXPECT_EQ(state(), HostState::kUnknown);
  put(*store_, HealthMark{"h1", "suspect", "", now_ - seconds{300}, now_ - seconds{61}});
  EXPECT_EQ(state(), HostState::kServing);
}

TEST_F(ClusterStateTest, AWatchersMarkFromTheFutureIsNotBelievedAndNotForgotten) {
  put(*store_, HealthMark{"h1", "suspect", "silent", now_, now_ + seconds{60}});
  EXPECT_EQ(host_status(*store_, "h1", now_).verdict, "suspect") << "two clocks differ a little";
  put(*store_, HealthMark{"h1", "suspect", "silent", now_, now_ + seconds{61}});
  EXPECT_EQ(state(), HostState::kUnknown);
  const auto status = host_status(*store_, "h1", now_);
  EXPECT_EQ(status.verdict, "");
  EXPECT_EQ(status.since, std::chrono::sys_seconds{});
  EXPECT_TRUE(why_not(status).starts_with(
      "h1 is in an unknown state (by heartbeat): its mark (suspect) is from the future, " +
      format_time(now_ + seconds{61})))
      << why_not(status);
  // For whoever does less because of it, it is still there.
  EXPECT_TRUE(health_mark(*store_, "h1")->valid(now_));
}

TEST_F(ClusterStateTest, TheMarksOfAPersonAndOfFenceHoldWhateverTheirTimeIs) {
  const auto future = now_ + seconds{3600};
  put(*store_, DrainMark{"h1", "fans", future, "ann", std::nullopt});
  EXPECT_EQ(state("h1"), HostState::kDraining);
  put(*store_, cluster::MaintenanceMark{"h2", "fans", future, "ann", now_});
  EXPECT_EQ(state("h2"), HostState::kServing) << "it ends when it says";
  put(*store_, cluster::MaintenanceMark{"h2", "fans", future, "ann", std::nullopt});
  EXPECT_EQ(state("h2"), HostState::kMaintenance);
  ASSERT_TRUE(put(
      *store_, cluster::FenceMark{"h3", "f1", "", "manual", future, cluster::FenceMark::State::kFenced, 0}));
  EXPECT_EQ(state("h3"), HostState::kFenced);
}

TEST_F(ClusterStateTest, AMarkThatCannotBeReadIsNotTakenForNone) {
  for (const char* kind : {"fence", "maintenance", "drain", "health"}) {
    const std::string host = std::string("h-") + kind;
    store_->commit({{}, {{std::string(kind) + "/" + host, "{"}}, {}});
    EXPECT_EQ(state(host), HostState::kUnknown) << kind;
    EXPECT_NE(why_not(host_status(*store_, host, now_)).find("not a mark of ours"), std::string::npos);
  }
  EXPECT_EQ(state("h2"), HostState::kServing);
}

TEST_F(ClusterStateTest, ARefusalNamesStateTimePersonAndReason) {
  put(*store_, cluster::MaintenanceMark{"h1", "new fans", now_, "ann", std::nullopt});
  EXPECT_EQ(why_not(host_status(*store_, "h1", now_)),
            "h1 is in maintenance since " + format_time(now_) + " (by ann): new fans");
}

TEST_F(ClusterStateTest, MarksOfOlderProgramsAreRead) {
  store_->commit({{}, {{"maintenance/h1", R"({"reason":"x","time":"2026-11-22T12:00:00Z"})"}}, {}});
  EXPECT_EQ(state(), HostState::kMaintenance);
}

TEST(HostName, LeavesNoDirectoryAndLooksLikeNoOption) {
  for (const char* good : {"h1", "H1", "rack-3.node_7.example.org", "7"})
    EXPECT_TRUE(valid_name(good)) << good;
  for (const char* bad : {"", "../../x", "-rf", ".h1", "a/b", "a b", "a\nb", "a..b", "h\xc3\xa4", "_x"})
    EXPECT_FALSE(valid_name(bad)) << bad;
  EXPECT_TRUE(valid_name(std::string(128, 'a')));
  EXPECT_FALSE(valid_name(std::string(129, 'a')));
}

}  // namespace
}  // namespace rackline::cluster
