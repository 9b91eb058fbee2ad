// SPDX-License-Identifier: Apache-2.0
#include "capacity/outline.h"

#include <algorithm>
#include <utility>

namespace rackline::capacity {
std::vector<std::string> left_out(const Cluster& cluster) {
  std::vector<std::string> hosts;
  for (const auto& host : cluster.hosts) {
    if (!host.frozen.empty()) hosts.push_back(host.name + " is left out: " + host.frozen);
  }
  return hosts;
}

std::vector<HostOutlook> outlook(const Cluster& cluster, const plan::State& before,
                                 const plan::State& after) {
  const auto running = [&](const plan::State& state, int bin) {
    return static_cast<int>(std::count_if(state.items_on(bin).begin(), state.items_on(bin).end(),
                                          [&](int item) { return cluster.vm(item).live; }));
  };
  std::vector<HostOutlook> hosts;
  for (int bin = 0; bin < cluster.model.bins(); ++bin) {
    HostOutlook host;
    host.host = cluster.host(bin);
    host.vms_before = running(before, bin);
    host.vms_after = running(after, bin);
    const auto percent = [&](const plan::State& state, int r) -> record::Number {
      if (cluster.model.supply(bin, r).size <= 0) return std::nullopt;
      return 100 * state.share(bin, r);
    };
    host.cpu_before = percent(before, kCpu);
    host.cpu_after = percent(after, kCpu);
    host.memory_before = percent(before, kMemory);
    host.memory_after = percent(after, kMemory);
    hosts.push_back(std::move(host));
  }
  return hosts;
}

std::vector<std::string> dropped(const Cluster& cluster, const plan::Schedule& schedule,
                                 const Explain& explain) {
  std::vector<std::string> texts;
  if (schedule.blocked.empty()) return texts;
  const plan::State done = carried_out(cluster.model, schedule);
  for (const plan::Blocked& blocked : schedule.blocked) {
    texts.push_back(explain.blocked(done, blocked.item, blocked.to, blocked.why));
  }
  return texts;
}

std::string makes_room(const Cluster& cluster, const plan::Step& step) {
  return "makes room on " + cluster.host(step.from) + " for " + cluster.vm(step.because).name;
}

}  // namespace rackline::capacity
