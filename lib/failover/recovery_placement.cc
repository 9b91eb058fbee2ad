// SPDX-License-Identifier: Apache-2.0
#include "failover/recovery_placement.h"

#include <algorithm>

#include "capacity/planner.h"
#include "failover/affinity.h"

namespace rackline::failover {
namespace {

capacity::Policy policy() {
  capacity::Policy policy;
  // The spare room is there to be used now.
  policy.keep_spare = false;
  return policy;
}

// What is promised stands for what is used: so much of its virtual CPUs, as if a full host were just busy.
double cores_of(std::int64_t vcpus) {
  return static_cast<double>(vcpus) / capacity::Policy{}.cpu_overcommit;
}

// A VM that comes (1) or goes (-1), in the figures of its host: with those of before, the planner
// would take a wrong share of the memory for what the host itself needs.
void add_to(record::HostSample& host, std::int64_t memory_bytes, double cores, int sign) {
  if (host.vms_running) *host.vms_running += sign;
  if (host.memory_used_bytes) *host.memory_used_bytes += sign * memory_bytes;
  if (host.cpus.value_or(0) > 0 && host.cpu_percent) {
    *host.cpu_percent += sign * 100 * cores / static_cast<double>(*host.cpus);
  }
}

record::VmRequest request_of(const Protected& vm) {
  record::VmRequest request;
  request.vm = vm.vm;
  request.memory_bytes = vm.memory_bytes;
  request.vcpus = vm.vcpus;
  request.cpu_cores = cores_of(vm.vcpus);
  request.anti_affinity = vm.anti_affinity;  // @rule 05-restarts-apart
  return request;
}

bool wants_affinity(const std::vector<Protected>& vms) {
  return std::any_of(vms.begin(), vms.end(), [](const Protected& vm) { return any(vm.affinity); });
}

}  // namespace

Placement::Placement(const View& view, const std::map<std::string, cluster::HostStatus>& closed,
                     const std::vector<Protected>& vms, record::Time now,
                     std::vector<reserve::ReservedOnHost> held)
    : now_(now), held_(std::move(held)) {
  std::erase_if(held_, [](const reserve::ReservedOnHost& each) { return each.lendable; });
  std::map<std::string, const Protected*> by_uuid;
  for (const auto& vm : vms) {
    protected_[vm.vm] = vm;
    by_uuid[vm.uuid] = &vm;
  }
  for (const auto& [name, host] : view.hosts) {
    if (!host.answered) continue;
    record::HostSample sample = host.sample;
    sample.host = name;
    sample.time = now;
    if (const auto shut = closed.find(name); shut != closed.end()) {
      sample.cluster_state = cluster::name_of(shut->second.state);
      if (!shut->second.reason.empty()) sample.cluster_reason = shut->second.reason;
    }
    double cores = 0;
    for (const auto& seen : host.vms) {
      if (seen.state == "shutoff") continue;  // a definition takes no room, and may be a stale one of ours
      record::VmSample vm = seen;
      vm.host = name;
      vm.time = now;
      vm.cpu_cores = cores_of(vm.vcpus.value_or(1));
      cores += *vm.cpu_cores;
      const auto known = vm.uuid ? by_uuid.find(*vm.uuid) : by_uuid.end();
      if (known != by_uuid.end() && known->second->anti_affinity)
        vm.anti_affinity = known->second->anti_affinity;
      vms_.push_back(std::move(vm));
    }
    if (sample.cpus.value_or(0) > 0) {
      sample.cpu_percent = std::min(100.0, 100 * cores / static_cast<double>(*sample.cpus));
    }
    hosts_.push_back(std::move(sample));
  }
}

std::map<std::string, Placement::Answer> Placement::ask(
    const std::vector<Protected>& vms, const std::map<std::string, std::set<std::string>>& barred) const {
  capacity::Planner planner(policy());
  for (const auto& reservation : reserved_for_others(vms)) planner.hear(reservation);
  for (const auto& host : hosts_) {
    planner.round().host_slot() = host;
    planner.round().keep_host();
  }
  for (const auto& vm : vms_) {
    planner.round().vm_slot() = vm;
    planner.round().keep_vm();
  }
  for (const auto& vm : vms) {
    planner.add(request_of(vm));
    const auto found = barred.find(vm.vm);
    if (found == barred.end() || found->second.empty()) continue;
    record::PlacementRule rule;
    rule.rule = "exclude";
    rule.vms = {vm.vm};
    rule.hosts = std::vector<std::string>(found->second.begin(), found->second.end());
    planner.rules().add(rule);
  }
  planner.close(now_);
  const capacity::Plan plan = planner.place();
  std::map<std::string, Answer> answers;
  for (const auto& place : plan.places) answers[place.vm] = {place.host, place.reason};
  for (const auto& unplaced : plan.unplaced) answers[unplaced.vm] = {"", unplaced.reason};
  return answers;
}

std::map<std::string, Placement::Answer> Placement::place(
    const std::vector<Protected>& in_order, const std::map<std::string, std::set<std::string>>& barred) {
  if (in_order.empty()) return {};
  if (wants_affinity(in_order)) return place_by_affinity(in_order, barred);
  auto answers = ask(in_order, barred);
  const bool all =
      std::all_of(answers.begin(), answers.end(), [](const auto& a) { return !a.second.host.empty(); });
  if (!all) {
    // The planner packs the large ones first; where there is not room for all, it is the order that counts.
    answers.clear();
    for (const auto& vm : in_order) {
      auto one = ask({vm}, barred);
      if (!one[vm.vm].host.empty()) assign(vm, one[vm.vm].host);
      answers.merge(one);
    }
    return answers;
  }
  for (const auto& vm : in_order) assign(vm, answers[vm.vm].host);
  return answers;
}

void Placement::assign(const Protected& vm, const std::string& host) {
  record::VmSample sample;
  sample.vm = vm.vm;
  sample.uuid = vm.uuid;
  sample.host = host;
  sample.time = now_;
  sample.state = "running";
  sample.memory_bytes = vm.memory_bytes;
  sample.vcpus = vm.vcpus;
  sample.cpu_cores = cores_of(vm.vcpus);
  sample.anti_affinity = vm.anti_affinity;
  vms_.push_back(std::move(sample));
  count(vm, host, 1);
}

void Placement::release(const Protected& vm) {
  const auto found =
      std::find_if(vms_.begin(), vms_.end(), [&vm](const auto& s) { return s.uuid == vm.uuid; });
  if (found == vms_.end()) return;
  count(vm, found->host, -1);
  vms_.erase(found);
}

void Placement::count(const Protected& vm, const std::string& host, int sign) {
  for (auto& known : hosts_) {
    if (known.host == host) add_to(known, vm.memory_bytes, cores_of(vm.vcpus), sign);
  }
}

std::vector<record::Reservation> Placement::reserved_for_others(const std::vector<Protected>& vms) const {
  std::vector<record::Reservation> others;
  for (const auto& held : held_) {
    const bool for_one_of_them =
        !held.vm.empty() &&
        std::any_of(vms.begin(), vms.end(), [&](const Protected& vm) { return vm.vm == held.vm; });
    if (for_one_of_them) continue;
    constexpr double kThousandths = 1000;
    record::Reservation& other = others.emplace_back();
    other.id = held.id;
    other.owner = held.owner;
    other.state = "active";
    other.host = held.host;
    if (!held.vm.empty()) other.vm = held.vm;
    other.memory_bytes = held.memory_bytes;
    other.cpu_cores = static_cast<double>(held.cpu_thousandths) / kThousandths;
  }
  return others;
}

std::string Placement::weakness() const {
  for (const auto& lost : hosts_) {
    Placement without = *this;
    std::erase_if(without.hosts_, [&lost](const auto& host) { return host.host == lost.host; });
    std::erase_if(without.vms_, [&lost](const auto& vm) { return vm.host == lost.host; });
    std::vector<Protected> orphans;
    for (const auto& vm : vms_) {
      const auto known = protected_.find(vm.vm);
      if (vm.host == lost.host && known != protected_.end()) orphans.push_back(known->second);
    }
    if (orphans.empty()) continue;
    const auto answers = wants_affinity(orphans) ? without.place(orphans, {}) : without.ask(orphans, {});
    for (const auto& [vm, answer] : answers) {
      if (answer.host.empty()) {
        return "if " + lost.host + " died now, " + vm + " could not be restarted: " + answer.reason;
      }
    }
  }
  return {};
}

}  // namespace rackline::failover
