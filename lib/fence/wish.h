// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <mutex>
#include <set>
#include <string>

#include "base/time.h"
#include "store/store.h"

namespace rackline::fence {

// A person who wants the lock "fence" for a host says so in the store, under fence-wish/HOST. A pipeline that
// tries again and again to fence a host holds the lock for most of the time, and nobody would get in between.
class FenceWish {
 public:
  // A wish is forgotten by itself, so that a command which was killed delays nothing for long.
  static constexpr std::chrono::seconds kValid{120};

  FenceWish(store::Store& store, const std::string& host, std::chrono::sys_seconds now);
  ~FenceWish();  // it is no wish any more
  FenceWish(const FenceWish&) = delete;
  FenceWish& operator=(const FenceWish&) = delete;

 private:
  store::Store& store_;
  std::string key_;
};

// The hosts of which somebody wants the lock; read once in a while however often it is asked. Safe to use
// from several threads.
class FenceWishes {
 public:
  FenceWishes(store::Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  bool of(const std::string& host);
  bool any();

 private:
  void look();

  store::Store& store_;
  const Clock& clock_;
  std::mutex mutex_;
  Milliseconds next_{0};
  std::set<std::string> hosts_;
};

}  // namespace rackline::fence
