// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <optional>
#include <utility>

#include "store/store.h"

namespace rackline::fence {

// The lock "fence" of the store: held while this process has any host in hand, by all its threads together,
// and not for its whole life, so that a standby can sit idle.
class FenceLock {
 public:
  explicit FenceLock(store::Store& store) : store_(store) {}

  // Alive while a thread works; empty when another process holds the lock.
  class Hold {
   public:
    explicit Hold(FenceLock* lock) : lock_(lock) {}
    Hold(Hold&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
    Hold& operator=(Hold&& other) noexcept {
      std::swap(lock_, other.lock_);
      return *this;
    }
    ~Hold() {
      if (lock_ != nullptr) lock_->release();
    }
    explicit operator bool() const { return lock_ != nullptr; }
    // To be asked before each command: no transaction guards it.
    bool lost() const { return lock_ != nullptr && lock_->lost(); }

   private:
    FenceLock* lock_;
  };
  // Does not wait. Throws what the store throws.
  Hold try_acquire() {
    const std::lock_guard guard(mutex_);
    if (holders_ == 0) lock_ = store_.try_lock("fence");
    // One that was lost goes with those who still work under it, and is taken anew then.
    if (!lock_ || lock_->lost()) return Hold(nullptr);
    ++holders_;
    return Hold(this);
  }

 private:
  bool lost() {
    const std::lock_guard guard(mutex_);
    return lock_ && lock_->lost();
  }
  void release() {
    const std::lock_guard guard(mutex_);
    if (--holders_ == 0) lock_.reset();
  }

  store::Store& store_;
  std::mutex mutex_;
  int holders_ = 0;
  std::optional<store::Lock> lock_;
};

}  // namespace rackline::fence
