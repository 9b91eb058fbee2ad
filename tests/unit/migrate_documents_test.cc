// SPDX-License-Identifier: Apache-2.0
// What migrate keeps in a store is read by every later version, and written as it was.
#include <gtest/gtest.h>

#include "base/error.h"
#include "migrate/journal.h"
#include "store_fixture.h"

namespace rackline::migrate {
namespace {

using store::fixture;
using store::only;

MoveIntent full() {
  return {{"m-1", "incident-1", "db 1", "h1", "h2", "uuid-1", 7, 3, std::int64_t{1} << 40}, false, true};
}

MoveIntent with_media() {
  MoveIntent intent = full();
  intent.ejected = {{"sda", "/var/iso/a.iso", "<disk type=\"file\"/>", ""}};
  intent.copies = {{"vda", "/var/a.img", "qcow2", "local", 1024, 512, true}, {"vdb", "/var/b", "raw"}};
  return intent;
}

MoveIntent by_hand() {
  return {{"m-2", {}, "db2", "h1", "h2", {}, {}, 1, {}}, true, false};
}

MoveReport report(act::Outcome outcome) {
  MoveReport report;
  report.outcome = outcome;
  if (outcome == act::Outcome::kFailed) report.reason = "no \"route\"";
  report.attempts = 2;
  report.elapsed = Milliseconds{12'345};
  return report;
}

constexpr const char* kIntent = R"({"vm":"a","from":"h1","to":"h2","live":true,"later":[]})";

// As a journal reads it.
MoveJournal::Item item(const std::string& intent, const std::string& result = "") {
  store::MemoryStore store;
  const FakeClock clock;
  const std::string more = result.empty() ? "" : R"(,"result":)" + result;
  only(store, "journal/migrate/m-1", R"({"begun":"2027-01-15T08:00:00Z","intent":)" + intent + more + "}");
  return MoveJournal(store, "migrate", clock).find("m-1").value();
}

TEST(MigrateDocuments, AreWrittenAsTheyWere) {
  store::MemoryStore store;
  store.commit({{}, {{"intent/by_hand", store::to_text(by_hand())}}, {}});
  store.commit({{}, {{"intent/full", store::to_text(full())}}, {}});
  store.commit({{}, {{"intent/media", store::to_text(with_media())}}, {}});
  store.commit({{}, {{"result/done", store::to_text(report(act::Outcome::kDone))}}, {}});
  store.commit({{}, {{"result/failed", store::to_text(report(act::Outcome::kFailed))}}, {}});
  EXPECT_EQ(store::lines_of(store), fixture("migrate.tsv"));
}

TEST(MigrateDocuments, AreReadAsTheyWereMeantAndWrittenAgain) {
  store::MemoryStore store;
  fill(store, fixture("migrate.tsv"));
  const std::string text = store.get("intent/full")->value;
  const MoveIntent read = intent_of(item(text));
  EXPECT_EQ(read.move.id, "m-1");
  EXPECT_EQ(read.move.cause, "incident-1");
  EXPECT_EQ(read.move.vm, "db 1");
  EXPECT_EQ(read.move.from, "h1");
  EXPECT_EQ(read.move.to, "h2");
  EXPECT_EQ(read.move.uuid, "uuid-1");
  EXPECT_EQ(read.move.domain_id, 7);
  EXPECT_EQ(read.move.stage, 3);
  EXPECT_EQ(read.move.memory_bytes, std::int64_t{1} << 40);
  EXPECT_FALSE(read.live);
  EXPECT_TRUE(read.autostart);
  EXPECT_EQ(store::to_text(read), text);
  const std::string hand = store.get("intent/by_hand")->value;
  EXPECT_EQ(intent_of(item(hand)).move.uuid, std::nullopt);
  EXPECT_EQ(intent_of(item(hand)).move.domain_id, std::nullopt);
  EXPECT_EQ(intent_of(item(hand)).move.cause, std::nullopt);
  EXPECT_TRUE(intent_of(item(hand)).live);
  EXPECT_EQ(store::to_text(intent_of(item(hand))), hand);
  const std::string media = store.get("intent/media")->value;
  const MoveIntent loaded = intent_of(item(media));
  ASSERT_EQ(loaded.ejected.size(), 1u);
  EXPECT_EQ(loaded.ejected[0].source, "/var/iso/a.iso");
  ASSERT_EQ(loaded.copies.size(), 2u);
  EXPECT_TRUE(loaded.copies[0].made);
  EXPECT_EQ(loaded.copies[0].capacity_bytes, 1024);
  EXPECT_FALSE(loaded.copies[1].made);
  EXPECT_EQ(store::to_text(loaded), media);
  EXPECT_TRUE(was_done(item(text, store.get("result/done")->value)));
  EXPECT_FALSE(was_done(item(text, store.get("result/failed")->value)));
  EXPECT_FALSE(was_done(item(text)));
}

TEST(MigrateDocuments, OlderOnesAreRead) {
  const MoveIntent read = intent_of(item(kIntent));
  EXPECT_EQ(read.move.vm, "a");
  EXPECT_EQ(read.move.stage, 1);
  EXPECT_EQ(read.move.uuid, std::nullopt);
  EXPECT_FALSE(read.autostart);
  EXPECT_TRUE(was_done(item(kIntent, R"({"outcome":"done"})")));
}

TEST(MigrateDocuments, BrokenOnesAreNoIntent) {
  for (const char* torn :
       {"", "{", "[]", "{}", R"({"vm":"a","from":"h1","to":"h2"})", R"({"vm":"a","from":"h1","live":true})",
        R"({"vm":"a","from":"h1","to":5,"live":true})", R"({"vm":"a","from":"h1","to":"h2","live":"yes"})",
        R"({"vm":"a","from":"h1","to":"h2","live":null})",
        R"({"vm":"a","from":"h1","to":"h2","live":true,"uuid":5})",
        R"({"vm":"a","from":"h1","to":"h2","live":true,"domain_id":"7"})",
        R"({"vm":"a","from":"h1","to":"h2","live":true,"stage":null})"}) {
    EXPECT_THROW(intent_of(item(torn)), Error) << torn;
  }
  for (const char* torn : {"5", "[]", "{}", R"({"outcome":"Done"})", R"({"outcome":null})"}) {
    const auto read = item(kIntent, torn);
    EXPECT_TRUE(read.result) << torn << ": it has ended all the same";
    EXPECT_FALSE(was_done(read)) << torn;
  }
}

}  // namespace
}  // namespace rackline::migrate
