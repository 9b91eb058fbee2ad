// SPDX-License-Identifier: Apache-2.0
// Which start comes when.
#include <algorithm>
#include <tuple>

#include "failover/recovery_run.h"

namespace rackline::failover {

// Higher priorities first, then names; what others wait for inherits their priority.
void RecoveryRun::order() {
  std::map<std::string, std::int64_t> priority;
  std::map<std::string, int> depth;
  for (const Job& job : jobs_) priority[job.verdict.vm.vm] = job.verdict.vm.priority;
  // A chain is no longer than the number of jobs.
  for (std::size_t round = 0; round < jobs_.size(); ++round) {
    bool changed = false;
    for (const Job& job : jobs_) {
      for (const auto& before : job.verdict.vm.after) {
        const auto found = priority.find(before);
        if (found == priority.end()) continue;
        const auto mine = priority[job.verdict.vm.vm];
        if (found->second < mine) found->second = mine, changed = true;
        if (depth[job.verdict.vm.vm] <= depth[before])
          depth[job.verdict.vm.vm] = depth[before] + 1, changed = true;
      }
    }
    if (!changed) break;
  }
  const auto rank = [&](const Job& job) {
    const std::string& vm = job.verdict.vm.vm;
    return std::tuple(-priority[vm], depth[vm], vm);
  };
  std::sort(jobs_.begin(), jobs_.end(), [&](const Job& a, const Job& b) { return rank(a) < rank(b); });
}

std::string RecoveryRun::dependency(const Job& job, bool& wait) const {
  for (const auto& before : job.verdict.vm.after) {
    const auto other = std::find_if(jobs_.begin(), jobs_.end(),
                                    [&before](const Job& j) { return j.verdict.vm.vm == before; });
    if (other != jobs_.end()) {
      wait = wait || other->state != Job::State::kOver;
      if (other->state != Job::State::kOver || other->runs) continue;
      return before + ", which has to run before it, does not run";
    }
    const auto known = std::find_if(situation_.vms.begin(), situation_.vms.end(),
                                    [&before](const Protected& vm) { return vm.vm == before; });
    if (known != situation_.vms.end() && !known->running) continue;  // it was stopped before all this
    bool runs = false;
    for (const auto& [name, host] : situation_.view.hosts) {
      runs = runs || std::any_of(host.vms.begin(), host.vms.end(), [&before](const record::VmSample& vm) {
               return vm.vm == before && vm.state == "running";
             });
    }
    if (!runs) return before + ", which has to run before it, is not seen running";
  }
  return {};
}

bool RecoveryRun::room_on(const std::string& host) const {
  int all = static_cast<int>(world_.under_way.size());
  int there = static_cast<int>(std::count_if(world_.under_way.begin(), world_.under_way.end(),
                                             [&host](const Start& start) { return start.second == host; }));
  for (const Job& job : jobs_) {
    if (job.state != Job::State::kRunning) continue;
    ++all;
    there += job.to == host ? 1 : 0;
  }
  return all < world_.policy.max_total &&     // @rule 08-starts
         there < world_.policy.max_per_host;  // @rule 08-starts-of-a-host
}

}  // namespace rackline::failover
