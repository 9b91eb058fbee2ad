// SPDX-License-Identifier: Apache-2.0
// What stands in a store about hosts is read by every later version, and written as it was.
#include <gtest/gtest.h>

#include "cluster/contacts.h"
#include "cluster/disarm.h"
#include "cluster/marks.h"
#include "store_fixture.h"

namespace rackline::cluster {
namespace {

using store::fixture;
using store::only;

constexpr std::chrono::sys_seconds kTime{std::chrono::seconds{1'800'000'000}};
constexpr std::chrono::hours kHour{1};
const std::string kOdd =
    "r\xc3\xa4"
    "ck/1 \"a\"";

void put_all(store::Store& store) {
  EXPECT_TRUE(put(store, FenceMark{"h1", "f-1", "incident-1", "ipmi", kTime, FenceMark::State::kFenced, 0}));
  EXPECT_TRUE(
      put(store, FenceMark{kOdd, "f-2", "", "manual", kTime + kHour, FenceMark::State::kReturning, 0}));
  put(store, MaintenanceMark{"h1", "new \"disks\"", kTime, "ann", kTime + kHour, true});
  put(store, MaintenanceMark{"h2", "", kTime, "", {}, false});
  put(store, DrainMark{"h1", "broken \xff byte", kTime, "ann", kTime + kHour});
  put(store, DrainMark{"h2", "", kTime, "", {}});
  put(store, HealthMark{"h1", "fence_contradicted", "it answers", kTime, kTime + kHour, "w1", "f-1"});
  put(store, HealthMark{"h2", "suspect", "", kTime, kTime, "", ""});
  put(store, DisarmMark{"new switches", kTime, "ann", kTime + kHour});
  put(store, Contacts{{"h2", kTime + kHour}, {kOdd, kTime}});
}

TEST(ClusterDocuments, AreWrittenAsTheyWere) {
  store::MemoryStore store;
  put_all(store);
  EXPECT_EQ(store::lines_of(store), fixture("cluster.tsv"));
}

TEST(ClusterDocuments, AreReadAsTheyWereMeant) {
  store::MemoryStore store;
  fill(store, fixture("cluster.tsv"));
  const auto fences = fence_marks(store);
  ASSERT_EQ(fences.size(), 2U);
  EXPECT_EQ(fences[0].host, "h1");
  EXPECT_EQ(fences[0].id, "f-1");
  EXPECT_EQ(fences[0].cause, "incident-1");
  EXPECT_EQ(fences[0].method, "ipmi");
  EXPECT_EQ(fences[0].time, kTime);
  EXPECT_EQ(fences[0].state, FenceMark::State::kFenced);
  EXPECT_EQ(fences[0].version, store.get("fence/h1")->version);
  EXPECT_EQ(fences[1].host, kOdd);
  EXPECT_EQ(fences[1].state, FenceMark::State::kReturning);

  const auto maintenance = maintenance_marks(store);
  ASSERT_EQ(maintenance.size(), 2U);
  EXPECT_EQ(maintenance[0].reason, "new \"disks\"");
  EXPECT_EQ(maintenance[0].time, kTime);
  EXPECT_EQ(maintenance[0].by, "ann");
  EXPECT_EQ(maintenance[0].until, kTime + kHour);
  EXPECT_TRUE(maintenance[0].empty);
  EXPECT_EQ(maintenance[1].host, "h2");
  EXPECT_EQ(maintenance[1].until, std::nullopt);
  EXPECT_FALSE(maintenance[1].empty);

  const auto drain = drain_mark(store, "h1");
  ASSERT_TRUE(drain);
  EXPECT_EQ(drain->reason, "broken \xef\xbf\xbd byte");
  EXPECT_EQ(drain->time, kTime);
  EXPECT_EQ(drain->by, "ann");
  EXPECT_EQ(drain->until, kTime + kHour);
  EXPECT_EQ(drain_mark(store, "h2")->until, std::nullopt);

  const auto health = health_mark(store, "h1");
  ASSERT_TRUE(health);
  EXPECT_EQ(health->verdict, "fence_contradicted");
  EXPECT_EQ(health->reason, "it answers");
  EXPECT_EQ(health->since, kTime);
  EXPECT_EQ(health->renewed, kTime + kHour);
  EXPECT_EQ(health->by, "w1");
  EXPECT_EQ(health->fence, "f-1");
  EXPECT_EQ(health_mark(store, "h2")->fence, "");

  const auto disarm = disarm_mark(store);
  ASSERT_TRUE(disarm);
  EXPECT_EQ(disarm->reason, "new switches");
  EXPECT_EQ(disarm->time, kTime);
  EXPECT_EQ(disarm->by, "ann");
  EXPECT_EQ(disarm->until, kTime + kHour);

  EXPECT_EQ(contacts(store), (Contacts{{"h2", kTime + kHour}, {kOdd, kTime}}));
}

TEST(ClusterDocuments, AreWrittenAgainAsTheyWereRead) {
  store::MemoryStore store;
  fill(store, fixture("cluster.tsv"));
  for (const auto& mark : fence_marks(store)) EXPECT_TRUE(put(store, mark));
  for (const auto& mark : maintenance_marks(store)) put(store, mark);
  for (const auto& mark : drain_marks(store)) put(store, mark);
  for (const auto& mark : health_marks(store)) put(store, mark);
  put(store, *disarm_mark(store));
  put(store, contacts(store));
  EXPECT_EQ(store::lines_of(store), fixture("cluster.tsv"));
}

TEST(ClusterDocuments, OlderAndLaterOnesAreRead) {
  store::MemoryStore store;
  only(store, "maintenance/h1", R"({"reason":"x","time":"2027-01-15T08:00:00Z"})");
  EXPECT_EQ(maintenance_mark(store, "h1")->by, "");
  only(store, "drain/h1", R"({"reason":"x","time":"2027-01-15T08:00:00Z"})");
  EXPECT_EQ(drain_mark(store, "h1")->until, std::nullopt);
  only(
      store, "health/h1",
      R"({"verdict":"suspect","reason":"","since":"2027-01-15T08:00:00Z","renewed":"2027-01-15T08:00:00Z"})");
  EXPECT_EQ(health_mark(store, "h1")->verdict, "suspect");
  only(store, "fence/h1",
       R"({"later":[1,{}],"state":"fenced","time":"2027-01-15T08:00:00Z","method":"m","cause":"","id":"f"})");
  EXPECT_EQ(fence_mark(store, "h1")->id, "f");
  only(store, "disarmed", R"({"later":null,"by":"","time":"2027-01-15T08:00:00Z","reason":"r"})");
  EXPECT_EQ(disarm_mark(store)->reason, "r");
}

TEST(ClusterDocuments, ABrokenMarkIsNeverTakenForNone) {
  store::MemoryStore store;
  for (const char* torn : {
           "",
           "{",
           "torn",
           "null",
           "[]",
           "{}",
           R"({"id":"f","cause":"","method":"m","time":"2027-01-15T08:00:00Z"})",
           R"({"id":5,"cause":"","method":"m","time":"2027-01-15T08:00:00Z","state":"fenced"})",
           R"({"id":null,"cause":"","method":"m","time":"2027-01-15T08:00:00Z","state":"fenced"})",
           R"({"id":"f","cause":"","method":"m","time":"yesterday","state":"fenced"})",
           R"({"id":"f","cause":"","method":"m","time":1800000000,"state":"fenced"})",
           R"({"id":"f","cause":"","method":"m","time":"2027-01-15T08:00:00Z","state":"Fenced"})",
           R"({"id":"f","cause":"","method":"m","time":"2027-01-15T08:00:00Z","state":"fenced"} x)",
       }) {
    only(store, "fence/h1", torn);
    EXPECT_THROW(fence_mark(store, "h1"), BrokenMark) << torn;
    EXPECT_THROW(fence_marks(store), BrokenMark) << torn;
    BrokenMarks broken;
    EXPECT_TRUE(fence_marks(store, &broken).empty()) << torn;
    ASSERT_EQ(broken.size(), 1U) << torn;
    EXPECT_EQ(broken[0].host, "h1");
  }
  for (const char* torn : {
           "{",
           R"({"time":"2027-01-15T08:00:00Z"})",
           R"({"reason":"","time":"2027-01-15T08:00:00Z","by":null})",
           R"({"reason":"","time":"2027-01-15T08:00:00Z","until":null})",
           R"({"reason":"","time":"2027-01-15T08:00:00Z","until":5})",
           R"({"reason":"","time":"2027-01-15T08:00:00Z","until":"soon"})",
       }) {
    only(store, "maintenance/h1", torn);
    EXPECT_THROW(maintenance_mark(store, "h1"), BrokenMark) << torn;
    only(store, "drain/h1", torn);
    EXPECT_THROW(drain_mark(store, "h1"), BrokenMark) << torn;
    only(store, "disarmed", torn);
    EXPECT_THROW(disarm_mark(store), BrokenMark) << torn;
  }
  // What says who disarmed is as old as the mark itself.
  only(store, "disarmed", R"({"reason":"","time":"2027-01-15T08:00:00Z"})");
  EXPECT_THROW(disarm_mark(store), BrokenMark);
  for (
      const char* torn : {
          "{",
          R"({"verdict":"suspect","reason":"","since":"2027-01-15T08:00:00Z"})",
          R"({"verdict":"suspect","reason":"","since":"2027-01-15T08:00:00Z","renewed":"2027-01-15T08:00:00Z","fence":5})",
      }) {
    only(store, "health/h1", torn);
    EXPECT_THROW(health_mark(store, "h1"), BrokenMark) << torn;
  }
  for (const char* torn : {"", "{", "[]", "5"}) {
    only(store, "contacts", torn);
    EXPECT_TRUE(contacts(store).empty()) << torn;
  }
}

}  // namespace
}  // namespace rackline::cluster
