// SPDX-License-Identifier: Apache-2.0
// Placement of VMs that prefer hosts, or run together.
#include <algorithm>
#include <functional>

#include "failover/affinity.h"
#include "failover/recovery_placement.h"

namespace rackline::failover {

// What is placed as one: a VM, or those that run together, as if they were one.
struct Placement::Unit {
  Protected vm;
  std::vector<Protected> members;
  std::set<std::string> barred;
  std::vector<std::string> choices;  // hosts, the best one first
  std::string condition;             // for people: what binds it
};

namespace {

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::set<std::string> Placement::all_but(const std::function<bool(const std::string&)>& wanted) const {
  std::set<std::string> others;
  for (const auto& host : hosts_) {
    if (!wanted(host.host)) others.insert(host.host);
  }
  return others;
}

// Hosts where those run with which it has to be, and one of them; empty where none runs.
std::map<std::string, std::string> Placement::companions(const Protected& vm) const {
  std::map<std::string, std::string> places;
  if (!vm.affinity.together) return places;  // @rule 05-restarts-together: true
  for (const auto& seen : vms_) {
    const auto known = protected_.find(seen.vm);
    if (known == protected_.end() || seen.vm == vm.vm ||
        known->second.affinity.together != vm.affinity.together)
      continue;
    places.emplace(seen.host, seen.vm);
  }
  return places;
}

void Placement::add_to_unit(Unit& unit, const Protected& vm, const std::set<std::string>& barred) const {
  unit.members.push_back(vm);
  if (unit.members.size() == 1) {
    unit.vm = vm;
    unit.vm.affinity = {};
  } else {
    unit.vm.memory_bytes += vm.memory_bytes;
    unit.vm.vcpus += vm.vcpus;
  }
  unit.barred.insert(barred.begin(), barred.end());
  const auto& wish = vm.affinity;
  for (const auto& host : wish.prefer) {
    if (!has(unit.choices, host)) unit.choices.push_back(host);
  }
  if (wish.only) {  // @rule 05-restarts-only-there
    unit.barred.merge(all_but([&wish](const std::string& host) { return has(wish.prefer, host); }));
    unit.condition += vm.vm + " may be on its preferred hosts only; ";
  }
  if (const auto places = companions(vm); !places.empty() && unit.members.size() == 1) {
    unit.barred.merge(all_but([&places](const std::string& host) { return places.contains(host); }));
    unit.condition +=
        vm.vm + " has to be with " + places.begin()->second + ", which is on " + places.begin()->first + "; ";
  }
  // The planner hears of one group only.
  for (const auto& seen : vms_) {
    if (vm.anti_affinity && seen.anti_affinity == vm.anti_affinity && seen.vm != vm.vm)
      unit.barred.insert(seen.host);
  }
}

// At the best host that has room, or wherever it may be.
Placement::Answer Placement::best_of(const Unit& unit) const {
  for (const auto& choice : unit.choices) {
    if (unit.barred.contains(choice)) continue;
    const auto others = all_but([&choice](const std::string& host) { return host == choice; });
    if (others.size() == hosts_.size()) continue;  // it does not answer
    auto answer = ask({unit.vm}, {{unit.vm.vm, others}})[unit.vm.vm];
    if (!answer.host.empty()) return answer;
  }
  return ask({unit.vm}, {{unit.vm.vm, unit.barred}})[unit.vm.vm];
}

std::map<std::string, Placement::Answer> Placement::place_by_affinity(
    const std::vector<Protected>& in_order, const std::map<std::string, std::set<std::string>>& barred) {
  std::vector<Unit> units;
  for (const auto& vm : in_order) {
    const auto same = std::find_if(units.begin(), units.end(), [&vm](const Unit& unit) {
      return vm.affinity.together && unit.members.front().affinity.together == vm.affinity.together;
    });
    const auto found = barred.find(vm.vm);
    add_to_unit(same == units.end() ? units.emplace_back() : *same, vm,
                found == barred.end() ? std::set<std::string>() : found->second);
  }
  std::map<std::string, Answer> answers;
  // One after the other, in their order: what is preferred by an important one is not given to others.
  for (const auto& unit : units) {
    Answer answer = best_of(unit);
    if (answer.host.empty()) {
      answer.reason = unit.condition + answer.reason;
    } else if (has(unit.choices, answer.host)) {
      answer.reason = "it prefers " + answer.host + "; " + answer.reason;
    }
    if (unit.members.size() > 1)
      answer.reason = "together (" + *unit.members.front().affinity.together + "): " + answer.reason;
    for (const auto& vm : unit.members) {
      answers[vm.vm] = answer;
      if (!answer.host.empty()) assign(vm, answer.host);
    }
  }
  return answers;
}

}  // namespace rackline::failover
