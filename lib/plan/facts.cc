// SPDX-License-Identifier: Apache-2.0
#include "plan/facts.h"

#include <algorithm>

#include "base/error.h"

namespace rackline::plan {

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
  const bool of_hosts = rule.rule == "pin" || rule.rule == "exclude";
  if (!of_hosts && rule.rule != "anti_affinity" && rule.rule != "spread") {
    refuse("there is no such rule; the rules are anti_affinity, spread, pin and exclude");
  }
  if (of_hosts && (!rule.hosts || rule.hosts->empty())) refuse("it needs a list of hosts");
  const bool known = std::any_of(rules_.begin(), rules_.end(), [&](const auto& other) {
    return other.rule == rule.rule && other.vms == rule.vms && other.hosts == rule.hosts;
  });
  if (!known) rules_.push_back(rule);
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
  return found != last_.end() && now - found->second < cooldown;
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

bool active(const record::VmSample& vm) {
  return vm.domain_id.has_value() || vm.state == "running" || vm.state == "paused" ||
         vm.state == "suspended" || vm.state == "unknown";
}

}  // namespace rackline::plan
