// SPDX-License-Identifier: Apache-2.0
// What would happen if a host died now.
#include <algorithm>

#include "base/error.h"
#include "failover/recovery.h"
#include "failover/standing.h"
#include "failover/unprotected.h"

namespace rackline::failover {
namespace {

using What = act::Outcome;

}  // namespace

void Recovery::drill(const std::string& host) {
  if (!hosts_.contains(host)) throw Error(Status::kUsage, "drill", host, "it is not in the inventory");
  drill(situation(), host);
}

void Recovery::drill(Situation now, const std::string& host) {
  cluster::FenceMark fence;
  fence.host = host;
  fence.id = "drill-" + host;
  fence.method = "drill";
  // As it would be by then: those that run there now are its own.
  for (auto& vm : now.vms) {
    const auto active = now.view.active_on(vm.uuid);
    if (active.size() != 1) continue;
    vm.host = active.front();
    vm.running = !vm.stay_off;
  }
  now.marks[host] = fence;
  now.intents.clear();
  now.view.hosts.erase(host);
  now.fences = {fence};
  accepted_[fence.id] = clock_.monotonic();
  work(std::move(now), nullptr);
}

void Recovery::drill_all(const std::function<void(const record::HostDrill&)>& each) {
  const Situation now = situation();
  // Of those that would run, and of what a second death would do after the first, there is too much to tell.
  const Hooks spoken = hooks_;
  hooks_.restarted = [](const record::VmRestarted&) {};
  hooks_.warn = hooks_.call_person = [](const std::string&) {};
  const auto unprotected = unprotected_vms(now.view, now.vms, standing_rule(store_));
  for (const auto& host : inventory_) {
    record::HostDrill result;
    result.host = host;
    result.planned = true;
    if (now.fenced(host)) {
      result.outcome = "fenced";
      each(result);
      continue;
    }
    drill(now, host);
    std::int64_t restarted = 0, unplaced = 0, pinned = 0, refused = 0;
    std::vector<std::string> without;
    for (const auto& [key, outcome] : told_) {
      if (key.first != "drill-" + host) continue;
      if (outcome.what == What::kDone || outcome.what == What::kAlready) {
        ++restarted;
        continue;
      }
      ++(outcome.what == What::kRefused && !outcome.unplaced ? refused : unplaced);
      const std::string& name = key.second;
      const auto vm = std::find_if(now.vms.begin(), now.vms.end(),
                                   [&name](const Protected& known) { return known.vm == name; });
      if (vm != now.vms.end() && vm->pinned) ++pinned;
      if (without.empty()) result.reason = name + ": " + outcome.reason;
      without.push_back(name);
    }
    result.outcome = unplaced > 0 ? "hurts" : refused > 0 ? "refused" : "ok";
    result.vms = restarted + unplaced + refused;
    result.restarted = restarted;
    result.unplaced = unplaced;
    result.pinned = pinned;
    result.refused = refused;
    result.unprotected = std::count_if(unprotected.begin(), unprotected.end(),
                                       [&host](const auto& vm) { return vm.host == host; });
    if (!without.empty()) result.without_place = without;
    each(result);
  }
  hooks_ = spoken;
}

}  // namespace rackline::failover
