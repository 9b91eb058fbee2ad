// SPDX-License-Identifier: Apache-2.0
#include "failover/failback.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/id.h"
#include "failover/journal.h"
#include "failover/recovery_placement.h"

namespace rackline::failover {
namespace {

class Planner {
 public:
  Planner(const Situation& situation, record::Time now, std::vector<reserve::ReservedOnHost> held)
      : s_(situation),
        now_(now),
        placement_(situation.view, situation.closed, situation.vms, now, std::move(held)) {}

  Failback operator()() {
    std::vector<const Protected*> in_order;
    for (const auto& vm : s_.vms) {
      if (vm.affinity.failback) in_order.push_back(&vm);
    }
    std::stable_sort(in_order.begin(), in_order.end(),
                     [](const auto* a, const auto* b) { return a->priority > b->priority; });
    for (const auto* vm : in_order) {
      if (seen_.contains(vm->vm)) continue;
      const auto away = place_of(*vm);
      if (away.empty()) continue;
      const auto better = better_hosts(*vm, away);
      if (better.empty()) continue;
      if (const auto why = move(*vm, away, better); !why.empty()) plan_.stay.emplace_back(vm->vm, why);
    }
    return std::move(plan_);
  }

 private:
  // Where it runs; empty when it does not, or not surely.
  std::string place_of(const Protected& vm) const {
    const auto active = s_.view.active_on(vm.uuid);
    if (active.size() != 1 || s_.intents.contains(vm.vm)) return {};
    return s_.view.state_on(active.front(), vm.uuid) == "running" ? active.front() : "";
  }

  static std::vector<std::string> better_hosts(const Protected& vm, const std::string& than) {
    const auto& prefer = vm.affinity.prefer;
    return {prefer.begin(), std::find(prefer.begin(), prefer.end(), than)};
  }

  // It, and those that have to be with it.
  std::vector<Protected> unit_of(const Protected& vm) const {
    std::vector<Protected> unit{vm};
    for (const auto& other : s_.vms) {
      const bool with_it = vm.affinity.together && other.affinity.together == vm.affinity.together;
      if (with_it && other.vm != vm.vm && !s_.view.active_on(other.uuid).empty()) unit.push_back(other);
    }
    return unit;
  }

  // Why it stays; empty when it moves.
  std::string move(const Protected& vm, const std::string& from, const std::vector<std::string>& better) {
    const auto unit = unit_of(vm);
    for (const auto& one : unit) {
      seen_.insert(one.vm);
      if (place_of(one) != from) return one.vm + ", which has to be with it, does not run beside it";
    }
    for (const auto& one : unit) placement_.release(one);
    std::string why;
    for (const auto& to : better) {
      auto wanted = unit;
      for (auto& one : wanted) {
        one.affinity.prefer = {to};
        one.affinity.only = true;
      }
      const auto answers = placement_.place(wanted, {});
      const auto& answer = answers.at(vm.vm);
      if (!answer.host.empty()) {
        for (const auto& one : unit) decide(one, from, to);
        return {};
      }
      const auto shut = s_.closed.find(to);
      if (!why.empty()) why += "; ";
      why += shut != s_.closed.end() ? cluster::why_not(shut->second)
             : !s_.view.answered(to) ? to + " does not answer"
                                     : answer.reason;
    }
    for (const auto& one : unit) placement_.assign(one, from);
    return why;
  }

  void decide(const Protected& vm, const std::string& from, const std::string& to) {
    // On its way it needs its room twice.
    Protected leaving = vm;
    leaving.vm += " on its way";
    leaving.uuid += "-leaving";
    placement_.assign(leaving, from);  // @rule 05-failback-in-flight
    record::VmMove move;
    move.time = now_;
    move.id = random_id();
    move.vm = vm.vm;
    move.uuid = vm.uuid;
    move.from = from;
    move.to = to;
    move.memory_bytes = vm.memory_bytes;
    move.reason = "failback: it prefers " + to + ", which serves again";
    plan_.moves.push_back(std::move(move));
  }

  const Situation& s_;
  record::Time now_;
  Placement placement_;
  std::set<std::string> seen_;
  Failback plan_;
};

}  // namespace

Failback plan_failback(const Situation& situation, record::Time now,
                       std::vector<reserve::ReservedOnHost> held) {
  return Planner(situation, now, std::move(held))();
}

Failback failback(const std::vector<record::Host>& inventory, RecoveryCluster& cluster, store::Store& store,
                  const Clock& clock, Milliseconds timeout) {
  const auto now = clock.wall();
  Situation situation;
  for (const auto& host : inventory) situation.inventory.push_back(host.host);
  situation.read_marks(store, now);
  if (!situation.disarmed.empty())  // @rule 24-failback-disarmed
    throw Error(Status::kRefused, "fail back", "the protected servers", situation.disarmed);
  situation.vms = protected_vms(store);
  auto journal = start_journal(store, clock);
  for (const auto& intent : open_starts(journal)) situation.intents[intent.vm] = intent;
  situation.look(cluster, timeout);
  return plan_failback(situation, now, reserve::reserved_on_hosts(store, now.time_since_epoch().count()));
}

}  // namespace rackline::failover
