// SPDX-License-Identifier: Apache-2.0
// What stands in a ledger is read by every later version, and written as it was.
#include <gtest/gtest.h>

#include "base/error.h"
#include "reserve/enforce.h"
#include "reserve/model.h"
#include "reserve/profile.h"
#include "reserve_support.h"
#include "store_fixture.h"

namespace rackline::reserve {
namespace {

using store::fixture;

constexpr Second kStart = 1'800'000'000;

Pool root() {
  Pool pool;
  pool.name = "rack1";
  pool.hosts = {"h1", "h2"};
  pool.children = {"web"};
  Resource cpu;
  cpu.unit = Unit::kCores;
  cpu.capacity = 64'000;
  cpu.given = 8'000;
  cpu.limit = 60'000;
  cpu.never_lent = 1'000;
  Resource disk;
  disk.unit = Unit::kBytes;
  Resource network;
  network.unit = Unit::kBits;
  network.ratio = 1500;
  network.borrow_limit = 5;
  network.shares = 7;
  network.expandable = true;
  pool.resources = {{"cpu", cpu}, {"disk", disk}, {"gpu \"x\"", Resource{}}, {"network", network}};
  pool.headroom.largest_host = true;
  pool.tracks_use = true;
  pool.since = kStart;
  return pool;
}

Pool child() {
  Pool pool;
  pool.name = "web";
  pool.parent = "rack1";
  pool.headroom.amounts = {{"cpu", 500}, {"memory", 1 << 30}};
  return pool;
}

Pool made() {
  Pool pool;
  pool.name = "zoo";
  pool.since = pool.made = kStart;
  return pool;
}

Claim full_claim() {
  Claim claim;
  claim.id = "c/1";
  claim.pool = "rack1";
  claim.owner = "ann";
  claim.priority = 5;
  claim.amounts = {{"cpu", 4'000}, {"memory", 1 << 30}};
  claim.spans = {{kStart, kStart + 60}, {kStart + 90, kForever}};
  claim.every = "weekdays 8-18";
  claim.tags = {"t1", "t2"};
  claim.loans = {"l-1"};
  claim.vm = "db 1";
  claim.host = "h1";
  claim.limits = {{"iops", 100}};
  claim.borrow = claim.lendable = true;
  claim.made = kStart - 5;
  claim.from = kStart;
  claim.ended = "released";
  return claim;
}

// As it is written since requests are known by their times, and rules by their zone.
Claim timed_claim() {
  Claim claim = full_claim();
  claim.id = "c-3";
  claim.zone = "Europe/Berlin";
  claim.asked = {kStart, kStart + 60, 60};
  return claim;
}

Claim plain_claim() {
  Claim claim;
  claim.id = "c-2";
  claim.pool = "rack1";
  claim.made = kStart;
  return claim;
}

Loan loan() {
  return {"l-1", "rack1", "web",  "bob",      1, {{"cpu", 100}}, {{kStart, kStart + 60}},
          "c/1", kStart,  kStart, "reclaimed"};
}

Loan plain_loan() {
  return {"l-2", "rack1", "web", "", 0, {}, {}, "", kStart, kStart, ""};
}

Loan timed_loan() {
  Loan timed = loan();
  timed.id = "l-3";
  timed.asked = {kStart, kStart + 60, 60};
  return timed;
}

Loan one_of_several() {
  Loan first = loan();
  first.id = "l-4";
  first.others = {"l-5", "l-6"};
  return first;
}

Applied applied() {
  return {"db 1", "h1", "c/1", {{"cpu_shares", {1024, 300}}, {"vcpu_quota", {-1, 5000}}}};
}

void put(store::Store& store, const std::string& key, const std::string& text) {
  store.commit({{}, {{key, text}}, {}});
}

TEST(ReserveDocuments, AreWrittenAsTheyWere) {
  MemoryStore store;
  for (const auto& pool : {root(), child(), made()}) put(store, pool_key(pool.name), to_text(pool));
  for (const auto& claim : {full_claim(), plain_claim(), timed_claim()})
    put(store, claim_key(claim), to_text(claim));
  for (const auto& each : {loan(), plain_loan(), timed_loan(), one_of_several()})
    put(store, loan_key(each), to_text(each));
  put(store, applied_key("c/1"), to_text(applied()));
  EXPECT_EQ(store::lines_of(store), fixture("reserve.tsv"));
}

TEST(ReserveDocuments, AreReadAsTheyWereMeantAndWrittenAgain) {
  MemoryStore store;
  fill(store, fixture("reserve.tsv"));
  for (const auto& entry : store.list("reserve/p/")) {
    EXPECT_EQ(to_text(pool_from(entry.key, entry.value)), entry.value);
  }
  const auto pools = all_pools(store);
  ASSERT_EQ(pools.size(), 3U);
  EXPECT_EQ(pools[0].name, "rack1");
  EXPECT_EQ(pools[0].parent, "");
  EXPECT_EQ(pools[0].hosts, root().hosts);
  EXPECT_EQ(pools[0].children, root().children);
  EXPECT_TRUE(pools[0].headroom.largest_host);
  EXPECT_TRUE(pools[0].tracks_use);
  EXPECT_EQ(pools[0].since, kStart);
  ASSERT_EQ(pools[0].resources.size(), 4U);
  const auto& cpu = pools[0].resources.at("cpu");
  EXPECT_EQ(cpu.unit, Unit::kCores);
  EXPECT_EQ(cpu.capacity, 64'000);
  EXPECT_EQ(cpu.ratio, 1000);
  EXPECT_EQ(cpu.given, 8'000);
  EXPECT_EQ(cpu.limit, 60'000);
  EXPECT_EQ(cpu.borrow_limit, std::nullopt);
  EXPECT_EQ(cpu.shares, std::nullopt);
  EXPECT_EQ(cpu.never_lent, 1'000);
  EXPECT_FALSE(cpu.expandable);
  const auto& network = pools[0].resources.at("network");
  EXPECT_EQ(network.unit, Unit::kBits);
  EXPECT_EQ(network.ratio, 1500);
  EXPECT_EQ(network.limit, std::nullopt);
  EXPECT_EQ(network.borrow_limit, 5);
  EXPECT_EQ(network.shares, 7);
  EXPECT_TRUE(network.expandable);
  EXPECT_EQ(pools[0].resources.at("disk").unit, Unit::kBytes);
  EXPECT_EQ(pools[0].resources.at("gpu \"x\"").unit, Unit::kPieces);
  EXPECT_EQ(pools[1].parent, "rack1");
  EXPECT_EQ(pools[1].headroom.amounts, child().headroom.amounts);
  EXPECT_FALSE(pools[1].headroom.largest_host);
  EXPECT_FALSE(pools[1].tracks_use);
  EXPECT_EQ(pools[1].made, 0);
  EXPECT_EQ(pools[2].made, kStart);

  for (const auto& entry : store.list("reserve/c/")) {
    EXPECT_EQ(to_text(claim_from(entry.key, entry.value)), entry.value);
  }
  const std::string key = claim_key(full_claim());
  const Claim claim = claim_from(key, store.get(key)->value);
  EXPECT_EQ(claim.id, "c/1");
  EXPECT_EQ(claim.pool, "rack1");
  EXPECT_EQ(claim.owner, "ann");
  EXPECT_EQ(claim.priority, 5);
  EXPECT_EQ(claim.amounts, full_claim().amounts);
  EXPECT_EQ(claim.spans, full_claim().spans);
  EXPECT_EQ(claim.every, "weekdays 8-18");
  EXPECT_EQ(claim.tags, full_claim().tags);
  EXPECT_EQ(claim.loans, full_claim().loans);
  EXPECT_EQ(claim.vm, "db 1");
  EXPECT_EQ(claim.host, "h1");
  EXPECT_EQ(claim.limits, full_claim().limits);
  EXPECT_TRUE(claim.borrow);
  EXPECT_TRUE(claim.lendable);
  EXPECT_EQ(claim.made, kStart - 5);
  EXPECT_EQ(claim.from, kStart);
  EXPECT_EQ(claim.ended, "released");
  EXPECT_EQ(claim.zone, "");
  EXPECT_EQ(claim.asked, Asked{});
  const std::string later_key = claim_key(timed_claim());
  const Claim later = claim_from(later_key, store.get(later_key)->value);
  EXPECT_EQ(later.zone, "Europe/Berlin");
  EXPECT_EQ(later.asked, timed_claim().asked);

  for (const auto& entry : store.list("reserve/l/")) {
    EXPECT_EQ(to_text(loan_from(entry.key, entry.value)), entry.value);
  }
  const std::string lent = loan_key(loan());
  const Loan read = loan_from(lent, store.get(lent)->value);
  EXPECT_EQ(read.id, "l-1");
  EXPECT_EQ(read.lender, "rack1");
  EXPECT_EQ(read.borrower, "web");
  EXPECT_EQ(read.owner, "bob");
  EXPECT_EQ(read.priority, 1);
  EXPECT_EQ(read.amounts, loan().amounts);
  EXPECT_EQ(read.spans, loan().spans);
  EXPECT_EQ(read.claim, "c/1");
  EXPECT_EQ(read.made, kStart);
  EXPECT_EQ(read.from, kStart);
  EXPECT_EQ(read.ended, "reclaimed");
  EXPECT_EQ(read.asked, Asked{});
  const std::string first_loan = loan_key(one_of_several());
  EXPECT_EQ(loan_from(first_loan, store.get(first_loan)->value).others, one_of_several().others);
  const std::string later_loan = loan_key(timed_loan());
  EXPECT_EQ(loan_from(later_loan, store.get(later_loan)->value).asked, timed_loan().asked);

  const std::string set = store.get(applied_key("c/1"))->value;
  EXPECT_EQ(to_text(applied_from("k", set)), set);
  EXPECT_EQ(applied_from("k", set).host, "h1");
  EXPECT_EQ(applied_from("k", set).settings.at("vcpu_quota").before, -1);
}

// The tree of one pool, before and after it was split.
TEST(ReserveDocuments, AProfileIsWrittenAsItWas) {
  MemoryStore store;
  class Reading final : public store::View {
   public:
    explicit Reading(store::Store& from) : from_(from) {}
    std::optional<store::Entry> get(std::string_view key) override { return from_.get(key); }
    void scan(std::string_view, std::string_view, const store::Visit&) override {}

   private:
    store::Store& from_;
  } view(store);
  for (const std::string prefix : {"reserve/t/few/", "reserve/t/many/"}) {
    WriteSet writes(view);
    Profile profile(writes, prefix);
    const int number = prefix == "reserve/t/few/" ? 2 : 40;
    for (int i = 0; i < number; ++i) {
      profile.add(i % 2 == 0 ? "cpu" : "memory \"x\"", {kStart + i * 86'400, kStart + (i + 3) * 86'400},
                  i + 1);
    }
    profile.set_written(kStart);
    profile.save();
    store.commit(*writes.transaction());
  }
  EXPECT_EQ(store::lines_of(store), fixture("reserve_profile.tsv"));
  // Read, and changed there and back.
  for (const std::string prefix : {"reserve/t/few/", "reserve/t/many/"}) {
    WriteSet writes(view);
    Profile profile(writes, prefix);
    EXPECT_EQ(profile.written(), kStart);
    EXPECT_EQ(profile.at("cpu", kStart), 1);
    profile.add("cpu", {kStart + 7, kForever}, 5);
    profile.add("cpu", {kStart + 7, kForever}, -5);
    profile.save();
    EXPECT_FALSE(writes.transaction());
  }
}

TEST(ReserveDocuments, BrokenOnesAreToldByTheirKey) {
  for (
      const char* torn :
      {"", "{", "[]", "null", "{}", R"({"name":"a","since":1})", R"({"name":5,"since":1,"resources":{}})",
       R"({"name":"a","since":"1","resources":{}})", R"({"name":"a","since":1,"resources":[1]})",
       R"({"name":"a","since":1,"resources":{},"hosts":"h1"})",
       R"({"name":"a","since":1,"resources":{},"tracks_use":"yes"})",
       R"({"name":"a","since":1,"resources":{},"headroom":{"cpu":"x"}})",
       R"({"name":"a","since":1,"resources":{"cpu":{"unit":"horses","capacity":1,"ratio":1,"given":1}}})",
       R"({"name":"a","since":1,"resources":{"cpu":{"unit":"cores","ratio":1,"given":1}}})",
       R"({"name":"a","since":1,"resources":{"cpu":{"unit":"cores","capacity":1,"ratio":1,"given":1,"limit":null}}})"}) {
    try {
      pool_from("reserve/p/a", torn);
      ADD_FAILURE() << torn;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("reserve/p/a"), std::string::npos) << torn;
      EXPECT_EQ(error.status(), Status::kUnreachable);
    }
  }
  const std::string whole = to_text(full_claim());
  EXPECT_NO_THROW(claim_from("k", whole));
  const auto without = [](std::string text, const std::string& part, const std::string& instead = "") {
    const auto at = text.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    return text.replace(at, part.size(), instead);
  };
  for (const std::string& torn :
       {std::string(), std::string("{"), whole.substr(0, whole.size() - 2), without(whole, "\"id\":\"c/1\","),
        without(whole, "\"ann\"", "5"), without(whole, "\"cpu\":4000", "\"cpu\":\"4\""),
        without(whole, "\"priority\":5", "\"priority\":null"), without(whole, "[[1800000000,", "[["),
        without(whole, "[[1800000000,", "[[\"x\","), without(whole, "\"borrow\":true", "\"borrow\":1.5e")}) {
    EXPECT_THROW(claim_from("k", torn), Error) << torn;
  }
  EXPECT_NO_THROW(claim_from("k", without(whole, "\"borrow\":true", "\"later\":[{}],\"borrow\":true")));
  const std::string lent = to_text(loan());
  for (const std::string& torn : {std::string("{"), without(lent, "\"lender\":\"rack1\","),
                                  without(lent, "\"spans\":[[", "\"spans\":[5,[")}) {
    EXPECT_THROW(loan_from("k", torn), Error) << torn;
  }
  for (const char* torn : {"", "{", "[]", "{}", R"({"vm":"a","host":"h","id":"c","settings":{"s":5}})",
                           R"({"vm":"a","host":"h","id":"c","settings":{"s":{"before":1}}})"}) {
    EXPECT_THROW(applied_from("k", torn), Error) << torn;
  }
}

}  // namespace
}  // namespace rackline::reserve
