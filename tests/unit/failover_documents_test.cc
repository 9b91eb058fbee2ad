// SPDX-License-Identifier: Apache-2.0
// What failover keeps in a store is read by every later version, and written as it was.
#include <gtest/gtest.h>

#include "base/error.h"
#include "failover/journal.h"
#include "failover/keep.h"
#include "failover/protection.h"
#include "failover/standing.h"
#include "store_fixture.h"

namespace rackline::failover {
namespace {

using store::fixture;
using store::only;

constexpr std::chrono::sys_seconds kTime{std::chrono::seconds{1'800'000'000}};
constexpr std::chrono::hours kHour{1};

Protected plain() {
  Protected vm;
  vm.vm = "a";
  vm.uuid = "uuid-a";
  vm.host = "h1";
  vm.memory_bytes = 1 << 30;
  vm.refreshed = kTime;
  vm.seen = kTime + kHour;
  vm.xml = "<domain type='kvm'>\n  <name>a</name>\n</domain>";
  return vm;
}

Protected full() {
  Protected vm = plain();
  vm.vm = "b/\xc3\xa4 1";
  vm.running = false;
  vm.stay_off = true;
  vm.priority = -5;
  vm.after = {"a", "c"};
  vm.anti_affinity = "web";
  vm.check = "tcp:10.0.0.1:80";
  vm.affinity = {{"h2", "h1"}, true, "db", true};
  vm.vcpus = 8;
  vm.unfit = {{"h3", "no such network"}, {"h2", "another CPU"}};
  vm.pinned = "a host device";
  vm.autostart = true;
  return vm;
}

// As the journal reads it.
Intent read_start(const std::string& id, const std::string& document) {
  store::MemoryStore store;
  const FakeClock clock(kTime);
  only(store, "journal/failover/" + id, R"({"begun":"2027-01-15T08:00:00Z","intent":)" + document + "}");
  auto journal = start_journal(store, clock);
  return open_starts(journal).at(0);
}

Intent intent() {
  return {"f-1.a", "a", "uuid-a", "h1", "h2", "f-1", "incident-1", 2};
}

TEST(FailoverDocuments, AreWrittenAsTheyWere) {
  store::MemoryStore store;
  EXPECT_TRUE(put(store, plain()));
  EXPECT_TRUE(put(store, full()));
  EXPECT_TRUE(put(store, KeepNote{"a", {}, false, {}, 0, "", 0}));
  EXPECT_TRUE(put(store, KeepNote{"b/1", kTime, true, {kTime, kTime + kHour}, 2, "no \"disk\"", 0}));
  EXPECT_TRUE(put(store, StandingRule{"ann", kTime, {"b", "a"}, 0}));
  store.commit({{}, {{"intent", store::to_text(intent())}}, {}});
  EXPECT_EQ(store::lines_of(store), fixture("failover.tsv"));
}

TEST(FailoverDocuments, AreReadAsTheyWereMeant) {
  store::MemoryStore store;
  fill(store, fixture("failover.tsv"));
  const auto vms = protected_vms(store);
  ASSERT_EQ(vms.size(), 2U);
  const auto& a = vms[0];
  EXPECT_EQ(a.vm, "a");
  EXPECT_EQ(a.uuid, "uuid-a");
  EXPECT_EQ(a.host, "h1");
  EXPECT_TRUE(a.running);
  EXPECT_FALSE(a.stay_off);
  EXPECT_EQ(a.priority, 0);
  EXPECT_TRUE(a.after.empty());
  EXPECT_EQ(a.anti_affinity, std::nullopt);
  EXPECT_EQ(a.check, std::nullopt);
  EXPECT_TRUE(a.affinity.prefer.empty());
  EXPECT_FALSE(a.affinity.only);
  EXPECT_EQ(a.affinity.together, std::nullopt);
  EXPECT_FALSE(a.affinity.failback);
  EXPECT_EQ(a.memory_bytes, 1 << 30);
  EXPECT_EQ(a.vcpus, 1);
  EXPECT_EQ(a.refreshed, kTime);
  EXPECT_EQ(a.seen, kTime + kHour);
  EXPECT_TRUE(a.unfit.empty());
  EXPECT_EQ(a.pinned, std::nullopt);
  EXPECT_FALSE(a.autostart);
  EXPECT_EQ(a.xml, plain().xml);
  EXPECT_EQ(a.version, store.get("protected/a")->version);
  const auto& b = vms[1];
  EXPECT_EQ(b.vm, full().vm);
  EXPECT_FALSE(b.running);
  EXPECT_TRUE(b.stay_off);
  EXPECT_EQ(b.priority, -5);
  EXPECT_EQ(b.after, full().after);
  EXPECT_EQ(b.anti_affinity, "web");
  EXPECT_EQ(b.check, "tcp:10.0.0.1:80");
  EXPECT_EQ(b.affinity.prefer, full().affinity.prefer);
  EXPECT_TRUE(b.affinity.only);
  EXPECT_EQ(b.affinity.together, "db");
  EXPECT_TRUE(b.affinity.failback);
  EXPECT_EQ(b.vcpus, 8);
  EXPECT_EQ(b.unfit, full().unfit);
  EXPECT_EQ(b.pinned, "a host device");
  EXPECT_TRUE(b.autostart);

  const auto notes = keep_notes(store);
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_EQ(notes.at("a").since, std::nullopt);
  EXPECT_FALSE(notes.at("a").storm);
  EXPECT_TRUE(notes.at("a").starts.empty());
  EXPECT_EQ(notes.at("b/1").since, kTime);
  EXPECT_TRUE(notes.at("b/1").storm);
  EXPECT_EQ(notes.at("b/1").starts, (std::vector{kTime, kTime + kHour}));
  EXPECT_EQ(notes.at("b/1").failed, 2);
  EXPECT_EQ(notes.at("b/1").failure, "no \"disk\"");

  const auto rule = standing_rule(store);
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->by, "ann");
  EXPECT_EQ(rule->since, kTime);
  EXPECT_EQ(rule->except, (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(rule->version, store.get("protection_rule")->version);

  const Intent read = read_start("f-1.a", store.get("intent")->value);
  EXPECT_EQ(read.id, "f-1.a");
  EXPECT_EQ(read.vm, "a");
  EXPECT_EQ(read.uuid, "uuid-a");
  EXPECT_EQ(read.from, "h1");
  EXPECT_EQ(read.to, "h2");
  EXPECT_EQ(read.fence, "f-1");
  EXPECT_EQ(read.cause, "incident-1");
  EXPECT_EQ(read.attempt, 2);
}

TEST(FailoverDocuments, AreWrittenAgainAsTheyWereRead) {
  store::MemoryStore store;
  fill(store, fixture("failover.tsv"));
  for (const auto& vm : protected_vms(store)) EXPECT_TRUE(put(store, vm));
  for (const auto& [vm, note] : keep_notes(store)) EXPECT_TRUE(put(store, note));
  EXPECT_TRUE(put(store, *standing_rule(store)));
  EXPECT_EQ(store::to_text(read_start("f-1.a", store.get("intent")->value)), store.get("intent")->value);
  EXPECT_EQ(store::lines_of(store), fixture("failover.tsv"));
}

constexpr const char* kOldest =
    R"({"vm":"a","uuid":"u","host":"h1","state":"stopped","priority":1,"after":[],)"
    R"("memory_bytes":2,"vcpus":3,"refreshed":"2027-01-15T08:00:00Z","xml":"<x/>","later":{}})";

// Programs of before there was affinity, and of before a place was looked at apart from the definition.
TEST(FailoverDocuments, OlderOnesAreRead) {
  store::MemoryStore store;
  only(store, "protected/a", kOldest);
  const auto vm = protected_vm(store, "a");
  ASSERT_TRUE(vm);
  EXPECT_FALSE(vm->running);
  EXPECT_FALSE(vm->stay_off);
  EXPECT_EQ(vm->seen, kTime);
  EXPECT_EQ(vm->affinity.together, std::nullopt);
  EXPECT_TRUE(vm->affinity.prefer.empty());
  EXPECT_FALSE(vm->autostart);
  only(store, "keep/a", R"({"vm":"a","starts":[1800000000]})");
  const auto note = keep_notes(store).at("a");
  EXPECT_EQ(note.since, std::nullopt);
  EXPECT_EQ(note.starts, std::vector{kTime});
  EXPECT_EQ(note.failed, 0);
}

// One that was to stay off does, whatever was seen of it.
TEST(FailoverDocuments, WhatIsToStayOffIsStopped) {
  store::MemoryStore store;
  std::string text = kOldest;
  text.replace(text.find("\"stopped\""), 9, "\"running\",\"want\":\"stopped\"");
  only(store, "protected/a", text);
  EXPECT_FALSE(protected_vm(store, "a")->running);
  EXPECT_TRUE(protected_vm(store, "a")->stay_off);
}

std::string without(std::string text, const std::string& part, const std::string& instead = "") {
  const auto at = text.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return text.replace(at, part.size(), instead);
}

TEST(FailoverDocuments, BrokenOnesAreTornAndNotNone) {
  store::MemoryStore store;
  for (const std::string& torn :
       {std::string(), std::string("{"), std::string("[]"), std::string("{}"), std::string("null"),
        std::string(kOldest).substr(0, 60), without(kOldest, "\"uuid\":\"u\","),
        without(kOldest, "\"u\"", "5"), without(kOldest, "\"u\"", "null"), without(kOldest, ":1,", ":\"1\","),
        without(kOldest, "[]", "{}"), without(kOldest, "[]", "[1]"), without(kOldest, "[]", "null"),
        without(kOldest, "\"h1\"", "[\"h1\"]"), without(kOldest, ",\"xml\":\"<x/>\""),
        without(kOldest, "\"later\":{}", "\"unfit\":{\"h2\":5}"),
        without(kOldest, "\"later\":{}", "\"only\":\"yes\""),
        without(kOldest, "\"later\":{}", "\"prefer\":\"h1\""),
        without(kOldest, "\"later\":{}", "\"together\":5")}) {
    only(store, "protected/a", torn);
    EXPECT_THROW(protected_vm(store, "a"), Error) << torn;
    EXPECT_THROW(protected_vms(store), Error) << torn;
    std::vector<std::string> told;
    EXPECT_TRUE(protected_vms(store, &told).empty()) << torn;
    ASSERT_EQ(told.size(), 1U) << torn;
    EXPECT_NE(told[0].find("protected/a"), std::string::npos);
  }
  for (const char* torn : {"", "{", "[]", "{}", R"({"by":"ann","since":"2027-01-15T08:00:00Z"})",
                           R"({"by":5,"since":"2027-01-15T08:00:00Z","except":[]})",
                           R"({"by":"","since":"2027-01-15T08:00:00Z","except":[5]})",
                           R"({"by":"","since":"2027-01-15T08:00:00Z","except":"a"})"}) {
    only(store, "protection_rule", torn);
    EXPECT_THROW(standing_rule(store), Error) << torn;
  }
  for (const char* torn :
       {"", "{", "[]", "{}", R"({"vm":"a","uuid":"u","from":"h1","to":"h2","fence":"f"})",
        R"({"vm":"a","uuid":"u","from":"h1","to":"h2","fence":"f","cause":"c"})",
        R"({"vm":"a","uuid":"u","from":"h1","to":5,"fence":"f","cause":"c","attempt":1})",
        R"({"vm":"a","uuid":"u","from":"h1","to":"h2","fence":"f","cause":"c","attempt":"1"})"}) {
    EXPECT_THROW(read_start("f-1.a", torn), Error) << torn;
  }
  // Only the count of starts is lost with a note; one in its place is written over it.
  for (const char* torn : {"", "{", "[]", "{}", R"({"vm":"a"})", R"({"vm":"a","starts":5})",
                           R"({"vm":"a","starts":["x"]})", R"({"vm":"a","starts":[],"since":"x"})"}) {
    only(store, "keep/a%20b", torn);
    const auto notes = keep_notes(store);
    ASSERT_EQ(notes.size(), 1U) << torn;
    EXPECT_TRUE(put(store, notes.at("a b"))) << torn;
    EXPECT_EQ(notes.at("a b").vm, "a b") << torn;
    EXPECT_TRUE(notes.at("a b").starts.empty()) << torn;
  }
}

}  // namespace
}  // namespace rackline::failover
