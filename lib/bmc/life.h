// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clocks.h"

namespace rackline::bmc {

// How many signs of life of one host came since something began. Safe to call from several threads.
using Life = std::function<int()>;

// The signs of life that were told of each host, and the verdicts that they answered. Safe to use from
// several threads.
class LifeSigns {
 public:
  using Time = std::chrono::sys_seconds;

  // `time` is that of the record which tells it.
  void add(const std::string& host, Time time) {
    const std::lock_guard guard(mutex_);
    auto& known = hosts_[host];
    known.newest = std::max(known.newest, time);
    for (auto& verdict : known.verdicts) verdict.answered |= time >= verdict.time - kClocksDiffer;
    std::erase_if(known.watches, [](const auto& watch) { return watch.expired(); });
    for (const auto& each : known.watches) {
      const auto watch = each.lock();
      if (watch && time >= watch->from) ++watch->count;
    }
  }
  // Counts the signs that are told from now on.
  Life since_now(const std::string& host) { return count(host, Time::min()); }
  // Counts those that answer this verdict: told from now on, and not much older than it. Its id is
  // remembered.
  Life since_verdict(const std::string& host, const std::string& id, Time time) {
    {
      const std::lock_guard guard(mutex_);
      auto& known = hosts_[host].verdicts;
      if (known.size() >= kRemembered) known.erase(known.begin());
      known.push_back({id, time});
    }
    return count(host, time - kClocksDiffer);
  }
  // Whether a sign of life was told that is younger than a verdict of `time`. Within one second the order in
  // which they are told decides.
  bool after(const std::string& host, Time time) {
    const std::lock_guard guard(mutex_);
    const auto found = hosts_.find(host);
    return found != hosts_.end() && found->second.newest > time;
  }

  // Whether this verdict had its answer, life, and is told again.
  bool is_answered(const std::string& host, const std::string& id, Time time) {
    const std::lock_guard guard(mutex_);
    const auto& known = hosts_[host].verdicts;
    return std::any_of(known.begin(), known.end(),
                       [&](const auto& one) { return one.answered && one.id == id && time <= one.time; });
  }

 private:
  // Older ones are refused for their age by then.
  static constexpr std::size_t kRemembered = 1000;

  struct Watch {
    Time from{};
    std::atomic<int> count{0};
  };
  struct Verdict {
    std::string id;
    Time time{};
    bool answered = false;
  };
  struct Host {
    Time newest = Time::min();
    std::vector<std::weak_ptr<Watch>> watches;
    std::vector<Verdict> verdicts;
  };
  Life count(const std::string& host, Time from) {
    const std::lock_guard guard(mutex_);
    const auto watch = std::make_shared<Watch>();
    watch->from = from;
    hosts_[host].watches.push_back(watch);
    return [watch] { return watch->count.load(); };
  }

  std::mutex mutex_;
  std::map<std::string, Host> hosts_;
};

}  // namespace rackline::bmc
