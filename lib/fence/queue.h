// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "bmc/life.h"
#include "fence/report.h"
#include "fence/rules.h"

namespace rackline::fence {

// Carries out what is to be done to hosts: each host in a thread of its own, one task after the other, and a
// fencing that fails again and again while its host stays down.
//
// The pause between two rounds doubles from policy.retry_first to policy.retry_longest; no round begins later
// than policy.retry_for after the first. The rounds end earlier when the host shows life, when a newer
// request for it takes the place of this one, when a stop is asked for, and with close().
class FenceQueue {
 public:
  struct Task {
    FenceReport base;  // what is told when `run` throws, with its reason
    std::function<FenceReport(const FenceReport& base)> run;
    bmc::Life life;         // since the request
    bool repeated = false;  // while it fails
  };
  // Called for each round and each result, from several threads, not at the same time.
  using Finished = std::function<void(const FenceReport&)>;

  FenceQueue(const FencePolicy& policy, bmc::FenceTime time, std::function<bool()> stopping,
             Finished finished);
  ~FenceQueue();  // waits until all is done
  FenceQueue(const FenceQueue&) = delete;
  FenceQueue& operator=(const FenceQueue&) = delete;

  // Returns at once.
  void submit(Task task);
  // A result for which nothing had to be done.
  void tell(const FenceReport& report);
  // Signs of life are not told any more: no further round begins.
  void close();
  // Until nothing is in hand and no further round is awaited.
  void wait_until_idle();
  // The same. Throws what `finished` has thrown.
  void wait();

 private:
  enum class Woken { kTime, kLife, kNewer, kStop, kClosed };

  void work(const std::string& host);
  std::optional<FenceReport> carry_out(const Task& task);
  FenceReport run_once(const Task& task, int round);
  std::optional<Woken> over(const Task& task);
  Woken wait_for(const Task& task, Milliseconds pause);

  const FencePolicy policy_;
  const bmc::FenceTime time_;
  const std::function<bool()> stopping_;
  const Finished finished_;

  std::mutex mutex_;
  std::condition_variable idle_;
  std::map<std::string, std::deque<Task>> queues_;
  int working_ = 0;
  bool closed_ = false;
  std::exception_ptr failure_;

  std::mutex output_;
};

}  // namespace rackline::fence
