// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/store.h"

namespace rackline::store {

// A store in memory, for many short lives. It takes the way through locks and compares that an engine without
// reading transactions takes.
class MemoryStore final : public Store {
 public:
  std::optional<Entry> get(std::string_view key) override {
    const auto found = entries.find(std::string(key));
    if (found == entries.end()) return std::nullopt;
    return Entry{found->first, found->second.first, found->second.second};
  }
  std::vector<Entry> list(std::string_view prefix) override {
    std::vector<Entry> found;
    for (auto at = entries.lower_bound(std::string(prefix));
         at != entries.end() && at->first.starts_with(prefix); ++at) {
      found.push_back({at->first, at->second.first, at->second.second});
    }
    return found;
  }
  std::optional<std::int64_t> commit(const Transaction& transaction) override {
    for (const auto& compare : transaction.compares) {
      const auto entry = get(compare.key);
      if ((entry ? entry->version : 0) != compare.version) return std::nullopt;
    }
    ++revision;
    for (const auto& key : transaction.deletes) entries.erase(key);
    for (const auto& put : transaction.puts) entries[put.key] = {put.value, revision};
    return revision;
  }
  std::optional<Lock> try_lock(std::string_view) override { return Lock(std::make_unique<Lock::Holder>()); }

  std::map<std::string, std::pair<std::string, std::int64_t>> entries;
  std::int64_t revision = 0;
};

}  // namespace rackline::store
