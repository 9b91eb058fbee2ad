// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "act/outcome.h"
#include "act/workers.h"
#include "failover/recovery_placement.h"
#include "failover/recovery_start.h"
#include "failover/recovery_verdict.h"
#include "migrate/move.h"

namespace rackline::failover {

// What became of one VM.
struct Outcome {
  act::Outcome what = act::Outcome::kFailed;
  std::string to, reason;
  bool unplaced = false;  // refused, as there was no host for it
  bool checked = false, check_silent = false, planned = false;
  bool needs_person = false;  // no pass will do anything about it
  int attempts = 0;
  std::optional<Milliseconds> start;
};

// The starts of one pass: who goes where, in which order, several at a time, elsewhere when it fails.
class RecoveryRun {
 public:
  struct World {
    const RecoveryPolicy& policy;
    const std::map<std::string, migrate::MigrationHost>& hosts;
    RecoveryCluster& cluster;
    store::Store& store;
    StartJournal& journal;
    const Clock& clock;
    const Probe& probe;
    const store::Lock* lock;  // held; none where only a plan is made
    std::function<bool()> urgent = {};
    std::vector<std::pair<Protected, std::string>> under_way = {};  // by earlier runs, and where
    std::string held_back = {};  // of a plan: why nothing of it would be started now
  };
  using Start = std::pair<Protected, std::string>;
  using Settled = std::function<void(const Verdict&, const Outcome&)>;

  // `todo`: those to be started or verified. A drill passes a look of its own making, which is not taken
  // again, and `planned`.
  RecoveryRun(World world, Situation situation, std::vector<Verdict> todo, bool planned, Settled settled);
  RecoveryRun(const RecoveryRun&) = delete;
  RecoveryRun& operator=(const RecoveryRun&) = delete;

  // Calls `settled` once for each, on this thread. When a stop is asked for (interrupt.h), what is under way
  // is finished and nothing more is begun. Throws what the store throws.
  //
  // False when something urgent has come in while nothing was left to do but starts of what was merely off:
  // nothing more is begun then, those under way go on, and collect() hears of them.
  bool go();
  // True when all that was under way has ended.
  bool collect(bool wait);
  std::vector<Start> under_way() const;

  // Why the cluster as it is now could not bear the death of one more host; empty when it could.
  std::string weakness() const { return placement_.weakness(); }

 private:
  struct Job {
    Verdict verdict;
    std::string to, why;
    int attempts = 0;
    std::set<std::string> barred;       // hosts that it cannot go to, or has failed on
    std::vector<std::string> failures;  // HOST: why, in their order
    enum class State { kWaiting, kRunning, kOver } state = State::kWaiting;
    bool runs = false;
  };
  struct Event {
    std::size_t job;
    StartReport report;
    std::exception_ptr failure;
  };

  void order();
  void place(const std::vector<Job*>& jobs);
  std::map<std::string, Placement::Answer> find_place(const std::vector<Job*>& jobs);
  void look_again();
  // Why it is not to begin although its turn has come; empty: it may.
  std::string dependency(const Job& job, bool& wait) const;
  bool room_on(const std::string& host) const;
  bool begin_ready();
  bool is(Job::State state) const;
  bool only_keeps() const;
  void handle_events();
  // False when it was settled without being begun, or placed anew.
  bool begin(Job& job);
  std::string changed_mark(const Job& job) const;
  void handle(Event& event);
  std::vector<Job*> waiting_companions(const Job& job);
  void again(Job& job, const StartReport& report);
  void settle(Job& job, Outcome outcome);
  void settle(Job& job, act::Outcome what, const std::string& reason);
  // A start was tried: "start: VM: HOST: why; HOST: why".
  static std::string tried(const Job& job);

  World world_;
  Situation situation_;
  bool planned_;
  Settled settled_;
  Placement placement_;
  std::vector<Job> jobs_;
  Milliseconds looked_{0};
  bool left_ = false;  // for something urgent
  std::exception_ptr failure_;
  act::Workers<Event> workers_;  // the last member: its threads use the others
};

}  // namespace rackline::failover
