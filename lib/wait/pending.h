// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include "base/time.h"
#include "wait/thread.h"

namespace rackline::wait {

// Something on which threads wait until a condition that others change holds.
class Wakeup {
 public:
  void notify() {
    { const std::lock_guard guard(mutex_); }  // nobody is between looking and sleeping
    changed_.notify_all();
  }

  // Waits until `holds` or until the time is over; returns what `holds` says then.
  template <class Condition>
  bool wait_for(Milliseconds time, Condition holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::max(time, Milliseconds{0}), holds);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

// A blocking call on a thread of its own, which is left behind when it never returns: neither a call of
// libvirt nor flock(2) can be given a time limit. `work` must own all that it refers to.
template <class T>
class Pending {
 public:
  template <class F>
  Pending(std::shared_ptr<Wakeup> wakeup, F work) {
    auto promise = std::make_shared<std::promise<T>>();
    future_ = promise->get_future();
    quiet_thread([promise, wakeup = std::move(wakeup), work = std::move(work)]() mutable {
      try {
        if constexpr (std::is_void_v<T>) {
          work();
          promise->set_value();
        } else {
          promise->set_value(work());
        }
      } catch (...) {
        promise->set_exception(std::current_exception());
      }
      wakeup->notify();
    }).detach();
  }

  bool ready() const { return future_.wait_for(std::chrono::seconds{0}) == std::future_status::ready; }
  T get() { return future_.get(); }  // throws what the call threw; once

 private:
  std::future<T> future_;
};

}  // namespace rackline::wait
