// SPDX-License-Identifier: Apache-2.0
// What fence keeps in a store is read by every later version, and written as it was.
#include <gtest/gtest.h>

#include "base/error.h"
#include "fence/identity.h"
#include "fence/journal.h"
#include "fence/wish.h"
#include "store_fixture.h"

namespace rackline::fence {
namespace {

using store::fixture;
using store::only;

constexpr std::chrono::sys_seconds kTime{std::chrono::seconds{1'800'000'000}};

std::vector<IdentityFinding> findings() {
  IdentityFinding confirmed;
  confirmed.host = "h1";
  confirmed.method = "fence_ipmilan h1";
  confirmed.place = "ipmi 10.0.0.1";
  confirmed.identity = SwitchIdentity::kConfirmed;
  confirmed.bmc_uuid = confirmed.host_uuid = bmc::parse_uuid("00112233-4455-6677-8899-aabbccddeeff");
  IdentityFinding silent = confirmed;
  silent.place = "redfish 10.0.0.2";
  silent.identity = SwitchIdentity::kUnknown;
  silent.host_uuid.reset();
  IdentityFinding mismatch = confirmed;
  mismatch.host = "h 2";
  mismatch.identity = SwitchIdentity::kMismatch;
  mismatch.reason = "it switches \"another\"";
  return {confirmed, silent, mismatch};
}

void put_all(store::Store& store) {
  const FakeClock clock(kTime);
  keep_identities(store, findings(), kTime);
  FenceJournal journal(store, clock);
  journal.begin("f-1", "h1", "incident-1");
  journal.begin("f-2", "h2", "");
  journal.end("f-2", "h2", "fenced");
}

TEST(FenceDocuments, AreWrittenAsTheyWere) {
  store::MemoryStore store;
  put_all(store);
  const FenceWish wish(store, "h 1", kTime);
  EXPECT_EQ(store::lines_of(store), fixture("fence.tsv"));
}

TEST(FenceDocuments, AreReadAsTheyWereMeant) {
  store::MemoryStore store;
  fill(store, fixture("fence.tsv"));
  const auto kept = kept_identities(store, "h1");
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].host, "h1");
  EXPECT_EQ(kept[0].method, "fence_ipmilan h1");
  EXPECT_EQ(kept[0].place, "ipmi 10.0.0.1");
  EXPECT_EQ(kept[0].identity, SwitchIdentity::kConfirmed);
  EXPECT_EQ(kept[0].bmc_uuid, findings()[0].bmc_uuid);
  EXPECT_EQ(kept[0].host_uuid, findings()[0].host_uuid);
  EXPECT_EQ(kept[0].reason, "");
  EXPECT_EQ(kept[1].identity, SwitchIdentity::kUnknown);
  EXPECT_EQ(kept[1].host_uuid, std::nullopt);
  ASSERT_EQ(kept_identities(store, "h 2").size(), 1U);
  EXPECT_EQ(kept_identities(store, "h 2")[0].identity, SwitchIdentity::kMismatch);
  EXPECT_EQ(kept_identities(store, "h 2")[0].reason, "it switches \"another\"");

  const FakeClock clock(kTime);
  FenceWishes wishes(store, clock);
  EXPECT_TRUE(wishes.of("h 1"));
  EXPECT_FALSE(wishes.of("h1"));

  FenceJournal journal(store, clock);
  const auto open = journal.open();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].id, "f-1");
  EXPECT_EQ(open[0].host, "h1");
  EXPECT_EQ(open[0].cause, "incident-1");
  EXPECT_EQ(open[0].begun, kTime);
  EXPECT_EQ(journal.fenced_within("h2", Milliseconds{1000}), 1);
  EXPECT_EQ(journal.fenced_within("h1", Milliseconds{1000}), 0);
}

// What is learnt of one switch takes nothing away of what is known of the host's others.
TEST(FenceDocuments, AnIdentityIsMergedWithWhatWasKnown) {
  store::MemoryStore store;
  fill(store, fixture("fence.tsv"));
  keep_identities(store, {findings()[1]}, kTime);
  const auto kept = kept_identities(store, "h1");
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].place, "redfish 10.0.0.2");
  EXPECT_EQ(kept[1].place, "ipmi 10.0.0.1");
  EXPECT_EQ(kept[1].identity, SwitchIdentity::kConfirmed);
  keep_identities(store, {findings()[0], findings()[1]}, kTime);
  EXPECT_EQ(store::lines_of(store), fixture("fence.tsv"));
}

TEST(FenceDocuments, ABrokenIdentityIsNotTakenForNone) {
  store::MemoryStore store;
  const auto with = [](const std::string& one) { return "{\"switches\":[" + one + "]}"; };
  for (
      const std::string& torn :
      {std::string(), std::string("{"), std::string("[]"), std::string("{}"),
       std::string(R"({"switches":5})"), with("5"), with("{}"),
       with(R"({"method":"m","place":"p","identity":"Confirmed","bmc_uuid":"","host_uuid":"","reason":""})"),
       with(R"({"method":"m","place":5,"identity":"confirmed","bmc_uuid":"","host_uuid":"","reason":""})"),
       with(
           R"({"method":"m","place":"p","identity":"confirmed","bmc_uuid":null,"host_uuid":"","reason":""})"),
       with(R"({"method":"m","place":"p","identity":"confirmed","bmc_uuid":"","host_uuid":""})")}) {
    only(store, "identity/h1", torn);
    EXPECT_THROW(kept_identities(store, "h1"), Error) << torn;
  }
  // An older one may lack its time, and may know more fields.
  only(
      store, "identity/h1",
      with(
          R"({"method":"m","place":"p","identity":"mismatch","bmc_uuid":"","host_uuid":"","reason":"","x":1})"));
  EXPECT_EQ(kept_identities(store, "h1").at(0).identity, SwitchIdentity::kMismatch);
  // Asked again, it is written anew.
  only(store, "identity/h1", "{");
  keep_identities(store, {findings()[0]}, kTime);
  EXPECT_EQ(kept_identities(store, "h1").at(0).identity, SwitchIdentity::kConfirmed);
}

TEST(FenceDocuments, ABrokenWishIsNone) {
  store::MemoryStore store;
  const FakeClock clock(kTime);
  for (const char* torn : {"", "{", "[]", "{}", R"({"time":5})", R"({"time":"now"})"}) {
    only(store, "fence-wish/h1", torn);
    EXPECT_FALSE(FenceWishes(store, clock).of("h1")) << torn;
  }
}

TEST(FenceDocuments, ABrokenEntryOfTheJournalIsToldAndStopsNoOther) {
  store::MemoryStore store;
  const FakeClock clock(kTime);
  for (const char* torn : {"", "{", "[]", "{}", R"({"begun":"2027-01-15T08:00:00Z"})",
                           R"({"begun":"now","intent":{"host":"h1","cause":""}})"}) {
    store.entries.clear();
    put_all(store);
    store.commit({{}, {{"journal/fence/f-0", torn}}, {}});
    FenceJournal journal(store, clock);
    std::vector<store::Unread> broken;
    EXPECT_EQ(journal.open(&broken).size(), 1U) << torn;
    EXPECT_EQ(broken.size(), 1U) << torn;
  }
  const auto with_intent = [](const char* torn) {
    return R"({"begun":"2027-01-15T08:00:00Z","intent":)" + std::string(torn) + "}";
  };
  for (const char* torn : {"[]", "5", R"({"host":5})"}) {
    only(store, "journal/fence/f-0", with_intent(torn));
    std::vector<store::Unread> broken;
    EXPECT_TRUE(FenceJournal(store, clock).open(&broken).empty()) << torn;
    ASSERT_EQ(broken.size(), 1U) << torn;
    EXPECT_EQ(broken[0].id, "f-0");
  }
  // An intent that says nothing is of no host.
  only(store, "journal/fence/f-0", with_intent("{}"));
  const auto open = FenceJournal(store, clock).open();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].host, "");
}

}  // namespace
}  // namespace rackline::fence
