// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/id.h"
#include "base/time.h"
#include "plan/explain.h"
#include "plan/outline.h"
#include "plan/planner.h"

namespace rackline::plan {
Plan Planner::place() {
  Plan plan;
  Question question;
  std::map<std::string_view, std::string_view> present;
  for (const auto& vm : closed_.vms()) present.emplace(vm.vm, vm.host);
  std::set<std::string_view> asked;
  for (const auto& request : requests_) {
    if (present.contains(request.vm) || !asked.insert(request.vm).second) continue;
    question.requests.push_back(request);
  }
  question.stopped_too = true;
  const Cluster cluster = cluster_for(question);
  const Model& model = cluster.model;
  State state(model);
  const Explain explain(cluster, rules_, policy_);
  plan.left_out = left_out(cluster);
  plan.score_before = state.score();

  const int first = model.items() - static_cast<int>(question.requests.size());
  std::vector<int> items(question.requests.size());
  std::iota(items.begin(), items.end(), first);
  std::stable_sort(items.begin(), items.end(), [&](int a, int b) {
    return model.demand(a, kMemory).peak > model.demand(b, kMemory).peak;
  });
  const int without_spare = state.bins_without_spare();
  std::map<std::string, std::string> why_not;
  std::map<std::string, int> host_of;
  for (const int item : items) {
    std::vector<std::pair<double, int>> choices;
    for (int bin = 0; bin < model.bins(); ++bin) {
      if (state.admits(item, bin)) choices.emplace_back(state.score_with_shift(item, bin), bin);
    }
    std::sort(choices.begin(), choices.end());
    for (const auto& [score, bin] : choices) {
      state.move(item, bin);
      if (!policy_.keep_spare || state.bins_without_spare() <= without_spare) break;
      state.move(item, kNowhere);
    }
    const std::string& name = cluster.vm(item).name;
    if (state.where(item) != kNowhere) {
      host_of[name] = state.where(item);
    } else {
      why_not[name] = choices.empty() ? explain.no_place(state, item)
                                      : explain.obstacle(state, item, choices.front().second,
                                                         {Obstacle::Kind::kSpare, 0, 0});
    }
  }

  const std::string time = format_time(closed_.time);
  for (const auto& request : requests_) {
    if (const auto refused = why_not.find(request.vm); refused != why_not.end()) {
      record::VmUnplaced unplaced;
      unplaced.vm = request.vm;
      unplaced.reason = refused->second;
      plan.unplaced.push_back(std::move(unplaced));
      continue;
    }
    record::VmPlace place;
    place.vm = request.vm;
    place.memory_bytes = request.memory_bytes;
    if (const auto there = present.find(request.vm); there != present.end()) {
      place.host = there->second;
      place.reason = "it is there already";
    } else {
      place.host = cluster.host(host_of.at(request.vm));
      place.reason = "then " + explain.load(state, host_of.at(request.vm));
    }
    place.id = derived_id({"vm_place", time, place.vm, place.host});
    plan.places.push_back(std::move(place));
  }
  plan.score_after = state.score();
  plan.lower_bound = lower_bound(state);
  return plan;
}

}  // namespace rackline::plan
