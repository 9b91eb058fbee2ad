// SPDX-License-Identifier: Apache-2.0
// What a person says once and what holds from then on: the standing rule, and whether one is to run.
#include <algorithm>

#include "base/error.h"
#include "cluster/marks.h"
#include "failover/keep.h"
#include "failover/protect.h"

namespace rackline::failover {
namespace {

Error changed(const std::string& what) {
  return {Status::kBusy, "store", what, "somebody else has just changed it"};
}

}  // namespace

void Protector::say(const StandingRule& rule) {
  if (!hooks_.ruled) return;
  auto record = record_of(rule);
  if (dry_run_) record.planned = true;
  hooks_.ruled(record);
}

void Protector::rule(const Wishes& wishes) {
  const auto before = standing_rule(store_);
  if (!*wishes.standing) {
    if (before && !dry_run_ && !remove(store_, *before)) throw changed("the standing rule");
    if (!hooks_.ruled) return;
    record::ProtectionRule record;
    record.state = "off";
    if (dry_run_) record.planned = true;
    hooks_.ruled(record);
    return;
  }
  StandingRule rule = before.value_or(StandingRule{});
  if (!before) {
    rule.by = wishes.by;
    rule.since = clock_.wall();
  }
  rule.except.insert(wishes.except.begin(), wishes.except.end());
  // First: what a crash leaves undone the next refresh does.
  if (!dry_run_ && !put(store_, rule)) throw changed("the standing rule");
  say(rule);
}

// One that a person took out is not taken in again by a rule.
void Protector::leave_out(const std::string& vm) {
  auto rule = standing_rule(store_);
  if (!rule || !rule->except.insert(vm).second) return;
  if (!put(store_, *rule)) throw changed("the standing rule");
  say(*rule);
}

void Protector::take_in(const std::vector<std::string>& vms) {
  auto rule = standing_rule(store_);
  if (!rule || dry_run_) return;
  std::size_t gone = 0;
  for (const auto& vm : vms) gone += rule->except.erase(vm);
  if (gone == 0) return;
  if (!put(store_, *rule)) throw changed("the standing rule");
  say(*rule);
}

Status Protector::take_new(const View& view) {
  const auto rule = standing_rule(store_);
  if (!rule) return Status::kDone;
  std::set<std::string> known;
  for (const auto& vm : protected_vms(store_)) known.insert(vm.vm);
  View serving = view;
  std::erase_if(serving.hosts,
                [this](const auto& host) { return cluster::fence_mark(store_, host.first).has_value(); });
  const bool all_answer = std::all_of(serving.hosts.begin(), serving.hosts.end(),
                                      [](const auto& host) { return host.second.answered; });
  Fitness fitness(hosts_, serving, cluster_, timeout_);
  Status status = Status::kDone;
  std::set<std::string> hung;
  for (const auto& [name, host] : serving.hosts) {
    for (const auto& vm : host.vms) {
      if (rule->except.contains(vm.vm)) continue;
      // A definition alone may be a stale one: it may run where nobody answers.
      if (vm.state == "shutoff" && !all_answer) continue;  // @rule 01-off-beside-a-silent-host
      if (!known.insert(vm.vm).second) continue;
      try {
        const auto found = find(serving, vm.vm, "");
        if (!found || hung.contains(found->host)) continue;
        const Protected now = described(*found, std::nullopt, fitness);
        store_it(now);
        tell_pinned(now);
        complained_.erase(vm.vm);
      } catch (const Error& error) {
        if (error.status() == Status::kTimeout) hung.insert(name);
        // On two hosts it is for a moment when it is being moved.
        if (error.status() == Status::kRefused || !complained_.insert(vm.vm).second) continue;
        complain(vm.vm, error);
        grave(status, error.status());
      }
    }
  }
  return status;
}

Status Protector::want(const std::string& name, bool running) {
  auto vm = protected_vm(store_, name);
  if (!vm) throw Error(Status::kNo, "want", name, "it is not protected");
  if (!running && has_open_restart(name))
    throw Error(Status::kRefused, "want", name, "a restart of it has no result",
                "run failover --resume first");
  vm->stay_off = !running;
  vm->running = running;
  auto record = record_of(*vm);
  if (dry_run_) {
    record.planned = true;
  } else {
    if (!put(store_, *vm)) throw changed(name);
    forget_starts(store_, name);
  }
  hooks_.stored(record);
  return Status::kDone;
}

}  // namespace rackline::failover
