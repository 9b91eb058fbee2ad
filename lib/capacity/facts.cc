// SPDX-License-Identifier: Apache-2.0
#include "capacity/facts.h"

#include <algorithm>

#include "base/error.h"

namespace rackline::capacity {

bool is_soft(const record::PlacementRule& rule) {
  return rule.soft.value_or(false);
}

void Round::clear() {
  host_count_ = 0;
  vm_count_ = 0;
  time = {};
  lines_skipped = false;
}

void Rules::add(const record::PlacementRule& rule) {
  const auto refuse = [&](const std::string& why) {
    throw Error(Status::kUsage, "read the placement rules", rule.rule, why);
  };
  const bool of_hosts = rule.rule == "pin" || rule.rule == "exclude" || rule.rule == "compatible";
  const bool depends = rule.rule == "depends";
  const bool of_each_other = rule.rule == "affinity" || rule.rule == "anti_affinity" || rule.rule == "spread";
  if (!of_hosts && !of_each_other && !depends && rule.rule != "stay") {
    refuse(
        "there is no such rule; the rules are affinity, anti_affinity, spread, pin, exclude, stay, depends "
        "and "
        "compatible");
  }
  const bool may_be_soft =
      rule.rule == "affinity" || rule.rule == "anti_affinity" || rule.rule == "pin" || rule.rule == "exclude";
  if (is_soft(rule) && !may_be_soft) refuse("it cannot be soft");
  if (of_hosts && (!rule.hosts || rule.hosts->empty())) refuse("it needs a list of hosts");
  if (rule.vms.empty() && rule.rule != "compatible") refuse("it names no virtual server");
  if (depends && (!rule.on || rule.on->empty())) refuse("it needs a list of what they depend on");
  if (rule.domains && rule.rule != "spread") refuse("only spread can ask for a number of domains");
  if (rule.domains && *rule.domains < 1) refuse("it asks for less than one failure domain");
  if (rule.domains && *rule.domains > static_cast<std::int64_t>(rule.vms.size())) {
    refuse("it asks for more failure domains than it names virtual servers");
  }
  const bool known = std::any_of(rules_.begin(), rules_.end(), [&](const auto& other) {
    return other.rule == rule.rule && other.vms == rule.vms && other.hosts == rule.hosts &&
           other.on == rule.on && other.domains == rule.domains && is_soft(other) == is_soft(rule);
  });
  if (!known) rules_.push_back(rule);
}

std::vector<record::PlacementRule> Rules::give_up_for(const std::set<std::string>& vms) {
  const auto soft = std::stable_partition(rules_.begin(), rules_.end(), [&](const auto& rule) {
    return !is_soft(rule) ||
           std::none_of(vms.begin(), vms.end(), [&](const auto& vm) { return binds(rule, vm); });
  });
  std::vector<record::PlacementRule> given_up(soft, rules_.end());
  rules_.erase(soft, rules_.end());
  return given_up;
}

std::vector<record::PlacementRule> Rules::give_up_soft() {
  std::set<std::string> all;
  for (const auto& rule : rules_) all.insert(rule.vms.begin(), rule.vms.end());
  return give_up_for(all);
}

bool Rules::any_soft() const {
  return std::any_of(rules_.begin(), rules_.end(), is_soft);
}

bool Rules::binds(const record::PlacementRule& rule, const std::string& vm) {
  if (rule.vms.empty()) return rule.rule == "compatible";
  return std::find(rule.vms.begin(), rule.vms.end(), vm) != rule.vms.end();
}

bool Rules::names_host(const record::PlacementRule& rule, const std::string& host) {
  return rule.hosts && std::find(rule.hosts->begin(), rule.hosts->end(), host) != rule.hosts->end();
}

void History::add(const record::VmMoved& moved) {
  if (moved.planned.value_or(false)) return;
  if (moved.outcome != "done" && moved.outcome != "failed" && moved.outcome != "unknown") return;
  add(moved.uuid.value_or(moved.vm), moved.time);
}

bool History::cooling(const record::VmSample& vm, record::Time now,
                      std::chrono::milliseconds cooldown) const {
  return cooling(identity(vm), now, cooldown) || cooling(vm.vm, now, cooldown);
}

ByName<double> wanted_percents(const Round& round) {
  ByName<double> waited;  // CPUs
  for (const auto& vm : round.vms()) {
    if (!active(vm) || !vm.cpu_cores || vm.cpu_steal_percent.value_or(0) <= 0) continue;
    waited[vm.host] += *wanted_cores(vm) - *vm.cpu_cores;
  }
  ByName<double> percents;
  for (const auto& host : round.hosts()) {
    if (host.state != "up" || !host.cpu_percent || host.cpus.value_or(0) <= 0) continue;
    const auto found = waited.find(host.host);
    percents[host.host] = *host.cpu_percent +
                          (found == waited.end() ? 0 : 100 * found->second / static_cast<double>(*host.cpus));
  }
  return percents;
}

void Hold::count(const Round& round, double threshold_percent) {
  begin_round();
  const ByName<double> percents = wanted_percents(round);
  for (const auto& host : round.hosts()) {
    const auto percent = percents.find(host.host);
    const double value = percent != percents.end() ? percent->second : 0;
    count(host.host, percent != percents.end() && value > threshold_percent, value);
  }
}

std::int64_t promised_memory(const record::VmSample& vm) {
  return std::max(vm.memory_bytes.value_or(0), vm.memory_max_bytes.value_or(0));  // @rule 05-balloons: 0
}

std::string_view identity(const record::VmSample& vm) {
  return vm.uuid && !vm.uuid->empty() ? *vm.uuid : vm.vm;
}

record::Number wanted_cores(const record::VmSample& vm) {
  if (!vm.cpu_cores) return std::nullopt;
  const double waited = vm.cpu_steal_percent.value_or(0) / 100 * static_cast<double>(vm.vcpus.value_or(0));
  return *vm.cpu_cores + waited;
}

bool active(const record::VmSample& vm) {
  return vm.domain_id.has_value() || vm.state == "running" || vm.state == "paused" ||
         vm.state == "suspended" || vm.state == "unknown";
}

}  // namespace rackline::capacity
