// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "failover/keep.h"
#include "failover/recovery_run.h"
#include "failover/recovery_start.h"
#include "failover/recovery_verdict.h"
#include "fence/rules.h"
#include "record/kinds_failover.h"
#include "record/kinds_fence.h"
#include "record/kinds_inventory.h"

namespace rackline::failover {

// Restarts the protected VMs of hosts that are proven to be off. What is to be done is derived anew in each
// pass, from the marks, the journal and a look at the hosts, so that a killed run is finished by any later
// one.
class Recovery {
 public:
  struct Hooks {
    std::function<void(const record::VmRestarted&)> restarted;
    std::function<void(const record::VmNotRestarted&)> not_restarted;
    std::function<void(const std::string&)> warn;
    // What no pass will do anything about, to be told to a person; as warn() where it is not given.
    std::function<void(const std::string&)> call_person = {};
    // The hosts as they were just seen, before anything follows from that.
    std::function<void(const View&)> looked = {};
    // Whether something has come in that must not wait for a start of what was merely off.
    std::function<bool()> urgent = {};
  };

  // All references must outlive it.
  Recovery(RecoveryPolicy policy, const std::vector<record::Host>& inventory, RecoveryCluster& cluster,
           store::Store& store, const Clock& clock, Probe probe, Hooks hooks);

  // One host_fenced record, read at `read_at` (monotonic): is it a proof that still holds, and if so, all
  // that follows from it. Throws Error(kBusy) when another one is at work for longer than the lock's timeout,
  // and what the store throws.
  void accept(const record::HostFenced& fenced, Milliseconds read_at);
  // A fenced host shows life: nothing is started until it is cleared.
  void contradict(const fence::LifeSign& life);
  // Learns what became of the starts that an earlier run began and left open, and finishes them. Nothing
  // where there are none: no host is asked then.
  void settle();
  // The same as accept() from the marks in the store, for all hosts that are fenced.
  void resume();
  // Starts that are refused or unknown may become possible, and so may all that the lock was missing for.
  static constexpr int kRounds = 8;  // of failed starts, while the stream is open; then a person is called
  bool pending() const;
  bool waiting() const { return waiting_; }  // for others to let go of the lock or of the store
  void retry(const View* seen = nullptr);    // with a look of glance(): and what keep() does
  // Starts what is wanted and is off on hosts that live (keep.h), or was on hosts that are fenced, and does
  // what is left to do beside it.
  // False when another one is at work: it is not waited for, there is a next time.
  bool keep(const View* seen = nullptr);
  // A look at the hosts for retry() or keep(), to be taken on another thread: one that hangs takes its time.
  std::function<View()> glance();
  // Hears of the starts that went on while something more urgent was done; `wait`: until all have ended.
  void collect(bool wait);
  bool starts_left() const { return !left_.empty(); }
  // As if the host died now. Throws Error(kUsage) when it is not in the inventory.
  void drill(const std::string& host);
  // The same for each host, from one look. Tells of those that would not run, and what each death comes to.
  void drill_all(const std::function<void(const record::HostDrill&)>& each);

  // By the last word on each VM. Fills in the counts; `planned`: of a drill or a dry run.
  void tell(record::End& end, bool planned) const;
  Status status() const;

 private:
  using Key = std::pair<std::string, std::string>;  // fence's id, VM

  std::string objection(const record::HostFenced& fenced,
                        const std::optional<cluster::FenceMark>& mark) const;
  void refuse(const record::HostFenced& fenced, const std::string& why);
  void pass(const View* seen = nullptr);
  Situation situation(const View* seen = nullptr);
  bool fits(const Situation& situation, const View& seen) const;
  void adopt_fences(const Situation& now);
  std::shared_ptr<store::Lock> turn(bool wait);
  void drill(Situation now, const std::string& host);
  std::vector<Verdict> judge_all(const Situation& situation, bool planned);
  bool under_way(const Verdict& verdict, const Situation& situation) const;
  void remember_start(const Verdict& verdict, const Outcome& outcome);
  void settled(const Verdict& verdict, const Outcome& outcome, bool planned);
  void remove_old_copy(const Verdict& verdict, const std::string& to);
  bool may_try(const Key& key) const;
  bool look_twice(Situation& situation, std::vector<Verdict>& verdicts, bool planned);
  void remember_places(const Situation& now);
  // Without a lock it only plans.
  void work(Situation situation, std::shared_ptr<store::Lock> lock);
  void forget_all_but(const std::vector<Verdict>& verdicts);
  void close_history(const std::vector<Verdict>& verdicts);
  void report(const Verdict& verdict, const Outcome& outcome);
  act::Tally tally() const;
  std::int64_t unplaced() const;

  RecoveryPolicy policy_;
  std::vector<std::string> inventory_;
  std::map<std::string, migrate::MigrationHost> hosts_;
  RecoveryCluster& cluster_;
  store::Store& store_;
  const Clock& clock_;
  Probe probe_;
  Hooks hooks_;
  StartJournal journal_;
  std::vector<cluster::FenceMark> fences_;        // whose work is ours, the latest last
  std::map<std::string, Milliseconds> accepted_;  // when, by the fence's id
  std::map<Key, Outcome> told_;
  // Of those that were tried on as many hosts as is allowed: what was in the way may go, as the lock of a
  // host that is dead does.
  struct Patience {
    int rounds = 0;
    Milliseconds next{0};
  };
  std::map<Key, Patience> failed_;
  bool keeping_ = false;
  std::set<std::string> complained_;  // torn entries, told once
  std::set<std::string> alive_;       // fenced hosts that answered the last look, told when they began
  std::map<std::string, std::set<std::string>> contradicted_;  // see Situation
  bool twice_ = false;
  bool waiting_ = false;  // for its turn, with work that another one may not do
  bool objected_ = false;
  std::string weakness_;
  bool changed_ = false;  // by the starts of this pass
  // Starts that go on: with the lock, under which they were begun.
  std::vector<std::unique_ptr<RecoveryRun>> left_;
  std::shared_ptr<store::Lock> lock_;
};

}  // namespace rackline::failover
