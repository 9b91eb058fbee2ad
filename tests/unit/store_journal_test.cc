// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/error.h"
#include "store/journal.h"
#include "store_urls.h"

namespace rackline::store {
namespace {

class AnyJournal : public AnyStore {
 protected:
  AnyJournal() : actor_(lock_name("migrate")) {}
  RawJournal journal(Store& store) { return {store, actor_, clock_}; }
  FakeClock clock_;

 private:
  std::string actor_;
};

TEST_P(AnyJournal, AnIntentIsOpenUntilItsResultAndSurvivesTheProcess) {
  journal(*Store::open(url())).intent("a1", R"({"vm":"db1","n":1})");
  const auto store = Store::open(url());
  auto again = journal(*store);
  ASSERT_EQ(again.open().size(), 1U);
  EXPECT_EQ(again.open()[0].id, "a1");
  EXPECT_EQ(again.open()[0].intent, R"({"vm":"db1","n":1})");
  EXPECT_EQ(again.open()[0].begun, clock_.wall());
  clock_.advance(Milliseconds{5000});
  again.result("a1", R"({"outcome":"done"})");
  EXPECT_TRUE(again.open().empty());
  const auto found = again.find("a1");
  ASSERT_TRUE(found && found->result);
  EXPECT_EQ(*found->result, R"({"outcome":"done"})");
  EXPECT_EQ(found->ended, clock_.wall());
}

TEST_P(AnyJournal, AnOpenIntentCannotBeBegunOverAndAFinishedOneCan) {
  const auto store = Store::open(url());
  auto log = journal(*store);
  log.intent("a1", "{}");
  EXPECT_THROW(log.intent("a1", "{}"), Error);
  log.result("a1", R"({"outcome":"failed"})");
  log.intent("a1", R"({"attempt":2})");
  ASSERT_EQ(log.open().size(), 1U);
  EXPECT_FALSE(log.find("a1")->result);
}

TEST_P(AnyJournal, AnOpenIntentIsAmendedAndStaysAsOldAsItIs) {
  const auto store = Store::open(url());
  auto log = journal(*store);
  EXPECT_THROW(log.amend("a1", "{}"), Error);
  log.intent("a1", R"({"made":false})");
  const auto begun = log.find("a1")->begun;
  clock_.advance(Milliseconds{5000});
  log.amend("a1", R"({"made":true})");
  ASSERT_EQ(log.open().size(), 1U);
  EXPECT_EQ(log.open()[0].intent, R"({"made":true})");
  EXPECT_EQ(log.open()[0].begun, begun);
  log.result("a1", "{}");
  EXPECT_THROW(log.amend("a1", "{}"), Error);
}

TEST_P(AnyJournal, AResultNeedsItsIntent) {
  const auto store = Store::open(url());
  auto log = journal(*store);
  EXPECT_THROW(log.result("a1", "{}"), Error);
  log.intent("a1", "{}");
  log.result("a1", "{}");
  EXPECT_THROW(log.result("a1", "{}"), Error);
}

TEST_P(AnyJournal, ListsOpenIntentsOldestFirst) {
  const auto store = Store::open(url());
  auto log = journal(*store);
  log.intent("z", "{}");
  clock_.advance(Milliseconds{2000});
  log.intent("a", "{}");
  ASSERT_EQ(log.open().size(), 2U);
  EXPECT_EQ(log.open()[0].id, "z");
}

TEST_P(AnyJournal, TakesAnyId) {
  const auto store = Store::open(url());
  auto log = journal(*store);
  const std::string id = "a b/../%41\nü";
  log.intent(id, "{}");
  EXPECT_TRUE(log.find(id));
  EXPECT_EQ(log.open()[0].id, id);
  EXPECT_FALSE(log.find("a b/../A\nü"));
}

TEST_P(AnyJournal, ForgetsOldResultsAndNeverAnOpenIntent) {
  const auto store = Store::open(url());
  auto log = journal(*store);
  log.intent("open", "{}");
  for (const char* id : {"r1", "r2", "r3"}) {
    log.intent(id, "{}");
    log.result(id, "{}");
    clock_.advance(Milliseconds{60'000});
  }
  log.prune(std::chrono::seconds{150}, 100);
  EXPECT_FALSE(log.find("r1"));
  EXPECT_TRUE(log.find("r2"));
  log.prune(std::chrono::seconds{1000}, 1);
  EXPECT_FALSE(log.find("r2"));
  EXPECT_TRUE(log.find("r3"));
  clock_.advance(Milliseconds{10'000'000});
  log.prune(std::chrono::seconds{1}, 0);
  EXPECT_FALSE(log.find("r3"));
  EXPECT_TRUE(log.find("open"));
}

RACKLINE_FOR_EVERY_STORE(AnyJournal);

}  // namespace
}  // namespace rackline::store
