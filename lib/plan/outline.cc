// SPDX-License-Identifier: Apache-2.0
#include "plan/outline.h"

#include <utility>

namespace rackline::plan {
namespace {

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

std::vector<int> placement(const State& state) {
  std::vector<int> where(index(state.model().items()));
  for (int item = 0; item < state.model().items(); ++item) where[index(item)] = state.where(item);
  return where;
}

}  // namespace

std::string joined(const std::vector<std::string>& texts, const char* between) {
  std::string text;
  for (const auto& part : texts) text += (text.empty() ? "" : between) + part;
  return text;
}

std::vector<std::string> left_out(const Cluster& cluster) {
  std::vector<std::string> hosts;
  for (const auto& host : cluster.hosts) {
    if (!host.frozen.empty()) hosts.push_back(host.name + " is left out: " + host.frozen);
  }
  return hosts;
}

Schedule schedule_of(const State& result, const std::vector<Step>& steps, const Policy& policy,
                     bool keep_spare) {
  std::vector<int> first;
  first.reserve(steps.size());
  for (const Step& step : steps) first.push_back(step.item);
  Schedule net = order(result.model(), placement(result), policy.caps, keep_spare, first);
  if (net.blocked.empty()) return net;
  Schedule walked = stage(result.model(), steps, policy.caps, keep_spare);
  return walked.blocked.size() < net.blocked.size() ? walked : net;
}

int moved(const State& state) {
  int count = 0;
  for (int item = 0; item < state.model().items(); ++item) {
    count += state.where(item) != state.model().start(item) ? 1 : 0;
  }
  return count;
}

}  // namespace rackline::plan
