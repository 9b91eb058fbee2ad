// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "cluster/marks.h"
#include "ha/fence_journal.h"
#include "ha/fence_power.h"
#include "ha/fence_rules.h"

namespace rackline::ha {

// What became of one host.
struct FenceReport {
  enum class Outcome { kFenced, kFailed, kRefused, kLeft, kBusy };
  Outcome outcome = Outcome::kFailed;
  std::string id, cause, host;
  bool already = false, planned = false;
  bool needs_person = false;
  PowerReport power;
  std::string reason;
  Milliseconds elapsed{0};
};

// The lock "fence" of the store: held while this process has any host in hand, by all its threads together,
// and not for its whole life, so that a standby can sit idle.
class FenceLock {
 public:
  FenceLock(store::Store& store, const Clock& clock, Milliseconds patience)
      : store_(store), clock_(clock), patience_(patience) {}

  // Alive while a thread works; empty when somebody else does not let go of it.
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

   private:
    FenceLock* lock_;
  };
  Hold acquire();

 private:
  void release();

  store::Store& store_;
  const Clock& clock_;
  Milliseconds patience_;
  std::mutex mutex_;
  int holders_ = 0;
  std::optional<store::Lock> lock_;
};

// Fences hosts, each in a thread of its own and in the order in which its requests came.
class FenceEngine {
 public:
  struct World {
    store::Store& store;
    PowerSwitch& power;
    FenceTime time;
    std::function<bool()> stopping;              // begin nothing more
    std::map<std::string, FenceLevels> methods;  // every host of the inventory
  };
  // `finished` is called from several threads, not at the same time.
  using Finished = std::function<void(const FenceReport&)>;

  FenceEngine(FencePolicy policy, World world, Finished finished);
  ~FenceEngine();
  FenceEngine(const FenceEngine&) = delete;
  FenceEngine& operator=(const FenceEngine&) = delete;

  // Learns what became of fencings that a killed run left open. Never fences. Returns at once.
  void settle();
  // Returns at once.
  void request(const FenceRequest& request);
  // A sign of life: requests that came before it and are not begun are refused, and nobody waits any longer
  // for the host to fence itself.
  void alive(const std::string& host);
  // Until nothing is in hand. Throws what `finished` has thrown.
  void wait();

  // How many hosts came to each outcome so far.
  std::map<FenceReport::Outcome, int> outcomes();

 private:
  using Task = std::function<FenceReport()>;

  void submit(const std::string& host, FenceReport base, Task task);
  void wait_until_idle();
  void work(const std::string& host);
  FenceReport fence(const FenceRequest& request, FenceReport report, int signs);
  FenceReport look(FenceReport report);
  FenceReport settle_one(FenceReport report, const FenceJournal::Open& open);
  std::string begin(const FenceReport& report);
  void set_mark(const FenceReport& report);
  SelfFence self_fence(const FenceRequest& request, int signs);
  int signs_of_life(const std::string& host);
  void finish(const FenceReport& report);

  const FencePolicy policy_;
  World world_;
  Finished finished_;
  FenceJournal journal_;
  FenceLock lock_;
  std::mutex guard_;               // the count of hosts, from looking to acting
  std::set<std::string> in_hand_;  // under guard_

  std::mutex mutex_;
  std::condition_variable idle_;
  std::map<std::string, std::deque<std::pair<FenceReport, Task>>> queues_;
  std::map<std::string, int> signs_;
  std::map<FenceReport::Outcome, int> outcomes_;
  int working_ = 0;
  std::exception_ptr failure_;

  std::mutex output_;
};

}  // namespace rackline::ha
