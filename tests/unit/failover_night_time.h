// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>

#include "base/time.h"

namespace rackline::failover::night {

// Simulated time for several threads. One of them makes it go on; the workers of the fence engine sleep in
// it, and it goes on only when all of those that have a host in hand do.
class Timeline final : public Clock {
 public:
  static constexpr Milliseconds kStep{100};

  std::chrono::sys_seconds wall() const override {
    return std::chrono::sys_seconds{std::chrono::seconds{1'800'000'000 + now_ / 1000}};
  }
  Milliseconds monotonic() const override { return Milliseconds{now_}; }

  // Of a worker.
  void sleep(Milliseconds time) {
    std::unique_lock lock(mutex_);
    if (free_) {
      now_ += time.count();
      return;
    }
    const auto due = sleeping_.insert(now_ + time.count());
    changed_.notify_all();
    changed_.wait(lock, [&] { return now_ >= *due || free_; });
    sleeping_.erase(due);
  }
  void begins(const std::string& worker) {
    const std::lock_guard guard(mutex_);
    working_.insert(worker);
  }
  void rests(const std::string& worker) {
    const std::lock_guard guard(mutex_);
    working_.erase(worker);
    changed_.notify_all();
  }
  void step() {
    std::unique_lock lock(mutex_);
    now_ += kStep.count();
    changed_.notify_all();
    // The bound is for a worker that is between two tasks.
    changed_.wait_for(lock, std::chrono::seconds{2}, [this] {
      const auto asleep = std::distance(sleeping_.upper_bound(now_), sleeping_.end());
      return asleep >= static_cast<std::ptrdiff_t>(working_.size());
    });
  }
  // Nobody makes it go on: whoever sleeps does so himself.
  void free_run(bool on) {
    const std::lock_guard guard(mutex_);
    free_ = on;
    if (on) working_.clear();
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<std::int64_t> now_{0};
  std::multiset<std::int64_t> sleeping_;  // until then
  std::set<std::string> working_;
  bool free_ = false;
};

}  // namespace rackline::failover::night
