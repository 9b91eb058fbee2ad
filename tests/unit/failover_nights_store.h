// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "memory_store.h"

namespace rackline::failover::nights {

// Whether the processes of one start of the pipeline live. Killed ones change nothing any more.
struct ProcessLife {
  std::atomic<bool> dead{false};
  std::atomic<int> writes_left{-1};  // killed by the write that makes it 0, which is still done; -1: not
  void check() const {
    if (dead) throw Error(Status::kUnreachable, "work", "this process", "it was killed");
  }
};

// The store as one process sees it; `archive` outlives every process.
class ProcessStore final : public store::Store {
 public:
  ProcessStore(store::MemoryStore& archive, std::shared_ptr<ProcessLife> life)
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
    return archive_.try_lock(name);
  }

 private:
  store::MemoryStore& archive_;
  std::shared_ptr<ProcessLife> life_;
};

}  // namespace rackline::failover::nights
