// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "capacity/cluster.h"
#include "capacity/contradiction.h"
#include "capacity/facts.h"
#include "capacity/usage.h"
#include "decide/causes.h"
#include "decide/guard.h"
#include "decide/relief.h"
#include "decide/under_way.h"
#include "plan/search.h"
#include "record/kinds_capacity.h"
#include "record/kinds_heartbeat.h"
#include "record/kinds_migration.h"
#include "record/kinds_planning.h"
#include "record/kinds_reserve.h"

namespace rackline::capacity {

class Explain;

// What a plan makes of a host. Shares are percent; null where too little is known.
struct HostOutlook {
  std::string host;
  record::Number cpu_before, cpu_after, memory_before, memory_after;
  int vms_before = 0;
  int vms_after = 0;
};

// An answer, as records without time and tool.
struct Plan {
  std::vector<record::VmMove> moves;  // by stage
  std::vector<record::VmPlace> places;
  std::vector<record::VmUnplaced> unplaced;
  std::vector<record::HostFreed> freed;
  std::vector<HostOutlook> outlook;              // by name; empty when there are no moves
  std::optional<record::NoBeneficialMove> none;  // why there are no moves
  double score_before = 0;
  double score_after = 0;
  double lower_bound = 0;
  std::vector<std::string> left_out;  // hosts of which too little is known, with the reason
  std::vector<std::string> doubts;    // moves that have no stage, and why; soft rules that are given up
  std::string stays;                  // how many cannot leave the hosts that are to be emptied, and why
};

// What can be taken out of service together.
struct Rolling {
  std::vector<record::ServiceGroup> groups;
  std::vector<record::HostUnserviceable> unserviceable;
  std::vector<std::string> doubts;  // soft rules that are given up
};

// How many more of a size fit, and what each host gives of that.
struct Capacity {
  record::Headroom total;
  std::vector<record::HostRoom> hosts;
};

// The capacity planner: reads rounds of samples, answers on the last round that is closed.
//
//     planner.round().host_slot() ... keep_host();   // and vm_slot() ... keep_vm()
//     planner.close(time);
//     Plan plan = planner.balance();
//
// Soft rules are kept as if they were hard, until somebody has no place for them or a busy host no relief:
// then those in the way are given up, and the plan says so.
//
// A pure function of what it was given: it has no clock and no chance but Policy::seed.
class Planner {
 public:
  explicit Planner(const Policy& policy) : policy_(policy) {}

  Rules& rules() { return rules_; }
  History& history() { return history_; }
  void add(const record::VmRequest& request) { requests_.push_back(request); }
  // What heartbeat says of a host: nothing goes to one in maintenance, or of which it is not sure.
  void hear(const record::HostState& state, bool in_order);
  // A plan for what has left its band cites it as its cause.
  void hear(const record::Fluctuation& fluctuation);
  // What is reserved is kept from others for as long as the reservation is active.
  void hear(const record::Reservation& reservation);

  Round& round() { return open_; }               // the one that is being read
  const Round& last() const { return closed_; }  // the one that answers are about
  // Ends the round, as of `time`.
  void close(record::Time time);

  // Evens out the load if a host has been above a threshold for long enough, and mends broken rules. From the
  // second round on, servers leave hosts that are above the CPU threshold only where that is expected to
  // last (decide/relief.h), and only as many as that needs.
  // Where a plan was made earlier in this stream, there is no other until its moves are seen done or the
  // cooldown has passed. Throws Error(kRefused) when too much of the fleet would move.
  // With Objective::kGaneti: always, as far as it lowers hbal's score, and drained hosts are emptied.
  Plan balance();
  // Empties the hosts. Throws Error(kUsage) for one that was not sampled, Error(kUnreachable) for one that is
  // not up, Error(kRefused) as balance() for what moves beyond the VMs of a single host.
  Plan evacuate(const std::vector<std::string>& hosts) const;
  // A host for each request. With `by_moving` others may have to move first to make room, in the stages of
  // the plan, and up to Policy::max_change_percent of the running ones.
  Plan place(bool by_moving = false) const;
  // Another host for one VM, the best one that has room as things are; nothing else moves for it. Throws
  // Error(kNo) when it was not seen on `from`.
  Plan away(const std::string& vm, const std::string& from) const;
  // Frees as many hosts as it can, below the thresholds and with spare on those that are left; at most so
  // many that Policy::max_change_percent holds.
  Plan pack();
  // In which groups the hosts (all when empty) can be taken out of service, at most `most` together, the
  // VMs staying where they went.
  Rolling rolling(const std::vector<std::string>& hosts, int most) const;
  // For `size`; without one, for each request, or else for the usual size (median) of those that run.
  std::vector<Capacity> headroom(const std::optional<record::VmRequest>& size) const;
  // Why a VM, or those of a host, move or do not. Throws Error(kUsage) for an unknown name.
  std::vector<record::Explanation> explain(const std::string& name) const;
  // Whether the rules can be obeyed at all.
  Contradictions examine() const { return contradictions(closed_, rules_, requests_); }
  // Whether balance() would look for moves; it looks for them only where that is what tells it (the score of
  // hbal). Throws Error(kUnreachable) when there is no host of which enough is known.
  record::BalanceCheck check() const;

 private:
  struct Trigger {
    std::vector<int> overloaded;  // for long enough
    std::vector<plan::Violation> violations;
    bool imbalanced = false;
    std::vector<std::string> reasons;
  };

  Cluster cluster_for(const Question& question) const;
  Question balance_question() const;
  bool spike(const record::HostSample& host) const;
  Trigger trigger(const plan::State& state, const Explain& explain) const;
  bool judged(const Cluster::HostState& host) const;
  std::string idle_reason(const Cluster& cluster) const;
  plan::SearchLimits limits() const;
  std::string waiting_for() const;
  std::string cause_of(const record::VmMove& move) const;
  Question question_of_all() const;
  // (planner_steady.cc) What is expected of a stream's hosts, and what to do about those that are busy now.
  struct Steady {
    decide::Outlook outlook;
    std::vector<int> hot;            // expected to be above the CPU threshold again
    std::vector<std::string> texts;  // of each host that is above it or hot, what is expected of it
    std::string outcome() const;     // why nothing moves in spite of them
  };
  bool steadily(const plan::State& state, const Trigger& why) const;
  Steady steady(const Cluster& cluster, const plan::State& state, const std::vector<int>& overloaded) const;
  std::vector<plan::Step> mend_and_relieve(plan::State& state, const Explain& explain, const Steady& steady,
                                           std::int64_t running, plan::SearchLimits limits) const;
  std::vector<plan::Step> mend_and_balance(plan::State& state, const Explain& explain,
                                           const plan::SearchLimits& limits) const;
  std::string spare_forbids(const Cluster& cluster, const plan::State& before, const Explain& explain,
                            const std::vector<plan::Step>& without) const;
  // What the public functions of these names do with the rules as they are in force.
  Plan balance_as_ruled();
  Plan evacuate_as_ruled(const std::vector<std::string>& hosts) const;
  Plan place_as_ruled(bool by_moving) const;
  Rolling rolling_as_ruled(const std::vector<std::string>& hosts, int most) const;
  Plan even_out();  // (planner_even.cc)
  decide::ChangeGuard guard() const { return {policy_.max_change_percent, policy_.force, "virtual servers"}; }
  void write_moves(const Cluster& cluster, const plan::Schedule& schedule, const std::string& verb,
                   const std::vector<std::string>& reasons, Plan& plan,
                   const std::function<double(const plan::State&)>& score = {}) const;
  std::string expected(const Cluster& cluster, const plan::State& after, const plan::Move& move) const;
  void remember(const Plan& plan);
  record::NoBeneficialMove none(const plan::State& state, std::string reason) const;

  Policy policy_;
  Rules rules_;
  History history_;
  Hold hold_;
  Usage usage_;
  Speeds speeds_;
  std::vector<record::VmRequest> requests_;
  Round open_;
  Round closed_;
  decide::UnderWay under_way_;
  std::map<std::string, std::string> closed_hosts_;  // by what heartbeat says
  decide::Causes causes_;
  std::map<std::string, record::Reservation> reservations_;
  record::Time before_{};  // time of the round before the last
};

}  // namespace rackline::capacity
