// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/id.h"
#include "base/time.h"
#include "capacity/explain.h"
#include "capacity/outline.h"
#include "capacity/planner.h"
#include "plan/room.h"

namespace rackline::capacity {
namespace {

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

// How many of those that are somewhere have moved; requests do not count.
int displaced(const plan::State& state) {
  int count = 0;
  for (int item = 0; item < state.model().items(); ++item) {
    const int start = state.model().start(item);
    count += start != plan::kNowhere && state.where(item) != start ? 1 : 0;
  }
  return count;
}

// Puts the items elsewhere than where they are, if anywhere, where nothing has to move for them. Why the
// others have no place.
std::map<int, std::string> place_as_it_is(plan::State& state, const std::vector<int>& items, bool keep_spare,
                                          const Explain& explain) {
  const int without_spare = state.bins_without_spare();
  std::map<int, std::string> why_not;
  for (const int item : items) {
    const int from = state.where(item);
    std::vector<std::pair<double, int>> choices;
    for (int bin = 0; bin < state.model().bins(); ++bin) {
      if (bin != from && state.admits(item, bin))
        choices.emplace_back(state.score_with_shift(item, bin), bin);
    }
    std::sort(choices.begin(), choices.end());
    for (const auto& [score, bin] : choices) {
      state.move(item, bin);
      if (!keep_spare || state.bins_without_spare() <= without_spare) break;
      state.move(item, from);
    }
    if (state.where(item) != from) continue;
    why_not[item] = choices.empty() ? explain.no_place(state, item)
                                    : explain.obstacle(state, item, choices.front().second,
                                                       {plan::Obstacle::Kind::kSpare, 0, 0});
  }
  return why_not;
}

}  // namespace

Plan Planner::place_as_ruled(bool by_moving) const {
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
  const plan::Model& model = cluster.model;
  plan::State state(model);
  const Explain explain(cluster, rules_, policy_);
  plan.left_out = left_out(cluster);
  plan.score_before = state.score();

  const int first = model.items() - static_cast<int>(question.requests.size());
  std::vector<int> items(question.requests.size());
  std::iota(items.begin(), items.end(), first);
  std::stable_sort(items.begin(), items.end(), [&](int a, int b) {
    return model.demand(a, kMemory).peak > model.demand(b, kMemory).peak;
  });
  std::map<int, std::string> why_not = place_as_it_is(state, items, policy_.keep_spare, explain);

  // Only for those that have no place as things are: nobody is moved for comfort here.
  if (by_moving && !why_not.empty()) {
    plan::Room room(state, {.keep_spare = policy_.keep_spare, .most_load = 1.0});
    const int most = std::min(policy_.max_moves, guard().most(cluster.running));
    std::map<int, std::string> still;
    for (const int item : items) {
      if (!why_not.contains(item)) continue;
      const std::size_t mark = room.mark();
      if (!room.settle(item, plan::Step::Why::kRepair)) {
        still[item] = why_not[item];
      } else if (displaced(state) > most) {
        room.back_to(mark);
        still[item] = why_not[item] + "; making room would move more virtual servers than may be moved";
      }
    }
    std::vector<plan::Step> steps;
    std::vector<std::string> reasons(index(model.items()));
    for (const plan::Step& step : room.steps()) {
      if (model.start(step.item) == plan::kNowhere) continue;
      steps.push_back(step);
      reasons[index(step.item)] = makes_room(cluster, step);
    }
    const plan::Schedule schedule = schedule_of(state, steps, policy_.caps, policy_.keep_spare);
    // A request that was placed in between may be what another one depends on, and is not there yet when the
    // moves are made: then there is no such plan.
    if (!schedule.blocked.empty()) return place_as_ruled(false);
    write_moves(cluster, schedule, "place", reasons, plan);
    why_not = std::move(still);
  }

  std::map<std::string, int> item_of;
  for (const int item : items) item_of[cluster.vm(item).name] = item;
  for (const auto& request : requests_) {
    const auto known = item_of.find(request.vm);
    const int item = known == item_of.end() ? plan::kNowhere : known->second;
    if (const auto refused = why_not.find(item); refused != why_not.end()) {
      record::VmUnplaced& unplaced = plan.unplaced.emplace_back();
      unplaced.vm = request.vm;
      unplaced.reason = refused->second;
      continue;
    }
    record::VmPlace& place = plan.places.emplace_back();
    place.vm = request.vm;
    place.memory_bytes = request.memory_bytes;
    if (const auto there = present.find(request.vm); there != present.end()) {
      place.host = there->second;
      place.reason = "it is there already";
    } else {
      place.host = cluster.host(state.where(item));
      place.reason = "then " + explain.load(state, state.where(item));
      // The moves take the room that the placed ones leave, so these come when all of them are done.
      if (!plan.moves.empty()) place.after_stage = plan.moves.back().stage;
    }
    place.id = derived_id({"vm_place", format_time(closed_.time), place.vm, place.host});
  }
  plan.score_after = state.score();
  plan.lower_bound = plan::lower_bound(state);
  return plan;
}

Plan Planner::away(const std::string& vm, const std::string& from) const {
  Question question;
  question.stopped_too = true;
  question.unmeasured_too = true;
  const Cluster cluster = cluster_for(question);
  int item = 0;
  while (item < cluster.model.items() &&
         (cluster.vm(item).name != vm || cluster.host(cluster.model.start(item)) != from))
    ++item;
  if (item == cluster.model.items())
    throw Error(Status::kNo, "find another host", vm, "it is not seen on " + from);
  plan::State state(cluster.model);
  const Explain explain(cluster, rules_, policy_);
  Plan plan;
  plan.left_out = left_out(cluster);
  // A spare fewer is no reason to keep it where it is not to be, as when its host is emptied.
  const auto why_not = place_as_it_is(state, {item}, false, explain);
  if (!why_not.empty()) {
    record::VmUnplaced& unplaced = plan.unplaced.emplace_back();
    unplaced.vm = vm;
    unplaced.host = from;
    unplaced.reason = why_not.at(item);
    return plan;
  }
  record::VmPlace& place = plan.places.emplace_back();
  place.vm = vm;
  place.host = cluster.host(state.where(item));
  place.reason = "then " + explain.load(state, state.where(item));
  return plan;
}

}  // namespace rackline::capacity
