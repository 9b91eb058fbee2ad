// SPDX-License-Identifier: Apache-2.0
#include "capacity/facts.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace rackline::capacity {

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
  if (!of_hosts && !depends && rule.rule != "anti_affinity" && rule.rule != "spread") {
    refuse(
        "there is no such rule; the rules are anti_affinity, spread, pin, exclude, depends and compatible");
  }
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
           other.on == rule.on && other.domains == rule.domains;
  });
  if (!known) rules_.push_back(rule);
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
  add(moved.vm, moved.time);
}

void History::add(const std::string& vm, record::Time time) {
  auto& last = last_[vm];
  last = std::max(last, time);
}

bool History::cooling(std::string_view vm, record::Time now, std::chrono::milliseconds cooldown) const {
  const auto found = last_.find(vm);
  return found != last_.end() && now - found->second < cooldown;  // @rule 06-cooldown: false
}

double History::recent(record::Time now) const {
  // Summed in the order of the times: an unordered map has none of its own, and rounding depends on it.
  std::vector<double> ages;
  for (const auto& [vm, time] : last_) {
    ages.push_back(std::max(0.0, std::chrono::duration<double>(now - time).count()));
  }
  std::sort(ages.begin(), ages.end(), std::greater<>());
  double count = 0;
  for (const double age : ages) count += std::exp(-age / (24 * 3600));
  return count;
}

void Hold::count(const Round& round, double threshold_percent) {
  ++round_;
  for (const auto& host : round.hosts()) {
    auto found = counts_.find(std::string_view(host.host));
    const bool above = host.state == "up" && host.cpu_percent.value_or(0) > threshold_percent;
    if (found == counts_.end()) {
      if (!above) continue;
      found = counts_.emplace(host.host, Count{}).first;
    }
    Count& count = found->second;
    // A round without the host, or without its figures, breaks the row as well.
    count.rounds = !above ? 0 : count.seen == round_ - 1 ? count.rounds + 1 : 1;
    count.seen = round_;
  }
}

int Hold::rounds(std::string_view host) const {
  const auto found = counts_.find(host);
  return found != counts_.end() && found->second.seen == round_ ? found->second.rounds : 0;
}

std::int64_t promised_memory(const record::VmSample& vm) {
  return std::max(vm.memory_bytes.value_or(0), vm.memory_max_bytes.value_or(0));  // @rule 05-balloons: 0
}

bool active(const record::VmSample& vm) {
  return vm.domain_id.has_value() || vm.state == "running" || vm.state == "paused" ||
         vm.state == "suspended" || vm.state == "unknown";
}

}  // namespace rackline::capacity
