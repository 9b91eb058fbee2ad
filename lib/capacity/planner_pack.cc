// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <utility>

#include "base/id.h"
#include "base/joined.h"
#include "base/time.h"
#include "capacity/explain.h"
#include "capacity/outline.h"
#include "capacity/planner.h"
#include "plan/room.h"

namespace rackline::capacity {
namespace {

// In clusters above this, room is not made by moving others aside: there is enough to choose from.
constexpr int kMostHostsForAside = 64;

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

double burden(const plan::State& state, int bin) {
  double sum = 0;
  for (int r = 0; r < state.model().resources(); ++r) sum += state.share(bin, r);
  return sum;
}

// Hosts that could be emptied, the least loaded first: they cost the fewest moves, and what little they
// have finds a place most easily.
std::vector<int> least_loaded_first(const plan::State& state, const plan::Room& room) {
  std::vector<std::pair<double, int>> bins;
  for (int bin = 0; bin < state.model().bins(); ++bin) {
    const plan::BinState kind = state.model().state(bin);
    if ((kind != plan::BinState::kOpen && kind != plan::BinState::kClosed) || room.is_out(bin)) continue;
    bins.emplace_back(burden(state, bin), bin);
  }
  std::sort(bins.begin(), bins.end());
  std::vector<int> order;
  order.reserve(bins.size());
  for (const auto& [load, bin] : bins) order.push_back(bin);
  return order;
}

// Those of the hosts that are empty when all moves of the schedule are done.
std::vector<record::HostFreed> freed_by(const Cluster& cluster, const plan::State& before,
                                        const plan::Schedule& schedule, const std::set<int>& emptied) {
  std::vector<record::HostFreed> all;
  const plan::State done = carried_out(cluster.model, schedule);
  for (const int bin : emptied) {
    if (!done.items_on(bin).empty()) continue;
    record::HostFreed& freed = all.emplace_back();
    freed.host = cluster.host(bin);
    freed.moves = static_cast<std::int64_t>(before.items_on(bin).size());
    for (const plan::Move& move : schedule.moves) {
      if (move.from != bin) continue;
      freed.after_stage = std::max<std::int64_t>(freed.after_stage.value_or(0), move.stage);
    }
    freed.reason = freed.moves == 0 ? "it is empty" : "what it runs fits on the others, below the thresholds";
  }
  return all;
}

}  // namespace

Plan Planner::pack() {
  Plan plan;
  Question question = balance_question();
  question.stopped_too = true;
  const Cluster cluster = cluster_for(question);
  const plan::Model& model = cluster.model;
  plan::State state(model);
  const plan::State before = state;
  plan.left_out = left_out(cluster);
  plan.score_before = plan.score_after = state.score();
  plan.lower_bound = plan::lower_bound(state);

  plan::Room room(
      state, {.keep_spare = policy_.keep_spare, .fill = true, .aside = model.bins() <= kMostHostsForAside});
  const int without_spare = policy_.keep_spare ? state.bins_without_spare() : 0;
  const int most = std::min(policy_.max_moves, guard().most(cluster.running));
  std::string first_reason;  // why the next host is not freed
  bool too_many = false;
  std::set<int> emptied;
  const auto refuse = [&](int bin, const std::string& why) {
    if (first_reason.empty()) first_reason = cluster.host(bin) + ": " + why;
  };
  const auto free_one = [&](int bin) {
    const std::size_t mark = room.mark();
    int stuck = plan::kNowhere;
    if (!room.empty(bin, stuck)) {
      if (!first_reason.empty()) return false;
      const Explain explain(cluster, rules_, policy_);
      const std::string why = explain.no_place(state, stuck, room.out());
      refuse(bin, cluster.vm(stuck).name + " has no place elsewhere below the thresholds" +
                      (why.empty() ? "" : " (" + why + ")"));
      return false;
    }
    if (moved(state) > most) {
      too_many = true;
    } else if (!policy_.keep_spare || state.bins_without_spare(room.out()) <= without_spare) {
      return true;
    } else {
      refuse(bin, "without it, the virtual servers of a host that fails would no longer fit on the others");
    }
    room.back_to(mark);
    room.take_out(bin, false);
    return false;
  };
  // What is freed makes the others fuller, not emptier, but room that was made may be of use to an earlier
  // one: until a whole pass frees nothing, so that the next plan frees nothing either.
  for (bool progress = true; progress;) {
    progress = false;
    first_reason.clear();
    for (const int bin : least_loaded_first(state, room)) {
      if (!free_one(bin)) continue;
      if (!before.items_on(bin).empty()) progress = true;
      emptied.insert(bin);
    }
  }

  std::vector<std::string> reasons(index(model.items()));
  for (const int bin : emptied) {
    for (const int item : before.items_on(bin)) reasons[index(item)] = "frees " + cluster.host(bin);
  }
  for (const plan::Step& step : room.steps()) {
    std::string& reason = reasons[index(step.item)];
    if (reason.empty()) reason = makes_room(cluster, step);
  }
  const plan::Schedule schedule = schedule_of(state, room.steps(), policy_.caps, policy_.keep_spare);
  write_moves(cluster, schedule, "pack", reasons, plan);
  plan.doubts = dropped(cluster, schedule, Explain(cluster, rules_, policy_));

  plan.freed = freed_by(cluster, before, schedule, emptied);
  for (auto& freed : plan.freed) {
    if (!plan.moves.empty()) freed.cause = plan.moves.front().cause;
  }
  if (too_many) {
    plan.left_out.emplace_back(
        "more hosts could be freed by more moves: --max-change, --force or --max-moves");
  }
  if (plan.moves.empty() && !plan.doubts.empty()) {
    plan.none = none(before, joined_some(std::exchange(plan.doubts, {}), 3));
  } else if (plan.moves.empty()) {
    plan.none = none(state, first_reason.empty()
                                ? (too_many ? "the next host to be freed needs more moves than may be"
                                            : "there is no host to be freed; " + idle_reason(cluster))
                                : "no further host can be freed: " + first_reason);
  }
  return plan;
}

}  // namespace rackline::capacity
