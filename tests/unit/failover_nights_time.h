// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/time.h"

namespace rackline::failover::nights {

// Simulated time for the threads of a fence engine and for one driver, of which at most one runs at any
// moment: a night with one seed is the same night each time.
//
// The driver passes time. While it does, the world takes a step every kStep, and engine threads that sleep
// are woken one after the other, in the order in which their time is over.
class NightTime final : public Clock {
 public:
  static constexpr Milliseconds kStep{200};

  std::chrono::sys_seconds wall() const override {
    return std::chrono::sys_seconds{std::chrono::seconds{1'800'000'000 + monotonic().count() / 1000}};
  }
  Milliseconds monotonic() const override { return Milliseconds{now_.load()}; }

  std::function<void()> on_step;

  // On the driver's thread, or on one that the driver waits for.
  void pass(Milliseconds time) {
    const auto until = monotonic() + time;
    for (;;) {
      auto next = std::min(until, next_step_);
      const auto due = first_due();
      if (due) next = std::min(next, std::max(*due, monotonic()));
      now_ = next.count();
      if (due && *due <= next) {
        wake_first();
      } else if (next == next_step_) {
        next_step_ += kStep;
        on_step();
      } else {
        return;
      }
    }
  }

  // On a thread of the engine: until the driver has passed so much time, or until its process is killed.
  void sleep(Milliseconds time) {
    std::unique_lock lock(mutex_);
    if (killed_) return;
    Sleeper self{monotonic() + std::max(time, Milliseconds{1})};
    const auto place = sleepers_.insert(sleepers_.end(), &self);
    driver_.notify_all();
    self.alarm.wait(lock, [&] { return self.woken || killed_; });
    if (!self.woken) sleepers_.erase(place);
  }

  // The engine works on the host in a thread until ended() with the same task.
  void began(const std::string& host, const std::string& task) {
    const std::lock_guard lock(mutex_);
    working_[host] = task;
  }
  void ended(const std::string& host, const std::string& task) {
    const std::lock_guard lock(mutex_);
    const auto found = working_.find(host);
    if (found == working_.end() || found->second != task) return;
    working_.erase(found);
    driver_.notify_all();
  }
  bool works_on(const std::string& host) {
    const std::lock_guard lock(mutex_);
    return working_.contains(host);
  }
  bool works() {
    const std::lock_guard lock(mutex_);
    return !working_.empty();
  }
  std::string task_of(const std::string& host) {
    const std::lock_guard lock(mutex_);
    return working_.contains(host) ? working_.at(host) : "";
  }
  // Until each thread of the engine sleeps or is over.
  void settle() {
    std::unique_lock lock(mutex_);
    driver_.wait(lock, [&] { return sleepers_.size() == working_.size(); });
  }

  // Nobody sleeps any more: the engine's threads run to their end.
  void kill() {
    const std::lock_guard lock(mutex_);
    killed_ = true;
    for (Sleeper* sleeper : sleepers_) sleeper->alarm.notify_all();
  }
  void revive() {
    const std::lock_guard lock(mutex_);
    killed_ = false;
    working_.clear();
    sleepers_.clear();
  }

 private:
  struct Sleeper {
    Milliseconds due;
    bool woken = false;
    std::condition_variable alarm{};
  };

  std::list<Sleeper*>::iterator first() {
    return std::min_element(sleepers_.begin(), sleepers_.end(),
                            [](const Sleeper* a, const Sleeper* b) { return a->due < b->due; });
  }
  std::optional<Milliseconds> first_due() {
    const std::lock_guard lock(mutex_);
    return sleepers_.empty() ? std::nullopt : std::optional((*first())->due);
  }
  void wake_first() {
    {
      const std::lock_guard lock(mutex_);
      const auto place = first();
      (*place)->woken = true;
      (*place)->alarm.notify_all();
      sleepers_.erase(place);
    }
    settle();
  }

  std::atomic<Milliseconds::rep> now_{0};
  Milliseconds next_step_{kStep};
  std::mutex mutex_;
  std::condition_variable driver_;
  std::list<Sleeper*> sleepers_;
  std::map<std::string, std::string> working_;  // the last task of each host that is worked on
  bool killed_ = false;
};

}  // namespace rackline::failover::nights
