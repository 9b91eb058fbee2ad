// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "wait/thread.h"

namespace rackline::wait {

// Work on a thread of its own that may take long, or hang in the kernel: whoever posts never waits. Only the
// latest value counts; what was posted while the work was at it and has been overtaken is dropped.
template <class T>
class Latest {
 public:
  // `work` must not throw, and must own what it uses: the thread is left behind when it hangs.
  explicit Latest(std::function<void(const T&)> work) : state_(std::make_shared<State>()) {
    quiet_thread([state = state_, work = std::move(work)] {
      for (;;) {
        std::optional<T> value;
        {
          std::unique_lock lock(state->mutex);
          state->changed.wait(lock, [&] { return state->value || state->over; });
          if (state->over) return;
          value.swap(state->value);
        }
        work(*value);
      }
    }).detach();
  }
  ~Latest() {
    const std::lock_guard lock(state_->mutex);
    state_->over = true;
    state_->changed.notify_one();
  }
  Latest(const Latest&) = delete;
  Latest& operator=(const Latest&) = delete;

  void post(T value) {
    const std::lock_guard lock(state_->mutex);
    state_->value = std::move(value);
    state_->changed.notify_one();
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<T> value;
    bool over = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace rackline::wait
