// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "cluster/marks.h"
#include "fence/journal.h"
#include "fence/lock.h"
#include "fence/queue.h"
#include "fence/wish.h"

namespace rackline::fence {

// Fences hosts at the same time, of each host one request after the other. A fencing that fails is repeated
// while its host stays down (FenceQueue), and one whose host shows life is withdrawn.
class FenceEngine {
 public:
  struct World {
    store::Store& store;
    bmc::PowerSwitch& power;
    bmc::FenceTime time;
    std::function<bool()> stopping;                   // begin nothing more
    std::map<std::string, bmc::FenceLevels> methods;  // every host of the inventory
    // What a person has to know beside the results, each thing once. Called from several threads.
    std::function<void(const std::string&)> warn = {};
  };
  // `finished` is called from several threads, not at the same time, for each result and for each round that
  // failed and will be repeated (FenceReport::retry).
  using Finished = std::function<void(const FenceReport&)>;

  FenceEngine(FencePolicy policy, World world, Finished finished);

  // Learns what became of fencings that a killed run left open. Never fences. Returns at once.
  void settle();
  // Returns at once.
  void request(const FenceRequest& request);
  // A sign of life withdraws what was requested before it: the host is told nothing any more, not after a
  // delay, on the next attempt, on the next level, nor in the next round. So it does with requests that come
  // later and whose verdict is older than it, and with a request that is repeated. `time` is that of the
  // record: one that is older than a verdict by more than clocks differ is old news, and withdraws nothing.
  void alive(const std::string& host, std::chrono::sys_seconds time);
  // The host is marked as fenced and shows life: that its power reads off proves nothing about it.
  void contradicted(const LifeSign& sign);
  // Until nothing is in hand, failed fencings that are repeated included.
  void wait_until_idle() { queue_.wait_until_idle(); }
  // No more requests and signs of life come: nothing is repeated any more. Returns when nothing is in hand.
  // Throws what `finished` has thrown.
  void wait();

  // How many hosts came to each outcome so far.
  std::map<FenceReport::Outcome, int> outcomes();

 private:
  // Why a host must not be switched off now, and by whose word; empty: it may be.
  enum class Objecting { kNobody, kMaintenance, kDisarmed, kLimit, kTrouble };
  struct Objection {
    Objecting by = Objecting::kNobody;
    std::string why = {};
  };
  // One round of fencing one host.
  struct Round {
    const FenceRequest& request;
    FenceReport& report;
    const bmc::Life& life;
    Milliseconds patience_until;  // with the lock and with a store that others keep locked
    bool opened = false;          // there is an open intent in the journal
    std::function<bool()> given_up = {};
    const FenceLock::Hold* lock = nullptr;
    Objection objection = {};  // what it was answered last
  };

  FenceReport fence(const FenceRequest& request, FenceReport report, const bmc::Life& life);
  FenceReport fence_once(Round& round);
  Objection announced(const std::string& host);
  std::string forbidden(Round& round);
  std::string begin_once(Round& round);
  static FenceReport held_back(const Round& round);
  bool yields(const FenceReport& report, bool told);
  void warn_once(const std::string& text);
  FenceReport conclude(Round& round, const std::optional<cluster::FenceMark>& mark);
  std::optional<FenceReport> confirmed_by_hand(const Round& round, const cluster::FenceMark& mark);
  FenceReport look(FenceReport report);
  FenceReport settle_one(FenceReport& report, const FenceJournal::Open& open, const bmc::Life& life);
  FenceLock::Hold take_lock(Milliseconds until, const std::function<bool()>& given_up);
  std::string begin(const FenceReport& report);
  void close(const FenceReport& report);
  void set_mark(const FenceReport& report);
  bmc::SelfFence self_fence(const FenceRequest& request);
  // Whether its host was said to show life in spite of this fence.
  bool is_contradicted(const cluster::FenceMark& mark);
  void finish(const FenceReport& report);

  // Repeats `work` while others keep the store locked, a backup for example.
  template <class Work>
  auto patiently(Milliseconds until, const std::function<bool()>& given_up, const Work& work);

  const FencePolicy policy_;
  World world_;
  Finished finished_;
  FenceJournal journal_;
  FenceLock lock_;
  bmc::LifeSigns signs_;
  FenceWishes wishes_;
  std::mutex guard_;               // the count of hosts, from looking to acting
  std::set<std::string> in_hand_;  // under guard_
  // What was heard of the life of a fenced host: of which fences, and when last of one that was not named.
  struct Contradicted {
    std::set<std::string> fences;
    std::optional<std::chrono::sys_seconds> unnamed;
  };
  std::map<std::string, Contradicted> contradicted_;  // by host; under guard_

  std::mutex mutex_;
  std::map<FenceReport::Outcome, int> outcomes_;  // under mutex_
  std::set<std::string> warned_;                  // under mutex_

  FenceQueue queue_;  // the last member: its threads use the others
};

}  // namespace rackline::fence
