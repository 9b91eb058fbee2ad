// SPDX-License-Identifier: Apache-2.0
// balance() by the score of hbal.
#include <algorithm>
#include <utility>

#include "base/joined.h"
#include "capacity/evenness.h"
#include "capacity/explain.h"
#include "capacity/outline.h"
#include "capacity/planner.h"

namespace rackline::capacity {
namespace {

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

// What is elsewhere, as a step each.
std::vector<plan::Step> net_steps(const plan::State& before, const plan::State& after) {
  std::vector<plan::Step> steps;
  for (int item = 0; item < before.model().items(); ++item) {
    if (before.where(item) != after.where(item))
      steps.push_back({item, before.where(item), after.where(item)});
  }
  return steps;
}

}  // namespace

Plan Planner::even_out() {
  Plan plan;
  Question question;
  question.promises_only = true;
  question.held_vm = balance_question().held_vm;
  for (const auto& host : closed_.hosts()) {
    if (host.drained.value_or(false)) question.leaving.push_back(host.host);
  }
  const Cluster cluster = cluster_for(question);
  const plan::Model& model = cluster.model;
  plan::State state(model);
  const plan::State before = state;
  const Explain explain(cluster, rules_, policy_);
  std::vector<bool> measured;
  for (const auto& vm : cluster.vms)
    measured.push_back(vm.sample != nullptr && vm.sample->cpu_cores.has_value());
  const Evenness evenness(model, policy_.even_weights, measured);
  plan.left_out = left_out(cluster);
  plan.score_before = plan.score_after = evenness.of(state);
  const auto none = [&](std::string reason) {
    plan.none = this->none(before, std::move(reason));
    plan.none->score = plan.score_before;
    plan.none->lower_bound = 0;
    return plan;
  };
  if (std::string waiting = waiting_for(); !waiting.empty()) return none(std::move(waiting));
  under_way_.clear();

  const auto wanted = [&explain](const plan::Violation& v) {
    return v.kind == plan::Violation::Kind::kLeaving || explain.may_be_mended(v);
  };
  std::vector<plan::Violation> broken = state.violations();
  std::erase_if(broken, [&](const plan::Violation& v) { return !wanted(v); });
  const std::vector<plan::Step> repairs = repair(state, limits(), wanted).steps;
  EvenLimits even;
  even.max_moves = std::min(policy_.max_moves, std::max(guard().most(cluster.running), moved(state)));
  even.keep_spare = policy_.keep_spare;
  even.least_gain = policy_.least_gain / static_cast<double>(std::max<std::size_t>(1, cluster.hosts.size()));
  even.budget = policy_.budget;
  capacity::even_out(state, evenness, even);
  if (moved(state) == 0) {
    std::string reason = "no move is allowed and lowers the score enough";
    if (policy_.keep_spare) {
      plan::State free = before;
      even.keep_spare = false;
      capacity::even_out(free, evenness, even);
      const std::string spare = spare_forbids(cluster, before, explain, net_steps(before, free));
      if (!spare.empty()) reason += "; " + spare;
    }
    return none(std::move(reason));
  }
  guard().check(moved(state), cluster.running);

  std::vector<int> target(index(model.items()));
  std::vector<int> first;
  for (const plan::Step& step : repairs) first.push_back(step.item);
  for (int item = 0; item < model.items(); ++item) target[index(item)] = state.where(item);
  const plan::Schedule schedule = order(model, target, policy_.caps, policy_.keep_spare, first);
  plan.doubts = dropped(cluster, schedule, explain);
  if (schedule.moves.empty()) return none(joined_some(std::exchange(plan.doubts, {}), 3));
  std::vector<std::string> reasons(index(model.items()));
  for (int item = 0; item < model.items(); ++item) {
    if (target[index(item)] == model.start(item)) continue;
    std::string& reason = reasons[index(item)];
    for (const plan::Violation& violation : broken) {
      if (!reason.empty()) break;
      if (violation.kind == plan::Violation::Kind::kLeaving) {
        if (violation.which == item) reason = cluster.host(violation.bin) + " is drained";
      } else if (explain.concerns(before, violation, item)) {
        reason = explain.violation(before, violation);
      }
    }
    if (reason.empty()) {
      reason = "evens out " + cluster.host(model.start(item)) + ", " + cluster.host(target[index(item)]);
    }
  }
  write_moves(cluster, schedule, "balance", reasons, plan,
              [&evenness](const plan::State& then) { return evenness.of(then); });
  remember(plan);
  return plan;
}

}  // namespace rackline::capacity
