// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <thread>

#include "base/error.h"
#include "store_urls.h"

namespace rackline::store {
namespace {

TEST_P(AnyStore, KeepsWhatWasCommittedBeyondItsOwnLife) {
  const std::string text = R"({"name":"a \"quoted\" name, ü","n":9007199254740993})";
  Store::open(url())->commit({{}, {{key("a"), text}}, {}});
  const auto entry = Store::open(url())->get(key("a"));
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->value, text);
  EXPECT_EQ(entry->key, key("a"));
}

TEST_P(AnyStore, SaysThatAKeyIsNotThere) {
  EXPECT_FALSE(Store::open(url())->get(key("none")));
}

TEST_P(AnyStore, ListsOnlyThePrefixInOrder) {
  const auto store = Store::open(url());
  store->commit({{}, {{key("b/2"), "2"}, {key("b/1"), "1"}, {key("a/9"), "9"}, {key("bb"), "x"}}, {}});
  const auto entries = store->list(key("b/"));
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].key, key("b/1"));
  EXPECT_EQ(entries[1].value, "2");
}

TEST_P(AnyStore, ATransactionWhoseCompareFailsChangesNothing) {
  const auto store = Store::open(url());
  store->commit({{}, {{key("a"), "1"}}, {}});
  EXPECT_FALSE(store->commit({{{key("a"), 0}}, {{key("b"), "1"}}, {key("a")}}));
  EXPECT_TRUE(store->get(key("a")));
  EXPECT_FALSE(store->get(key("b")));
}

TEST_P(AnyStore, PutsAndDeletesTogether) {
  const auto store = Store::open(url());
  const auto version = store->commit({{{key("a"), 0}}, {{key("a"), "1"}}, {}});
  ASSERT_TRUE(version);
  ASSERT_TRUE(store->commit({{{key("a"), *version}}, {{key("b"), "1"}}, {key("a"), key("none")}}));
  EXPECT_FALSE(store->get(key("a")));
  EXPECT_TRUE(store->get(key("b")));
}

TEST_P(AnyStore, AVersionIsNeverUsedTwice) {
  const auto store = Store::open(url());
  const auto first = store->commit({{}, {{key("a"), "1"}}, {}});
  store->commit({{}, {}, {key("a")}});
  const auto second = store->commit({{{key("a"), 0}}, {{key("a"), "1"}}, {}});
  ASSERT_TRUE(first && second);
  EXPECT_GT(*second, *first);
  EXPECT_EQ(store->get(key("a"))->version, *second);
  EXPECT_FALSE(store->commit({{{key("a"), *first}}, {{key("a"), "2"}}, {}}));
}

TEST_P(AnyStore, ComparedIncrementsOfManyThreadsAreAllCounted) {
  const auto shared = Store::open(url());
  shared->commit({{}, {{key("n"), "0"}}, {}});
  const auto count = [&](Store& store) {
    for (int done = 0; done < 20;) {
      const auto entry = store.get(key("n"));
      const std::string next = std::to_string(std::stoi(entry->value) + 1);
      if (store.commit({{{key("n"), entry->version}}, {{key("n"), next}}, {}})) ++done;
    }
  };
  // Two threads on one object, two on objects of their own, as two programs would have them.
  std::array<std::thread, 4> threads{
      std::thread([&] { count(*shared); }), std::thread([&] { count(*shared); }),
      std::thread([&] { count(*Store::open(url())); }), std::thread([&] { count(*Store::open(url())); })};
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(shared->get(key("n"))->value, "80");
}

TEST_P(AnyStore, ManyMayArriveAtANewStoreAtOnce) {
  std::array<std::thread, 6> threads;
  std::atomic<int> opened{0};
  for (auto& thread : threads) {
    thread = std::thread([&] {
      Store::open(url())->commit({{}, {{key("x"), "1"}}, {}});
      ++opened;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(opened, 6);
}

TEST_P(AnyStore, AScanIsBoundedOrderedAndEndsWhenNoMoreIsWanted) {
  const auto store = Store::open(url());
  store->commit({{}, {{key("c"), "3"}, {key("a"), "1"}, {key("b"), "2"}, {key("d"), "4"}}, {}});
  std::string seen;
  const auto visit = [&](const Entry& entry) {
    seen += entry.value;
    return entry.value != "2" || seen.size() > 2;
  };
  store->scan(key("a"), key("d"), visit);
  EXPECT_EQ(seen, "12");
  store->scan(key("a"), key("d"), visit);
  EXPECT_EQ(seen, "12123");
}

TEST_P(AnyStore, UpdatesOfManyWritersAreAllCountedWithoutComparing) {
  const auto count = [&] {
    const auto store = Store::open(url());
    for (int done = 0; done < 25; ++done) {
      store->update(lock_name("n"), [&](View& view) -> std::optional<Transaction> {
        const auto entry = view.get(key("n"));
        const int n = entry ? std::stoi(entry->value) : 0;
        return Transaction{{}, {{key("n"), std::to_string(n + 1)}}, {}};
      });
    }
  };
  std::array<std::thread, 4> threads;
  for (auto& thread : threads) thread = std::thread(count);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(Store::open(url())->get(key("n"))->value, "100");
}

TEST_P(AnyStore, AnUpdateThatThrowsOrWantsNothingLeavesEverythingAsItWas) {
  const auto store = Store::open(url());
  store->commit({{}, {{key("a"), "1"}}, {}});
  EXPECT_FALSE(store->update(lock_name("n"), [](View&) { return std::optional<Transaction>{}; }));
  EXPECT_THROW(store->update(lock_name("n"),
                             [&](View& view) -> std::optional<Transaction> {
                               view.get(key("a"));
                               throw Error(Status::kNo, "do", "it", "no");
                             }),
               Error);
  EXPECT_EQ(store->get(key("a"))->value, "1");
  EXPECT_TRUE(Store::open(url())->update(lock_name("n"), [&](View&) {
    return Transaction{{}, {{key("a"), "2"}}, {}};
  }));
  EXPECT_EQ(store->get(key("a"))->value, "2");
}

TEST_P(AnyStore, AnUpdateWhoseWriterIsKilledLetsTheNextOneIn) {
  Word ready;
  Forked writer([&] {
    Store::open(url())->update(lock_name("n"), [&](View&) -> std::optional<Transaction> {
      ready.say('y');
      for (;;) pause();
    });
  });
  ASSERT_EQ(ready.hear(), 'y');
  const auto store = Store::open(url());
  std::thread waiting([&] {
    Store::open(url())->update(lock_name("n"), [&](View&) {
      return Transaction{{}, {{key("n"), "in"}}, {}};
    });
  });
  writer.kill();
  waiting.join();
  const auto entry = store->get(key("n"));
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->value, "in");
}

TEST_P(AnyStore, ALockIsHeldOnceAndGivenBackWithItsObject) {
  const auto store = Store::open(url());
  const auto other = Store::open(url());
  {
    const auto held = store->try_lock(lock_name("one"));
    ASSERT_TRUE(held);
    EXPECT_FALSE(store->try_lock(lock_name("one")));
    EXPECT_FALSE(other->try_lock(lock_name("one")));
    EXPECT_TRUE(other->try_lock(lock_name("two")));
  }
  EXPECT_TRUE(other->try_lock(lock_name("one")));
}

TEST_P(AnyStore, ALockDiesWithItsHolderWhoeverKillsIt) {
  Word ready;
  Forked holder([&] {
    const auto store = Store::open(url());
    const auto held = store->try_lock(lock_name("one"));
    ready.say(held ? 'y' : 'n');
    for (;;) pause();
  });
  ASSERT_EQ(ready.hear(), 'y');
  const auto store = Store::open(url());
  EXPECT_FALSE(store->try_lock(lock_name("one")));
  holder.kill();
  EXPECT_TRUE(
      store->lock(lock_name("one"), system_clock(), system_clock().monotonic() + Milliseconds{10'000}));
}

TEST_P(AnyStore, WaitingForALockEndsAtTheDeadline) {
  const auto store = Store::open(url());
  const auto held = store->try_lock(lock_name("one"));
  const auto before = system_clock().monotonic();
  EXPECT_FALSE(store->lock(lock_name("one"), system_clock(), before + Milliseconds{120}));
  EXPECT_GE(system_clock().monotonic() - before, Milliseconds{120});
}

TEST_P(AnyStore, WaitingForALockGetsItWhenItIsGivenBack) {
  const auto store = Store::open(url());
  auto held = store->try_lock(lock_name("one"));
  std::thread giver([&] { held.reset(); });
  EXPECT_TRUE(
      store->lock(lock_name("one"), system_clock(), system_clock().monotonic() + Milliseconds{10'000}));
  giver.join();
}

TEST_P(AnyStore, AKilledWriterLeavesAllOrNothingOfATransaction) {
  Forked writer([&] {
    const auto store = Store::open(url());
    for (int n = 0;; ++n) {
      const std::string text = std::to_string(n);
      store->commit({{}, {{key("both/a"), text}, {key("both/b"), text}}, {}});
    }
  });
  const auto store = Store::open(url());
  const auto deadline = system_clock().monotonic() + Milliseconds{20'000};
  while (system_clock().monotonic() < deadline) {
    const auto entry = store->get(key("both/a"));
    if (entry && std::stoi(entry->value) >= 10) break;
  }
  writer.kill();
  // Both in one read: what the dead one had sent to a server may still be carried out between two.
  const auto both = Store::open(url())->list(key("both/"));
  ASSERT_EQ(both.size(), 2U);
  EXPECT_GE(std::stoi(both[0].value), 10);
  EXPECT_EQ(both[0].value, both[1].value);
  EXPECT_EQ(both[0].version, both[1].version);
}

TEST_P(AnyStore, RefusesKeysAndLockNamesThatNotEveryEngineCouldHold) {
  const auto store = Store::open(url());
  EXPECT_THROW(store->get(""), Error);
  EXPECT_THROW(store->get("a b"), Error);
  EXPECT_THROW(store->commit({{}, {{"line\nend", "1"}}, {}}), Error);
  EXPECT_THROW(store->try_lock("../../etc/passwd"), Error);
  EXPECT_THROW(store->try_lock(""), Error);
}

RACKLINE_FOR_EVERY_STORE(AnyStore);

}  // namespace
}  // namespace rackline::store
