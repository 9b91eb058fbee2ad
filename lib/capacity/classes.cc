// SPDX-License-Identifier: Apache-2.0
#include "capacity/classes.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "capacity/binding.h"

namespace rackline::capacity {
namespace {

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

}  // namespace

bool Classes::take(const record::PlacementRule& rule) {
  if (rule.rule == "compatible") {
    compatible_.push_back(&rule);
    compatible_by_vm_ = compatible_by_vm_ || !rule.vms.empty();
    return true;
  }
  if (rule.rule != "pin" && rule.rule != "exclude") return false;
  for (const auto& vm : rule.vms) host_rules_[vm].push_back(&rule);
  return true;
}

void Classes::add_storage(const std::vector<std::string>& directories) {
  for (const auto& directory : directories) {
    const std::vector<std::string> one{directory};
    const auto place = std::lower_bound(storage_.begin(), storage_.end(), one);
    if (place == storage_.end() || *place != one) storage_.insert(place, one);
  }
}

std::string Classes::reservation_of(const std::string& vm) const {
  const auto bound = bound_.find(vm);
  return bound == bound_.end() ? "" : bound->second.reservation;
}

bool Classes::is_leaving(const std::string& host) const {
  return std::find(question_.leaving.begin(), question_.leaving.end(), host) != question_.leaving.end();
}

// Hosts between which the VM may move live, as numbers that are equal: those of one CPU model,
// those that a rule calls compatible, and whatever these lead to together, since it could go there by two
// moves as well.
std::vector<int> Classes::cpus_for(const std::string& vm) const {
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

bool Classes::may_go(int from, int to, bool live, const std::vector<int>& cpus,
                     const record::VmSample* vm) const {
  const auto* source = cluster_.hosts[index(from)].sample;
  const auto* target = cluster_.hosts[index(to)].sample;
  if (from == to || source == nullptr || target == nullptr) return true;
  // A VM cannot move to another machine architecture, nor live to a CPU that lacks what it was promised.
  return source->arch == target->arch &&
         (!live || !policy_.same_cpu_model || cpus[index(from)] == cpus[index(to)]) &&
         (vm == nullptr || lacks(*vm, *source, *target).empty());
}

int Classes::class_for(std::vector<bool> allowed) {
  if (std::all_of(allowed.begin(), allowed.end(), [](bool one) { return one; })) return 0;
  const auto [found, fresh] = classes_.emplace(std::move(allowed), 0);
  if (fresh) found->second = cluster_.model.add_class(found->first);
  return found->second;
}

int Classes::of(const std::string& vm, int from, bool live, const record::VmSample* sample) {
  const auto rules = host_rules_.find(vm);
  auto bound = bound_.find(vm);
  // A host that is to be emptied cannot keep what was promised there; and what is reserved for a server of
  // another host is not for its namesake.
  if (bound != bound_.end() && from != plan::kNowhere) {
    const auto& hosts = bound->second.hosts;
    const std::string& own = cluster_.host(from);
    if (is_leaving(own) || std::find(hosts.begin(), hosts.end(), own) == hosts.end()) bound = bound_.end();
  }
  const std::vector<int> taken = sample != nullptr ? cluster_.taken.hosts(*sample) : cluster_.taken.hosts(vm);
  const bool ruled = rules != host_rules_.end() || bound != bound_.end() || !taken.empty();
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
    if (rules == host_rules_.end()) continue;
    for (const auto* rule : rules->second) {
      if (Rules::names_host(*rule, host.name) != (rule->rule == "pin")) allowed[i] = false;
    }
  }
  for (const int there : taken) {
    if (there != from) allowed[index(there)] = false;  // @rule 05-name-taken
  }
  const int number = class_for(std::move(allowed));
  if (known != nullptr) *known = number;
  return number;
}

}  // namespace rackline::capacity
