// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/error.h"
#include "store/store.h"

namespace rackline::failover::nights {

// What outlives every process: entries and locks in memory. A thousand nights on a disk would be about the
// disk.
class Archive {
 public:
  std::optional<store::Entry> get(std::string_view key) {
    const std::lock_guard guard(mutex_);
    const auto found = entries_.find(key);
    return found == entries_.end() ? std::nullopt : std::optional(found->second);
  }
  std::vector<store::Entry> list(std::string_view prefix) {
    const std::lock_guard guard(mutex_);
    std::vector<store::Entry> entries;
    for (auto i = entries_.lower_bound(prefix); i != entries_.end() && i->first.starts_with(prefix); ++i)
      entries.push_back(i->second);
    return entries;
  }
  std::optional<std::int64_t> commit(const store::Transaction& transaction) {
    const std::lock_guard guard(mutex_);
    for (const auto& compare : transaction.compares) {
      const auto found = entries_.find(compare.key);
      if (compare.version != (found == entries_.end() ? 0 : found->second.version)) return std::nullopt;
    }
    ++version_;
    for (const auto& put : transaction.puts) entries_[put.key] = {put.key, put.value, version_};
    for (const auto& key : transaction.deletes) entries_.erase(key);
    return version_;
  }
  bool lock(const std::string& name) {
    const std::lock_guard guard(mutex_);
    return locks_.insert(name).second;
  }
  void unlock(const std::string& name) {
    const std::lock_guard guard(mutex_);
    locks_.erase(name);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, store::Entry, std::less<>> entries_;
  std::set<std::string> locks_;
  std::int64_t version_ = 0;
};

// Whether the processes of one start of the pipeline live. Killed ones change nothing any more.
struct ProcessLife {
  std::atomic<bool> dead{false};
  std::atomic<int> writes_left{-1};  // killed by the write that makes it 0, which is still done; -1: not
  void check() const {
    if (dead) throw Error(Status::kUnreachable, "work", "this process", "it was killed");
  }
};

// The store as one process sees it.
class ProcessStore final : public store::Store {
 public:
  ProcessStore(Archive& archive, std::shared_ptr<ProcessLife> life)
      : archive_(archive), life_(std::move(life)) {}

  std::optional<store::Entry> get(std::string_view key) override {
    life_->check();
    return archive_.get(key);
  }
  std::vector<store::Entry> list(std::string_view prefix) override {
    life_->check();
    return archive_.list(prefix);
  }
  std::optional<std::int64_t> commit(const store::Transaction& transaction) override {
    life_->check();
    const bool last = life_->writes_left > 0 && --life_->writes_left == 0;
    const auto version = archive_.commit(transaction);
    if (!last) return version;
    life_->dead = true;
    life_->check();
    return version;
  }
  std::optional<store::Lock> try_lock(std::string_view name) override {
    life_->check();
    if (!archive_.lock(std::string(name))) return std::nullopt;
    return store::Lock(std::make_unique<Held>(archive_, std::string(name)));
  }

 private:
  struct Held final : store::Lock::Holder {
    Held(Archive& archive, std::string name) : where(archive), what(std::move(name)) {}
    ~Held() override { where.unlock(what); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    Archive& where;
    std::string what;
  };
  Archive& archive_;
  std::shared_ptr<ProcessLife> life_;
};

}  // namespace rackline::failover::nights
