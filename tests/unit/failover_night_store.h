// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "store/store.h"

namespace rackline::failover::night {

// A store in memory, quick enough for hours of simulated time, with the troubles of a real one.
class MemoryStore final : public store::Store {
 public:
  enum class Trouble { kNone, kLocked, kReadOnly, kAway };
  // Asked before each call.
  std::function<Trouble()> trouble = [] { return Trouble::kNone; };
  // A lock was not to be had: whether to ask again, when a second has passed.
  std::function<bool(std::string_view name)> lock_missed = [](std::string_view) { return false; };

  std::optional<store::Entry> get(std::string_view key) override {
    const std::lock_guard guard(mutex_);
    check(false);
    const auto found = entries_.find(std::string(key));
    return found == entries_.end() ? std::nullopt : std::optional(found->second);
  }
  std::vector<store::Entry> list(std::string_view prefix) override {
    const std::lock_guard guard(mutex_);
    check(false);
    std::vector<store::Entry> entries;
    for (auto it = entries_.lower_bound(std::string(prefix));
         it != entries_.end() && it->first.starts_with(prefix); ++it)
      entries.push_back(it->second);
    return entries;
  }
  std::optional<std::int64_t> commit(const store::Transaction& transaction) override {
    const std::lock_guard guard(mutex_);
    check(true);
    for (const auto& compare : transaction.compares) {
      const auto found = entries_.find(compare.key);
      if ((found == entries_.end() ? 0 : found->second.version) != compare.version) return std::nullopt;
    }
    ++version_;
    for (const auto& put : transaction.puts) entries_[put.key] = {put.key, put.value, version_};
    for (const auto& key : transaction.deletes) entries_.erase(key);
    return version_;
  }
  std::optional<store::Lock> try_lock(std::string_view name) override {
    constexpr int kSeconds = 11;  // longer than anybody waits
    for (int i = 0; i < kSeconds; ++i) {
      {
        const std::lock_guard guard(mutex_);
        if (locks_.insert(std::string(name)).second)
          return store::Lock(std::make_unique<Holder>(*this, std::string(name)));
      }
      if (!lock_missed(name)) break;
    }
    return std::nullopt;
  }

 private:
  struct Holder final : store::Lock::Holder {
    Holder(MemoryStore& owner, std::string its_name) : store(owner), name(std::move(its_name)) {}
    ~Holder() override {
      const std::lock_guard guard(store.mutex_);
      store.locks_.erase(name);
    }
    MemoryStore& store;
    std::string name;
  };
  void check(bool writes) const {
    const Trouble now = trouble();
    if (now == Trouble::kAway || (now == Trouble::kReadOnly && writes))
      throw Error(Status::kUnreachable, writes ? "write store" : "read store", "memory",
                  now == Trouble::kAway ? "it is away" : "read-only");
    if (now == Trouble::kLocked && writes)
      throw Error(Status::kBusy, "write store", "memory", "others are writing it");
  }

  std::mutex mutex_;
  std::map<std::string, store::Entry> entries_;
  std::int64_t version_ = 0;
  std::set<std::string> locks_;
};

}  // namespace rackline::failover::night
