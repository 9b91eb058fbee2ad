// SPDX-License-Identifier: Apache-2.0
#include "capacity/cluster.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/joined.h"
#include "base/units.h"
#include "capacity/binding.h"
#include "capacity/contradiction.h"

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
  plan::Amount memory_of_vms = 0;  // that they really occupy, as far as it is known
  plan::Amount memory_given = 0;   // that they have
  plan::Amount memory_promised = 0;
  plan::Amount perhaps_in_pool = 0;  // that they may have in huge pages, which the memory above leaves out
  std::string unclear;               // why it cannot be told what its VMs take
  plan::Amount held[2] = {0, 0};     // kMemory, kCpu: reserved for others
};

// A guest in huge pages occupies next to nothing beside them. Where no sample tells of that, one that
// occupies less than this part of what it has may be such a guest.
constexpr std::int64_t kBarelyOccupied = 4;

void count_memory(const record::VmSample& vm, HostFacts& facts) {
  const std::int64_t given = vm.memory_bytes.value_or(0);
  const std::int64_t used = vm.memory_used_bytes.value_or(given);
  facts.memory_given += given;
  facts.memory_promised += promised_memory(vm);
  facts.memory_of_vms += vm.hugepages.value_or(false) ? std::max(given, used) : used;
  if (!vm.hugepages && used < given / kBarelyOccupied) facts.perhaps_in_pool += given - used;
}

class Builder {
 public:
  Builder(const Round& round, const Rules& rules, const Policy& policy, const Question& question)
      : round_(round),
        rules_(rules),
        policy_(policy),
        question_(question),
        cluster_{plan::Model({{.name = "memory",
                               .transient = true,
                               .spare = true,
                               .balance_weight = policy.load_weights.memory},
                              {.name = "cpu", .balance_weight = policy.load_weights.cpu}}),
                 {},
                 {},
                 0,
                 {}} {}

  Cluster build() {
    collect();
    find_taken();
    reserve();
    add_hosts();
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
  void add_request(const record::VmRequest& request);

  std::string why_frozen(const std::string& name, const HostFacts& facts) const;
  std::string why_untimely(const record::HostSample& host) const;
  std::string why_frozen(const record::VmSample& vm) const;
  std::vector<plan::Supply> supplies(const HostFacts& facts) const;
  bool leaving(const std::string& host) const {
    return std::find(question_.leaving.begin(), question_.leaving.end(), host) != question_.leaving.end();
  }
  // The rules about a VM and the hosts that it could move between as one class. `from` is the bin of its
  // host, plan::kNowhere for a request.
  int class_of(const std::string& vm, int from, bool live, const record::VmSample* sample);
  int class_for(std::vector<bool> allowed);
  std::vector<int> cpus_for(const std::string& vm) const;
  bool may_go(int from, int to, bool live, const std::vector<int>& cpus, const record::VmSample* vm) const;
  std::vector<int> groups_of(const std::string& vm, const std::optional<std::string>& group) const;
  std::string reservation_of(const std::string& vm) const {
    const auto bound = bound_.find(vm);
    return bound == bound_.end() ? "" : bound->second.reservation;
  }

  const Round& round_;
  const Rules& rules_;
  const Policy& policy_;
  const Question& question_;
  Cluster cluster_;
  std::map<std::string, HostFacts> hosts_;
  std::vector<const record::VmSample*> vms_;  // those that become items
  std::map<std::string_view, int> running_on_;
  std::map<std::string, int> group_numbers_;             // of the samples' anti-affinity groups
  std::map<std::string, std::vector<int>> rule_groups_;  // by VM
  std::map<std::string, std::vector<const record::PlacementRule*>> host_rules_;
  std::vector<const record::PlacementRule*> compatible_;
  bool compatible_by_vm_ = false;
  struct Bound {
    std::string reservation;
    std::vector<std::string> hosts;
  };
  std::map<std::string, Bound> bound_;  // VMs that have what is reserved for them where they are
  std::map<std::vector<bool>, int> classes_;
  // Classes of VMs that no rule speaks of, by what their hosts have in common: with thousands of
  // hosts, comparing each VM's with all others would take longer than the search.
  std::map<std::tuple<std::string, int, bool, std::string>, int> plain_classes_;
  std::vector<std::string> storage_;  // all that any host shares
  std::vector<int> cpus_;
};

void Builder::collect() {
  for (const auto& host : round_.hosts()) {
    HostFacts& facts = hosts_[host.host];
    facts.sample = &host;
    ++facts.samples;
    if (host.shared_storage)
      storage_.insert(storage_.end(), host.shared_storage->begin(), host.shared_storage->end());
  }
  for (const auto& vm : round_.vms()) {
    HostFacts& facts = hosts_[vm.host];
    if (active(vm)) {
      ++running_on_[vm.vm];
      ++cluster_.running;
      ++facts.seen_running;
      facts.cpu_of_vms += thousandths(vm.cpu_cores.value_or(0));
      count_memory(vm, facts);
      if (!vm.memory_bytes) facts.unclear = "the memory of " + vm.vm + " there is unknown";
    } else if (!question_.stopped_too) {
      continue;
    }
    vms_.push_back(&vm);
  }
  std::sort(storage_.begin(), storage_.end());
  storage_.erase(std::unique(storage_.begin(), storage_.end()), storage_.end());
  std::sort(vms_.begin(), vms_.end(),
            [](const auto* a, const auto* b) { return std::tie(a->vm, a->host) < std::tie(b->vm, b->host); });
}

// Where a name or a UUID is defined more than once, each of those hosts has it already for the others.
void Builder::find_taken() {
  using Same = std::unordered_map<std::string_view, std::vector<const record::VmSample*>>;
  Same names;
  Same uuids;
  for (const auto& vm : round_.vms()) {
    names[vm.vm].push_back(&vm);
    if (vm.uuid) uuids[*vm.uuid].push_back(&vm);
  }
  const auto taken = [this](const record::VmSample& vm, const record::VmSample& other) {
    if (vm.host == other.host) return;
    cluster_.taken[vm.vm].emplace(other.host, vm.vm != other.vm ? "has its UUID, as " + other.vm
                                              : vm.uuid == other.uuid
                                                  ? "already has a definition of it"
                                                  : "has another virtual server of that name");
  };
  for (const Same* same : {&names, &uuids}) {
    for (const auto& [key, vms] : *same) {
      if (vms.size() < 2) continue;
      for (const auto* one : vms) {
        for (const auto* other : vms) taken(*one, *other);
      }
    }
  }
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
    if (active(*vm)) promised[vm->host] += promised_memory(*vm);
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
        memory -= promised_memory(*runs->second);
        cpu -= thousandths(static_cast<double>(runs->second->vcpus.value_or(1)));
        bound_[*reservation.vm] = {reservation.id, hosts};
      } else if (requested.contains(*reservation.vm)) {
        bound_[*reservation.vm] = {reservation.id, hosts};
        continue;  // it takes what is reserved for it
      }
    }
    const auto free = [&](const std::string& host) {
      const HostFacts& facts = hosts_.at(host);
      const plan::Amount size = facts.sample == nullptr ? 0 : facts.sample->memory_bytes.value_or(0);
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
  if (host.vms_running ? *host.vms_running != facts.seen_running : round_.lines_skipped) {
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
  std::vector<plan::Supply> result(2);
  if (facts.sample == nullptr) return result;
  const record::HostSample& host = *facts.sample;
  plan::Supply& memory = result[kMemory];
  memory.size = host.memory_bytes.value_or(0);
  // What the host itself is seen to take, if that is more than is set aside for it.
  plan::Amount own = host.memory_used_bytes.value_or(0) - facts.memory_of_vms;
  // A pool of huge pages counts as used, and what guests have of it is not the host's own.
  if (own >= facts.perhaps_in_pool) own -= facts.perhaps_in_pool;
  memory.reserve =
      std::max({host.memory_reserve_bytes.value_or(policy_.memory_reserve_bytes), own, plan::Amount{0}});
  memory.base = memory.reserve;
  memory.reserve += facts.held[kMemory];  // not used, so no load
  plan::Supply& cpu = result[kCpu];
  cpu.size = thousandths(static_cast<double>(host.cpus.value_or(0)));
  cpu.overcommit = host.cpu_overcommit.value_or(policy_.cpu_overcommit);
  cpu.base = thousandths(host.cpu_percent.value_or(0) / 100 * static_cast<double>(host.cpus.value_or(0))) -
             facts.cpu_of_vms;
  const auto limit = [this](plan::Supply& supply, double percent) {
    supply.safety = static_cast<plan::Amount>(static_cast<double>(supply.size) * percent / 100);
    if (supply.size > 0)
      supply.overload_cost = policy_.load_weights.overload / static_cast<double>(supply.size);
  };
  limit(memory, policy_.memory_threshold_percent);
  limit(cpu, policy_.threshold_percent);
  if (facts.held[kCpu] > 0) {
    // Reserved CPUs are not shared, whatever the ratio, and are to be there at once when they are wanted.
    cpu.reserve = static_cast<plan::Amount>(static_cast<double>(facts.held[kCpu]) * cpu.overcommit);
    cpu.safety = std::min(cpu.safety, cpu.size - facts.held[kCpu]);
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
    cluster_.hosts.back().ballooned = facts.memory_promised > capacity && facts.memory_given <= capacity;
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
    if (rule.rule == "compatible") {
      compatible_.push_back(&rule);
      compatible_by_vm_ = compatible_by_vm_ || !rule.vms.empty();
      continue;
    }
    if (rule.rule == "pin" || rule.rule == "exclude") {
      for (const auto& vm : rule.vms) host_rules_[vm].push_back(&rule);
      continue;
    }
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

// Hosts between which the VM may move live, as numbers that are equal: those of one CPU model,
// those that a rule calls compatible, and whatever these lead to together, since it could go there by two
// moves as well.
std::vector<int> Builder::cpus_for(const std::string& vm) const {
  std::vector<int> leads(cluster_.hosts.size());
  std::iota(leads.begin(), leads.end(), 0);
  const auto root = [&](int host) {
    while (leads[index(host)] != host) host = leads[index(host)];
    return host;
  };
  const auto join = [&](int one, int other) { leads[index(root(other))] = root(one); };
  std::map<record::Text, int> models;
  for (std::size_t i = 0; i < cluster_.hosts.size(); ++i) {
    const auto* sample = cluster_.hosts[i].sample;
    if (sample == nullptr) continue;
    const int host = static_cast<int>(i);
    join(models.emplace(sample->cpu_model, host).first->second, host);
  }
  for (const auto* rule : compatible_) {
    if (!Rules::binds(*rule, vm)) continue;
    int first = plan::kNowhere;
    for (const auto& name : *rule->hosts) {
      const int host = cluster_.find_host(name);
      if (host == plan::kNowhere) continue;
      if (first == plan::kNowhere) first = host;
      join(first, host);
    }
  }
  for (std::size_t i = 0; i < leads.size(); ++i) leads[i] = root(static_cast<int>(i));
  return leads;
}

bool Builder::may_go(int from, int to, bool live, const std::vector<int>& cpus,
                     const record::VmSample* vm) const {
  const auto* source = cluster_.hosts[index(from)].sample;
  const auto* target = cluster_.hosts[index(to)].sample;
  if (from == to || source == nullptr || target == nullptr) return true;
  // A VM cannot move to another machine architecture, nor live to a CPU that lacks what it was promised.
  return source->arch == target->arch &&
         (!live || !policy_.same_cpu_model || cpus[index(from)] == cpus[index(to)]) &&
         (vm == nullptr || lacks(*vm, *source, *target).empty());
}

int Builder::class_for(std::vector<bool> allowed) {
  if (std::all_of(allowed.begin(), allowed.end(), [](bool one) { return one; })) return 0;
  const auto [found, fresh] = classes_.emplace(std::move(allowed), 0);
  if (fresh) found->second = cluster_.model.add_class(found->first);
  return found->second;
}

int Builder::class_of(const std::string& vm, int from, bool live, const record::VmSample* sample) {
  const auto rules = host_rules_.find(vm);
  auto bound = bound_.find(vm);
  // A host that is to be emptied cannot keep what was promised there.
  if (bound != bound_.end() && from != plan::kNowhere && leaving(cluster_.host(from))) bound = bound_.end();
  const auto taken = cluster_.taken.find(vm);
  const bool ruled = rules != host_rules_.end() || bound != bound_.end() || taken != cluster_.taken.end();
  if (from == plan::kNowhere && !ruled) return 0;
  if (cpus_.empty()) cpus_ = cpus_for("");
  const bool plain = !ruled && !compatible_by_vm_;
  int* known = nullptr;
  if (plain) {
    const auto* host = cluster_.hosts[index(from)].sample;
    std::string needs =
        sample == nullptr || host == nullptr ? std::string() : needs_of(*sample, *host, storage_);
    // A null is another value than any text.
    const std::string arch = host == nullptr ? "?" : host->arch ? "=" + *host->arch : "";
    const auto [found, fresh] =
        plain_classes_.try_emplace({arch, cpus_[index(from)], live, std::move(needs)}, 0);
    if (!fresh) return found->second;
    known = &found->second;
  }
  const std::vector<int> own = compatible_by_vm_ ? cpus_for(vm) : cpus_;
  std::vector<bool> allowed(cluster_.hosts.size(), true);
  for (std::size_t i = 0; i < allowed.size(); ++i) {
    const auto& host = cluster_.hosts[i];
    if (from != plan::kNowhere) allowed[i] = may_go(from, static_cast<int>(i), live, own, sample);
    if (bound != bound_.end() && std::find(bound->second.hosts.begin(), bound->second.hosts.end(),
                                           host.name) == bound->second.hosts.end()) {
      allowed[i] = false;
    }
    const bool there = taken != cluster_.taken.end() && taken->second.contains(host.name);
    if (there && static_cast<int>(i) != from) allowed[i] = false;  // @rule 05-name-taken
    if (rules == host_rules_.end()) continue;
    for (const auto* rule : rules->second) {
      if (Rules::names_host(*rule, host.name) != (rule->rule == "pin")) allowed[i] = false;
    }
  }
  const int number = class_for(std::move(allowed));
  if (known != nullptr) *known = number;
  return number;
}

std::string Builder::why_frozen(const record::VmSample& vm) const {
  const auto seen = running_on_.find(vm.vm);
  const int running = seen != running_on_.end() ? seen->second : 0;
  if (running > 1) return "it is seen on two hosts: on its way, or running twice";  // @rule 07-seen-twice
  const bool bound = vm.bound_by && !vm.bound_by->empty();
  if (!active(vm)) {
    return running > 0 ? "it runs elsewhere: this is a definition left over"
           : bound     ? joined(*vm.bound_by, "; ")
                       : "";
  }
  if (vm.state == "unknown" || vm.state == "crashed" || vm.state == "suspended") return "it is " + vm.state;
  if (vm.migrating.value_or(false)) return "it is being migrated";
  if (bound) return joined(*vm.bound_by, "; ");  // @rule 05-bound-to-its-host
  if (!vm.memory_bytes) return "its memory is unknown";
  if (!question_.unmeasured_too && !question_.promises_only && !vm.cpu_cores)  // @rule 07-server-unmeasured
    return "its CPU load is unknown";
  if (!question_.unmeasured_too && !question_.promises_only && vm.state == "paused") return "it is paused";
  return question_.held_vm ? question_.held_vm(vm) : std::string();
}

void Builder::add_vm(const record::VmSample& vm) {
  const int host = cluster_.find_host(vm.host);
  const bool runs = active(vm);
  plan::Item item;
  item.start = host;
  item.demands.resize(2);
  if (runs) {
    const plan::Amount promised = thousandths(static_cast<double>(vm.vcpus.value_or(1)));
    item.demands[kMemory] = {promised_memory(vm), vm.memory_bytes.value_or(0)};
    // Of unknown load: what it could take at most.
    item.demands[kCpu] = {promised, vm.cpu_cores ? thousandths(*vm.cpu_cores)
                                    : question_.unmeasured_too || question_.promises_only ? promised
                                                                                          : 0};
  }
  item.item_class = class_of(vm.vm, host, runs, &vm);
  item.groups = groups_of(vm.vm, vm.anti_affinity);
  std::string frozen = why_frozen(vm);
  item.frozen = !frozen.empty();
  // @rule 06-margin
  item.move_cost = policy_.margin / static_cast<double>(std::max<std::size_t>(1, cluster_.hosts.size()));
  cluster_.model.add_item(item);
  cluster_.vms.push_back({vm.vm, &vm, runs, reservation_of(vm.vm), std::move(frozen)});
}

void Builder::add_request(const record::VmRequest& request) {
  const double vcpus = static_cast<double>(request.vcpus.value_or(1));
  plan::Item item;
  item.demands = {{request.memory_bytes, request.memory_bytes},
                  {thousandths(vcpus), thousandths(request.cpu_cores.value_or(vcpus))}};
  item.item_class = class_of(request.vm, plan::kNowhere, false, nullptr);
  item.groups = groups_of(request.vm, request.anti_affinity);
  cluster_.model.add_item(item);
  cluster_.vms.push_back({request.vm, nullptr, false, reservation_of(request.vm), {}});
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
