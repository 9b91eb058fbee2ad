// SPDX-License-Identifier: Apache-2.0
// What a watcher writes into the store about hosts that are not well, and that no store holds it up.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "cluster/state.h"
#include "heartbeat/health.h"
#include "store_urls.h"

namespace rackline::heartbeat {
namespace {

using cluster::HealthMark;
using std::chrono::seconds;

class HealthTest : public testing::Test {
 protected:
  void pass(const std::vector<HostHealth>& hosts, const std::string& watcher = "w1") {
    cluster::BrokenMarks broken;
    const auto stored = cluster::health_marks(*store_, &broken);
    const auto work = due(watcher, hosts, stored, broken, now_);
    writes_ += work.puts.size() + work.removals.size();
    for (const auto& mark : work.puts) put(*store_, mark);
    for (const auto& host : work.removals) cluster::remove_health(*store_, host);
  }
  static HostHealth sick(const std::string& verdict = "suspect") {
    return {"h1", verdict, "why", false, false};
  }
  static HostHealth well() { return {"h1", "alive", "", true, true}; }
  bool serves() { return cluster::host_status(*store_, "h1", now_).serves(); }

  std::chrono::sys_seconds now_{seconds{1'800'000'000}};
  store::ScratchDirectory directory_;
  std::string url_ = "sqlite:" + (directory_.path() / "state.db").string();
  std::unique_ptr<store::Store> store_ = store::Store::open(url_);
  std::size_t writes_ = 0;
};

TEST_F(HealthTest, AHostThatIsNotWellDoesNotServeForAsLongAsThatIsRenewed) {
  pass({sick()});
  for (int i = 0; i < 600; ++i, now_ += seconds{1}) {
    pass({sick()});
    EXPECT_FALSE(serves());
  }
  EXPECT_LE(writes_, 32U) << "one in 20 s";
  ASSERT_TRUE(cluster::health_mark(*store_, "h1"));
  EXPECT_EQ(cluster::health_mark(*store_, "h1")->since, now_ - seconds{600})
      << "the verdict is as old as it is";
  pass({well()});
  EXPECT_TRUE(serves());
  now_ += seconds{300};
  pass({sick()});
  now_ += seconds{61};
  EXPECT_TRUE(serves()) << "its watcher has gone";
}

TEST_F(HealthTest, AnotherVerdictIsWrittenAtOnce) {
  pass({sick()});
  now_ += seconds{1};
  pass({sick("dead")});
  const auto mark = *cluster::health_mark(*store_, "h1");
  EXPECT_EQ(mark.verdict, "dead");
  EXPECT_EQ(mark.since, now_);
}

TEST_F(HealthTest, WhatAnotherWatcherSeesIsLeftAloneWhileItIsRenewed) {
  pass({sick()}, "w2");
  pass({well()}, "w1");
  EXPECT_FALSE(serves()) << "less is done, and not more";
  pass({sick("dead")}, "w1");
  EXPECT_EQ(cluster::health_mark(*store_, "h1")->verdict, "suspect") << "they do not write in turns";
  pass({sick("fence_contradicted")}, "w1");
  EXPECT_EQ(cluster::health_mark(*store_, "h1")->verdict, "fence_contradicted") << "but for this";
  pass({sick("dead")}, "w2");
  EXPECT_EQ(cluster::health_mark(*store_, "h1")->verdict, "fence_contradicted") << "and that stays";
  now_ += seconds{61};
  pass({well()}, "w2");
  EXPECT_FALSE(cluster::health_mark(*store_, "h1")) << "its watcher has gone";
}

TEST_F(HealthTest, AMarkFromTheFutureOrOneThatIsBrokenIsReplaced) {
  put(*store_, HealthMark{"h1", "suspect", "", now_, now_ + seconds{3600}, "w2"});
  pass({well()});
  EXPECT_TRUE(serves());
  store_->commit({{}, {{"health/h1", "{"}}, {}});
  EXPECT_FALSE(serves());
  pass({sick()});
  EXPECT_EQ(cluster::health_mark(*store_, "h1")->verdict, "suspect");
  store_->commit({{}, {{"health/h1", "{"}}, {}});
  pass({well()});
  EXPECT_TRUE(serves());
}

TEST_F(HealthTest, AnotherWatchersClockMayBeAheadALittle) {
  put(*store_, HealthMark{"h1", "suspect", "", now_, now_ + seconds{60}, "w2"});
  pass({well()});
  ASSERT_TRUE(cluster::health_mark(*store_, "h1")) << "that watcher sees what this one does not";
  EXPECT_FALSE(serves());
  put(*store_, HealthMark{"h1", "suspect", "", now_, now_ + seconds{61}, "w2"});
  pass({well()});
  EXPECT_TRUE(serves());
}

// A store of which every call waits until it is let go, and fails then.
class StuckStore final : public store::Store {
 public:
  std::optional<store::Entry> get(std::string_view) override { return wait(), std::nullopt; }
  std::vector<store::Entry> list(std::string_view) override { return wait(), std::vector<store::Entry>{}; }
  std::optional<std::int64_t> commit(const store::Transaction&) override { return wait(), std::nullopt; }
  std::optional<store::Lock> try_lock(std::string_view) override { return std::nullopt; }

  void let_go() {
    const std::lock_guard lock(mutex_);
    free_ = true;
    changed_.notify_all();
  }

 private:
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return free_; });
    throw Error(Status::kBusy, "write store", "state.db", "locked by another process");
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool free_ = false;
};

std::string await_news(HealthWriter& writer) {
  for (int i = 0; i < 5000; ++i) {
    if (auto news = writer.news()) return *news;
    std::this_thread::sleep_for(Milliseconds{1});
  }
  return {};
}

TEST_F(HealthTest, AStoreThatHangsHoldsNobodyUpAndIsToldOnce) {
  FakeClock clock;
  const auto stuck = std::make_shared<StuckStore>();
  HealthWriter writer(stuck, clock, "w1");
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 10'000; ++i) writer.tell({sick()});
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds{2});
  EXPECT_FALSE(writer.news());
  stuck->let_go();
  EXPECT_NE(await_news(writer).find("locked by another process"), std::string::npos);
  for (int i = 0; i < 50; ++i) {
    writer.tell({sick()});
    std::this_thread::sleep_for(Milliseconds{1});
  }
  EXPECT_FALSE(writer.news());
}

TEST_F(HealthTest, WhoIsHeardIsWrittenDownForTheNextWatcher) {
  FakeClock clock;
  {
    HealthWriter writer(std::shared_ptr<store::Store>(store::Store::open(url_)), clock, "w1");
    writer.tell({sick(), {"h2", "alive", "", true, true}});
    for (int i = 0; i < 5000 && cluster::contacts(*store_).empty(); ++i)
      std::this_thread::sleep_for(Milliseconds{1});
  }
  const auto contacts = cluster::contacts(*store_);
  ASSERT_EQ(contacts.size(), 1U);
  EXPECT_EQ(contacts.at("h2"), clock.wall());
  EXPECT_EQ(cluster::health_marks(*store_).size(), 1U);
}

}  // namespace
}  // namespace rackline::heartbeat
