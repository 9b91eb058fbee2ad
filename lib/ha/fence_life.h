// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace rackline::ha {

// How many signs of life of one host came since something began. Safe to call from several threads.
using Life = std::function<int()>;

// The signs of life that were told of each host. Safe to use from several threads.
class LifeSigns {
 public:
  void add(const std::string& host) { ++*count_of(host); }
  Life since_now(const std::string& host) {
    const auto count = count_of(host);
    return [count, before = count->load()] { return *count - before; };
  }

 private:
  std::shared_ptr<std::atomic<int>> count_of(const std::string& host) {
    const std::lock_guard guard(mutex_);
    auto& count = counts_[host];
    if (!count) count = std::make_shared<std::atomic<int>>(0);
    return count;
  }

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<std::atomic<int>>> counts_;
};

}  // namespace rackline::ha
