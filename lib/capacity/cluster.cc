// SPDX-License-Identifier: Apache-2.0
#include "capacity/cluster.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/joined.h"
#include "base/units.h"
#include "capacity/classes.h"
#include "capacity/contradiction.h"
#include "capacity/memory.h"

namespace rackline::capacity {
namespace {

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

plan::Amount thousandths(double cpus) {
  return static_cast<plan::Amount>(std::llround(cpus * 1000));
}

// The samples of one host and what runs there.
struct HostFacts {
  const record::HostSample* sample = nullptr;
  int samples = 0;
  std::int64_t seen_running = 0;
  plan::Amount cpu_of_vms = 0;
  GuestMemory guests;
  std::string unclear;            // why it cannot be told what its VMs take
  plan::Amount held[2] = {0, 0};  // kMemory, kCpu: reserved for others
};

// Sizes of huge pages that VMs have.
std::vector<std::int64_t> page_sizes_of(const Round& round) {
  std::set<std::int64_t> sizes;
  for (const auto& vm : round.vms()) {
    if (!vm.hugepages.value_or(false) && !vm.hugepage_pools) continue;
    for (const auto& [size, bytes] : hugepages_of(vm)) sizes.insert(size);
  }
  constexpr std::size_t kMost = plan::kMostResources - 2;
  return {sizes.begin(),
          std::next(sizes.begin(), static_cast<std::ptrdiff_t>(std::min(sizes.size(), kMost)))};
}

std::vector<plan::Resource> resources_of(const Policy& policy, const std::vector<std::int64_t>& page_sizes) {
  std::vector<plan::Resource> resources{
      {.name = "memory", .transient = true, .spare = true, .balance_weight = policy.load_weights.memory},
      {.name = "cpu", .balance_weight = policy.load_weights.cpu}};
  for (const std::int64_t size : page_sizes)
    resources.push_back({.name = pages_text(size), .transient = true});
  return resources;
}

class Builder {
 public:
  Builder(const Round& round, const Rules& rules, const Policy& policy, const Question& question)
      : round_(round),
        rules_(rules),
        policy_(policy),
        question_(question),
        page_sizes_(page_sizes_of(round)),
        cluster_{plan::Model(resources_of(policy, page_sizes_)), {}, {}, 0, {}},
        classes_(cluster_, policy, question) {}

  Cluster build() {
    collect();
    reserve();
    add_hosts();
    find_taken();
    add_groups();
    for (const auto* vm : vms_) add_vm(*vm);
    for (const auto& request : question_.requests) add_request(request);
    return std::move(cluster_);
  }

 private:
  void collect();
  void find_taken();
  void reserve();
  void add_hosts();
  void add_groups();
  void add_vm(const record::VmSample& vm);
  std::vector<plan::Demand> demands_of(const record::VmSample& vm) const;
  void add_request(const record::VmRequest& request);

  std::string why_frozen(const std::string& name, const HostFacts& facts) const;
  std::string why_untimely(const record::HostSample& host) const;
  std::string why_frozen(const record::VmSample& vm) const;
  int running(const record::VmSample& vm) const;
  double speed(const std::string& host) const {
    return question_.speeds == nullptr || question_.promises_only ? 1 : question_.speeds->of(host);
  }
  std::vector<plan::Supply> supplies(const HostFacts& facts) const;
  bool leaving(const std::string& host) const {
    return std::find(question_.leaving.begin(), question_.leaving.end(), host) != question_.leaving.end();
  }
  std::vector<int> groups_of(const std::string& vm, const std::optional<std::string>& group) const;

  const Round& round_;
  const Rules& rules_;
  const Policy& policy_;
  const Question& question_;
  std::vector<std::int64_t> page_sizes_;  // of huge pages: a resource each, from kCpu + 1
  Cluster cluster_;
  std::map<std::string, HostFacts> hosts_;
  std::vector<const record::VmSample*> vms_;  // those that become items
  // VMs that run, by their names, their UUIDs, and the names of those without a UUID.
  std::map<std::string_view, int> running_names_, running_uuids_, running_nameless_;
  std::map<std::string, int> group_numbers_;             // of the samples' anti-affinity groups
  std::map<std::string, std::vector<int>> rule_groups_;  // by VM
  std::set<std::string> stays_;  // VMs that leave their host only when that is to be emptied
  Classes classes_;
};

void Builder::collect() {
  for (const auto& host : round_.hosts()) {
    HostFacts& facts = hosts_[host.host];
    facts.sample = &host;
    ++facts.samples;
    if (host.shared_storage) classes_.add_storage(*host.shared_storage);
  }
  for (const auto& vm : round_.vms()) {
    HostFacts& facts = hosts_[vm.host];
    if (active(vm)) {
      ++running_names_[vm.vm];
      ++(vm.uuid ? running_uuids_[*vm.uuid] : running_nameless_[vm.vm]);
      ++cluster_.running;
      ++facts.seen_running;
      facts.cpu_of_vms += thousandths(vm.cpu_cores.value_or(0));
      facts.guests.add(vm);
      if (!vm.memory_bytes) facts.unclear = "the memory of " + vm.vm + " there is unknown";
    } else if (!question_.stopped_too) {
      continue;
    }
    vms_.push_back(&vm);
  }
  std::sort(vms_.begin(), vms_.end(),
            [](const auto* a, const auto* b) { return std::tie(a->vm, a->host) < std::tie(b->vm, b->host); });
}

void Builder::find_taken() {
  for (const auto& vm : round_.vms()) cluster_.taken.add(vm, cluster_.find_host(vm.host));
  cluster_.taken.close();
}

// What is reserved on a host, less what its VM already has there, is kept from all others. What
// is reserved in a pool of several hosts may be on any of them: it is kept on the one with the most free
// memory, as a whole where it fits, so that it can be had in one piece.
void Builder::reserve() {
  std::map<std::string_view, const record::VmSample*> running;
  for (const auto* vm : vms_) {
    if (active(*vm)) running[vm->vm] = vm;
  }
  std::set<std::string_view> requested;
  for (const auto& request : question_.requests) requested.insert(request.vm);
  std::map<std::string_view, plan::Amount> promised;
  for (const auto* vm : vms_) {
    if (active(*vm)) promised[vm->host] += ordinary_memory(*vm);
  }
  for (const auto& reservation : question_.reservations) {
    std::vector<std::string> hosts = reservation.hosts.value_or(std::vector<std::string>());
    if (reservation.host) hosts = {*reservation.host};
    std::erase_if(hosts, [&](const auto& host) { return !hosts_.contains(host); });
    if (hosts.empty()) continue;
    plan::Amount memory = reservation.memory_bytes.value_or(0);
    plan::Amount cpu = thousandths(reservation.cpu_cores.value_or(0));
    if (reservation.vm) {
      const auto there = [&](const std::string& host) {
        return std::find(hosts.begin(), hosts.end(), host) != hosts.end();
      };
      const auto runs = running.find(*reservation.vm);
      if (runs != running.end() && there(runs->second->host)) {
        memory -= ordinary_memory(*runs->second);
        cpu -= thousandths(static_cast<double>(runs->second->vcpus.value_or(1)));
        classes_.bind(*reservation.vm, reservation.id, hosts);
      } else if (requested.contains(*reservation.vm)) {
        classes_.bind(*reservation.vm, reservation.id, hosts);
        continue;  // it takes what is reserved for it
      }
    }
    const auto free = [&](const std::string& host) {
      const HostFacts& facts = hosts_.at(host);
      const plan::Amount size = facts.sample == nullptr ? 0 : ordinary_memory(*facts.sample);
      return size - promised[host] - facts.held[kMemory];
    };
    std::stable_sort(hosts.begin(), hosts.end(),
                     [&](const auto& a, const auto& b) { return free(a) > free(b); });
    for (std::size_t i = 0; i < hosts.size() && (memory > 0 || cpu > 0); ++i) {
      HostFacts& facts = hosts_.at(hosts[i]);
      const bool last = i + 1 == hosts.size();
      const plan::Amount part = last ? memory : std::min(memory, std::max<plan::Amount>(0, free(hosts[i])));
      // The CPUs go with the first of the memory.
      facts.held[kMemory] += std::max<plan::Amount>(0, part);
      facts.held[kCpu] += std::max<plan::Amount>(0, cpu);
      memory -= part;
      cpu = 0;
    }
  }
}

std::string Builder::why_frozen(const std::string& name, const HostFacts& facts) const {
  if (facts.sample == nullptr) return "there is no sample of it";
  const record::HostSample& host = *facts.sample;
  if (facts.samples > 1) return "there are two samples of it";
  if (host.state != "up") return "it is not up but " + host.state;  // @rule 07-not-up
  if (std::string why = why_untimely(host); !why.empty()) return why;
  if (leaving(name)) return {};
  if (!host.cpus) return "the number of its CPUs is unknown";
  if (*host.cpus <= 0) return "its sample says that it has no CPUs";
  if (!host.memory_bytes) return "its memory is unknown";
  if (*host.memory_bytes <= 0) return "its sample says that it has no memory";
  if (!question_.promises_only && !host.cpu_percent)  // @rule 07-load-unknown
    return "its CPU load is unknown";
  // @rule 07-servers-unknown
  if (host.vms_running ? *host.vms_running + host.vms_paused.value_or(0) != facts.seen_running
                       : round_.lines_skipped) {
    return "not all of its virtual servers are known";
  }
  if (!facts.unclear.empty()) return facts.unclear;
  return question_.held_host ? question_.held_host(host) : std::string();
}

std::string Builder::why_untimely(const record::HostSample& host) const {
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(round_.time - host.time);
  if (age > policy_.stale) return "its sample is stale: " + format_duration(age) + " old";  // @rule 07-stale
  // Then one of the two clocks is wrong, and nobody knows how old the sample is.
  if (-age > policy_.stale) return "its sample is from the future: " + format_duration(-age) + " ahead";
  return {};
}

std::vector<plan::Supply> Builder::supplies(const HostFacts& facts) const {
  std::vector<plan::Supply> result(index(cluster_.model.resources()));
  if (facts.sample == nullptr) return result;
  const record::HostSample& host = *facts.sample;
  plan::Supply& memory = result[kMemory];
  memory.size = ordinary_memory(host);
  // What the host itself is seen to take, if that is more than is set aside for it. Where that is not known
  // for certain, nothing comes for which there may be no room, and nobody leaves for a load that may be none.
  const OwnMemory own =
      own_memory(host, facts.guests, host.memory_reserve_bytes.value_or(policy_.memory_reserve_bytes));
  memory.base = own.least;
  memory.reserve = own.most + facts.held[kMemory];  // what is held is not used, so no load
  plan::Supply& cpu = result[kCpu];
  const double speed = this->speed(host.host);
  const double cpus = static_cast<double>(host.cpus.value_or(0));
  cpu.size = thousandths(cpus * speed);
  cpu.overcommit =
      host.cpu_overcommit.value_or(policy_.cpu_overcommit) / speed;  // virtual ones have no speed
  cpu.base = thousandths(speed * host.cpu_percent.value_or(0) / 100 * cpus) -
             static_cast<plan::Amount>(std::llround(speed * static_cast<double>(facts.cpu_of_vms)));
  for (std::size_t i = 0; i < page_sizes_.size(); ++i)
    result[kCpu + 1 + i].size = pool_size(host, facts.guests, page_sizes_[i]);
  const auto limit = [this](plan::Supply& supply, double percent) {
    supply.safety = static_cast<plan::Amount>(static_cast<double>(supply.size) * percent / 100);
    if (supply.size > 0)
      supply.overload_cost = policy_.load_weights.overload / static_cast<double>(supply.size);
  };
  limit(memory, policy_.memory_threshold_percent);
  limit(cpu, policy_.threshold_percent);
  if (facts.held[kCpu] > 0) {
    // Reserved CPUs are not shared, whatever the ratio, and are to be there at once when they are wanted.
    const double held = speed * static_cast<double>(facts.held[kCpu]);
    cpu.reserve = static_cast<plan::Amount>(held * cpu.overcommit);
    cpu.safety = std::min(cpu.safety, cpu.size - static_cast<plan::Amount>(held));
  }
  return result;
}

// What the programs of the cluster say of a host that nothing may be placed on; empty where it serves.
std::string why_not_serving(const record::HostSample& host) {
  const std::string state = host.cluster_state.value_or("serving");
  if (state == "serving") return {};  // @rule 24-planner: true
  const std::string reason = host.cluster_reason.value_or("");
  return "it does not serve (" + state + (reason.empty() ? ")" : "): " + reason);
}

void Builder::add_hosts() {
  std::map<std::string, int> domains;
  std::map<std::string, int> neighbourhoods;
  // Numbers in the order of the hosts' names; one of which nothing is said is one by itself.
  const auto number_of = [](std::map<std::string, int>& numbers, std::string name) {
    const int next = static_cast<int>(numbers.size());
    return numbers.emplace(std::move(name), next).first->second;
  };
  for (const auto& [name, facts] : hosts_) {
    const bool known = facts.sample != nullptr;
    const int domain = number_of(domains, known ? domain_name(*facts.sample) : "the host " + name);
    const int neighbourhood =
        number_of(neighbourhoods, known ? neighbourhood_name(*facts.sample) : "the host " + name);
    std::string frozen = why_frozen(name, facts);
    plan::BinState state = plan::BinState::kOpen;
    if (!frozen.empty()) {
      state = plan::BinState::kFrozen;
    } else if (leaving(name)) {
      state = plan::BinState::kLeaving;
    } else if (facts.sample->drained.value_or(false)) {
      state = plan::BinState::kClosed;
    }
    std::string closed = known ? why_not_serving(*facts.sample) : std::string();
    if (!closed.empty() && state == plan::BinState::kOpen) state = plan::BinState::kClosed;
    if (const auto told = question_.closed.find(name); told != question_.closed.end()) {
      closed = told->second;
      if (state == plan::BinState::kOpen) state = plan::BinState::kClosed;
    }
    cluster_.model.add_bin(supplies(facts), state, domain, neighbourhood);
    cluster_.hosts.push_back({name, facts.sample, std::move(frozen), std::move(closed), {}, false});
    std::copy(std::begin(facts.held), std::end(facts.held), std::begin(cluster_.hosts.back().held));
    const plan::Amount capacity = cluster_.model.capacity(cluster_.model.bins() - 1, kMemory);
    if (!known) continue;
    const OwnMemory own = own_memory(*facts.sample, facts.guests, 0);
    cluster_.hosts.back().perhaps_promised =
        facts.guests.promised > capacity && facts.guests.given <= capacity + (own.most - own.least);
  }
}

void Builder::add_groups() {
  for (const auto& vm : round_.vms()) {
    if (vm.anti_affinity) group_numbers_.emplace(*vm.anti_affinity, 0);
  }
  for (const auto& request : question_.requests) {
    if (request.anti_affinity) group_numbers_.emplace(*request.anti_affinity, 0);
  }
  for (auto& [name, number] : group_numbers_) {
    number = cluster_.model.add_group({.name = "anti-affinity group " + name, .per_bin = 1});
  }
  for (const auto& rule : rules_.all()) {
    if (rule.rule == "stay") {
      stays_.insert(rule.vms.begin(), rule.vms.end());
      continue;
    }
    if (classes_.take(rule)) continue;
    const auto group_of = [&](const std::vector<std::string>& vms, plan::Group group) {
      const int number = cluster_.model.add_group(std::move(group));
      for (const auto& vm : std::set<std::string>(vms.begin(), vms.end())) {
        rule_groups_[vm].push_back(number);
      }
      return number;
    };
    const std::string names = joined(rule.vms);
    if (rule.rule == "depends") {
      const int needs = group_of(rule.vms, {.name = names});
      cluster_.model.add_dependency(needs, group_of(*rule.on, {.name = joined(*rule.on)}));
    } else if (rule.rule == "spread") {
      const int domains = static_cast<int>(rule.domains.value_or(0));
      group_of(rule.vms,
               {.name = "spread of " + names, .per_domain = domains > 0 ? 0 : 1, .min_domains = domains});
    } else if (rule.rule == "affinity") {
      group_of(rule.vms, {.name = "affinity of " + names, .together = true});
    } else {
      group_of(rule.vms, {.name = "anti-affinity of " + names, .per_bin = 1});
    }
  }
}

std::vector<int> Builder::groups_of(const std::string& vm, const std::optional<std::string>& group) const {
  std::vector<int> groups;
  if (group) groups.push_back(group_numbers_.at(*group));
  if (const auto found = rule_groups_.find(vm); found != rule_groups_.end()) {
    groups.insert(groups.end(), found->second.begin(), found->second.end());
  }
  return groups;
}

// On how many hosts it runs. Two servers of one name and different UUIDs are two; one whose UUID is not told
// may be any of that name.
int Builder::running(const record::VmSample& vm) const {
  const auto count = [](const auto& counts, const std::string& key) {
    const auto found = counts.find(key);
    return found == counts.end() ? 0 : found->second;
  };
  if (!vm.uuid) return count(running_names_, vm.vm);
  return count(running_uuids_, *vm.uuid) + count(running_nameless_, vm.vm);
}

std::string Builder::why_frozen(const record::VmSample& vm) const {
  const int running = this->running(vm);
  if (running > 1) return "it is seen on two hosts: on its way, or running twice";  // @rule 07-seen-twice
  const bool bound = vm.bound_by && !vm.bound_by->empty();
  // @rule 05-stay: false
  const bool stays = !question_.empties_in_turn && stays_.contains(vm.vm) && !leaving(vm.host);
  const std::string staying = stays ? "a rule lets it stay where it is" : "";
  if (!active(vm)) {
    return running > 0 ? "it runs elsewhere: this is a definition left over"
           : bound     ? joined(*vm.bound_by, "; ")
                       : staying;
  }
  if (vm.state == "unknown" || vm.state == "crashed" || vm.state == "suspended") return "it is " + vm.state;
  if (vm.migrating.value_or(false)) return "it is being migrated";
  if (stays) return staying;
  if (bound) return joined(*vm.bound_by, "; ");  // @rule 05-bound-to-its-host
  if (!vm.memory_bytes) return "its memory is unknown";
  if (!question_.unmeasured_too && !question_.promises_only && !vm.cpu_cores)  // @rule 07-server-unmeasured
    return "its CPU load is unknown";
  if (!question_.unmeasured_too && !question_.promises_only && vm.state == "paused") return "it is paused";
  return question_.held_vm ? question_.held_vm(vm) : std::string();
}

std::vector<plan::Demand> Builder::demands_of(const record::VmSample& vm) const {
  std::vector<plan::Demand> demands(index(cluster_.model.resources()));
  const plan::Amount memory = ordinary_memory(vm);
  demands[kMemory] = {memory, std::min(memory, vm.memory_bytes.value_or(0))};
  const plan::Amount promised = thousandths(static_cast<double>(vm.vcpus.value_or(1)));
  const double speed = this->speed(vm.host);
  const record::Number wanted = wanted_cores(vm);
  demands[kCpu].peak = promised;
  if (wanted) {
    demands[kCpu].usual = thousandths(speed * *wanted);
  } else if (question_.unmeasured_too || question_.promises_only) {
    demands[kCpu].usual = thousandths(speed * static_cast<double>(vm.vcpus.value_or(1)));  // at most
  }
  if (page_sizes_.empty()) return demands;
  const PageBytes pages = hugepages_of(vm);
  for (std::size_t i = 0; i < page_sizes_.size(); ++i) {
    const auto found = pages.find(page_sizes_[i]);
    if (found != pages.end()) demands[kCpu + 1 + i].peak = found->second;  // @rule 05-huge-pages
  }
  return demands;
}

void Builder::add_vm(const record::VmSample& vm) {
  const int host = cluster_.find_host(vm.host);
  const bool runs = active(vm);
  plan::Item item;
  item.start = host;
  item.demands = runs ? demands_of(vm) : std::vector<plan::Demand>(index(cluster_.model.resources()));
  item.item_class = classes_.of(vm.vm, host, runs, &vm);
  item.groups = groups_of(vm.vm, vm.anti_affinity);
  std::string frozen = why_frozen(vm);
  item.frozen = !frozen.empty();
  // @rule 06-margin
  item.move_cost = policy_.margin / static_cast<double>(std::max<std::size_t>(1, cluster_.hosts.size()));
  cluster_.model.add_item(item);
  cluster_.vms.push_back({vm.vm, &vm, runs, classes_.reservation_of(vm.vm), std::move(frozen)});
}

void Builder::add_request(const record::VmRequest& request) {
  const double vcpus = static_cast<double>(request.vcpus.value_or(1));
  plan::Item item;
  item.demands.resize(index(cluster_.model.resources()));
  item.demands[kMemory] = {request.memory_bytes, request.memory_bytes};
  item.demands[kCpu] = {thousandths(vcpus), thousandths(request.cpu_cores.value_or(vcpus))};
  item.item_class = classes_.of(request.vm, plan::kNowhere, false, nullptr);
  item.groups = groups_of(request.vm, request.anti_affinity);
  cluster_.model.add_item(item);
  cluster_.vms.push_back({request.vm, nullptr, false, classes_.reservation_of(request.vm), {}});
}

}  // namespace

int Cluster::find_host(const std::string& name) const {
  const auto found =
      std::lower_bound(hosts.begin(), hosts.end(), name,
                       [](const HostState& host, const std::string& n) { return host.name < n; });
  return found != hosts.end() && found->name == name ? static_cast<int>(found - hosts.begin())
                                                     : plan::kNowhere;
}

Cluster make_cluster(const Round& round, const Rules& rules, const Policy& policy, const Question& question) {
  return Builder(round, rules, policy, question).build();
}

}  // namespace rackline::capacity
