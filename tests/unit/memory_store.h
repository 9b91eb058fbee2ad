// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"

namespace rackline::store {

// A store in memory, for many short lives or hours of simulated time: a thousand of them on a disk would be
// about the disk. It takes the way through locks and compares that an engine without reading transactions
// takes.
class MemoryStore : public Store {
 public:
  std::optional<Entry> get(std::string_view key) override {
    const std::lock_guard guard(mutex_);
    const auto found = entries.find(std::string(key));
    if (found == entries.end()) return std::nullopt;
    return Entry{found->first, found->second.first, found->second.second};
  }
  std::vector<Entry> list(std::string_view prefix) override {
    const std::lock_guard guard(mutex_);
    std::vector<Entry> found;
    for (auto at = entries.lower_bound(std::string(prefix));
         at != entries.end() && at->first.starts_with(prefix); ++at) {
      found.push_back({at->first, at->second.first, at->second.second});
    }
    return found;
  }
  std::optional<std::int64_t> commit(const Transaction& transaction) override {
    const std::lock_guard guard(mutex_);
    for (const auto& compare : transaction.compares) {
      const auto found = entries.find(compare.key);
      if ((found == entries.end() ? 0 : found->second.second) != compare.version) return std::nullopt;
    }
    ++revision;
    for (const auto& key : transaction.deletes) entries.erase(key);
    for (const auto& put : transaction.puts) entries[put.key] = {put.value, revision};
    return revision;
  }
  std::optional<Lock> try_lock(std::string_view name) override {
    const std::lock_guard guard(mutex_);
    if (!locks_.insert(std::string(name)).second) return std::nullopt;
    return Lock(std::make_unique<Holder>(*this, std::string(name)));
  }

  std::map<std::string, std::pair<std::string, std::int64_t>> entries;
  std::int64_t revision = 0;

 private:
  struct Holder final : Lock::Holder {
    Holder(MemoryStore& owner, std::string its_name) : store(owner), name(std::move(its_name)) {}
    ~Holder() override {
      const std::lock_guard guard(store.mutex_);
      store.locks_.erase(name);
    }
    MemoryStore& store;
    std::string name;
  };

  std::mutex mutex_;
  std::set<std::string> locks_;
};

}  // namespace rackline::store
