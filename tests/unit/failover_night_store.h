// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "memory_store.h"

namespace rackline::failover::night {

// A store in memory with the troubles of a real one.
class TroubledStore final : public store::MemoryStore {
 public:
  enum class Trouble { kNone, kLocked, kReadOnly, kAway };
  // Asked before each call.
  std::function<Trouble()> trouble = [] { return Trouble::kNone; };
  // A lock was not to be had: whether to ask again, when a second has passed.
  std::function<bool(std::string_view name)> lock_missed = [](std::string_view) { return false; };

  std::optional<store::Entry> get(std::string_view key) override {
    check(false);
    return MemoryStore::get(key);
  }
  std::vector<store::Entry> list(std::string_view prefix) override {
    check(false);
    return MemoryStore::list(prefix);
  }
  std::optional<std::int64_t> commit(const store::Transaction& transaction) override {
    check(true);
    return MemoryStore::commit(transaction);
  }
  std::optional<store::Lock> try_lock(std::string_view name) override {
    constexpr int kSeconds = 11;  // longer than anybody waits
    for (int i = 0; i < kSeconds; ++i) {
      if (auto lock = MemoryStore::try_lock(name)) return lock;
      if (!lock_missed(name)) break;
    }
    return std::nullopt;
  }

 private:
  void check(bool writes) const {
    const Trouble now = trouble();
    if (now == Trouble::kAway || (now == Trouble::kReadOnly && writes))
      throw Error(Status::kUnreachable, writes ? "write store" : "read store", "memory",
                  now == Trouble::kAway ? "it is away" : "read-only");
    if (now == Trouble::kLocked && writes)
      throw Error(Status::kBusy, "write store", "memory", "others are writing it");
  }
};

}  // namespace rackline::failover::night
