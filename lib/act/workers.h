// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "act/doorbell.h"
#include "wait/thread.h"

namespace rackline::act {

// Jobs on threads of their own, and the events by which they tell the one thread that runs them what they
// come to. All but post() is for that thread.
template <class Event>
class Workers {
 public:
  Workers() = default;
  ~Workers() {
    for (auto& [job, thread] : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // `work` must not throw. The job is there until join().
  template <class Work>
  void start(std::size_t job, Work work) {
    threads_.emplace(job, wait::quiet_thread(std::move(work)));
  }
  // To be called when the job has posted its last event.
  void join(std::size_t job) {
    const auto found = threads_.find(job);
    found->second.join();
    threads_.erase(found);
  }
  bool idle() const { return threads_.empty(); }

  // From any thread.
  void post(Event event) {
    const std::lock_guard guard(mutex_);
    events_.push_back(std::move(event));
    doorbell_.ring();
  }
  std::deque<Event> take() {
    const std::lock_guard guard(mutex_);
    doorbell_.silence();
    return std::exchange(events_, {});
  }
  // See Doorbell::wait().
  bool wait(bool interruptible, std::optional<Milliseconds> at_most = {}) const {
    return doorbell_.wait(interruptible, at_most);
  }

 private:
  Doorbell doorbell_;
  std::mutex mutex_;
  std::deque<Event> events_;
  std::map<std::size_t, std::thread> threads_;
};

}  // namespace rackline::act
