// SPDX-License-Identifier: Apache-2.0
#include "usage/rounds.h"

#include <algorithm>
#include <map>
#include <utility>

namespace rackline::usage {

Rounds::Rounds(Wanted wanted) : metrics_(std::move(wanted.metrics)) {
  if (wanted.windows) watch_.emplace(*wanted.windows);
  if (!wanted.record.empty()) recording_.emplace(wanted.record, "capwatch");
  if (metrics_) page_.emplace(wanted.windows.value_or(WatchPolicy{}));
}

Watch::Round Rounds::end_round(const record::RoundEnd& end, Milliseconds at) {
  ++rounds_;
  tool_ = end.tool;
  Watch::Round round;
  if (watch_) round = watch_->end_round(at, end.time);
  fluctuations_ += std::count_if(round.fluctuations.begin(), round.fluctuations.end(),
                                 [](const auto& fluctuation) { return fluctuation.direction != "back"; });
  if (recording_) recording_->end_round(end);
  if (page_) {
    const auto add = [&](const auto& records) {
      for (const auto& record : records) page_->add(record);
    };
    add(round.hosts);
    add(round.vms);
    add(round.fluctuations);
    metrics_(page_->page(end));
  }
  return round;
}

void Rounds::end(record::Time time, const std::string& outcome) {
  if (!recording_) return;
  record::End end;
  end.time = time;
  end.tool = tool_;
  end.outcome = outcome;
  end.rounds = rounds_;
  recording_->end(end);
}

std::optional<std::int64_t> Rounds::fluctuations() const {
  return watch_ ? std::optional(fluctuations_) : std::nullopt;
}

void by_host(std::vector<record::HostSample>& hosts, std::vector<record::VmSample>& vms,
             const std::function<void(record::HostSample&)>& on_host,
             const std::function<void(record::VmSample&)>& on_vm) {
  std::map<std::string, std::vector<record::VmSample*>> of_host;
  for (auto& vm : vms) of_host[vm.host].push_back(&vm);
  for (auto& host : hosts) {
    const auto found = of_host.find(host.host);
    on_host(host);
    if (found == of_host.end()) continue;
    for (auto* vm : found->second) on_vm(*vm);
    of_host.erase(found);
  }
  for (auto& [host, rest] : of_host) {
    for (auto* vm : rest) on_vm(*vm);
  }
}

}  // namespace rackline::usage
