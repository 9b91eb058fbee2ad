// SPDX-License-Identifier: Apache-2.0
#include "capacity/planner.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/id.h"
#include "base/joined.h"
#include "base/time.h"
#include "capacity/explain.h"
#include "capacity/outline.h"

namespace rackline::capacity {
namespace {

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

}  // namespace

void Planner::close(record::Time time) {
  open_.time = time;
  if (open_.time == record::Time{}) {
    for (const auto& host : open_.hosts()) open_.time = std::max(open_.time, host.time);
    for (const auto& vm : open_.vms()) open_.time = std::max(open_.time, vm.time);
  }
  before_ = closed_.time;
  std::swap(open_, closed_);
  open_.clear();
  hold_.count(closed_, policy_.threshold_percent);
  if (policy_.clock_is_speed) speeds_.learn(closed_);
  usage_.count(closed_, policy_.threshold_percent, speeds_);
}

plan::SearchLimits Planner::limits() const {
  plan::SearchLimits limits;
  limits.max_moves = policy_.max_moves;
  limits.keep_spare = policy_.keep_spare;
  limits.seed = policy_.seed;
  limits.swap_only_overloaded = true;
  return limits;
}

Cluster Planner::cluster_for(const Question& question) const {
  Question whole = question;
  whole.closed = closed_hosts_;
  whole.speeds = &speeds_;
  for (const auto& [id, reservation] : reservations_) {
    if (!reservation.until || *reservation.until > closed_.time) whole.reservations.push_back(reservation);
  }
  return make_cluster(closed_, rules_, policy_, whole);
}

bool Planner::spike(const record::HostSample& host) const {
  const int rounds = hold_.rounds(host.host);
  return rounds > 0 && rounds < policy_.hold.value_or(1);
}

Question Planner::balance_question() const {
  Question question;
  question.held_vm = [this](const record::VmSample& vm) {
    return history_.cooling(vm, closed_.time, policy_.cooldown) ? "it has moved lately" : "";
  };
  question.held_host = [this](const record::HostSample& host) -> std::string {
    if (!spike(host)) return {};
    return "its cpu " + percent_text(hold_.percent(host.host)) + " > " +
           percent_text(policy_.threshold_percent) + " has lasted for " +
           std::to_string(hold_.rounds(host.host)) + " of " + std::to_string(policy_.hold.value_or(1)) +
           " rounds";
  };
  return question;
}

Planner::Trigger Planner::trigger(const plan::State& state, const Explain& explain) const {
  Trigger found;
  for (int bin = 0; bin < state.model().bins(); ++bin) {
    const plan::BinState bin_state = state.model().state(bin);
    if (bin_state != plan::BinState::kOpen && bin_state != plan::BinState::kClosed) continue;
    if (std::string why = explain.overload(state, bin); !why.empty()) {
      found.overloaded.push_back(bin);
      found.reasons.push_back(std::move(why));
    }
  }
  found.violations = state.violations();
  std::erase_if(found.violations, [&explain](const plan::Violation& v) { return !explain.may_be_mended(v); });
  for (const plan::Violation& violation : found.violations) {
    found.reasons.push_back(explain.violation(state, violation));
  }
  if (state.score_of_imbalance() > policy_.imbalance) {
    found.imbalanced = true;
    found.reasons.emplace_back("the load is uneven");
  }
  return found;
}

bool Planner::judged(const Cluster::HostState& host) const {
  return host.frozen.empty() || (host.sample != nullptr && spike(*host.sample));
}

std::string Planner::idle_reason(const Cluster& cluster) const {
  std::vector<std::string> reasons;
  std::vector<std::string> unknown;
  for (const auto& host : cluster.hosts) {
    if (host.frozen.empty()) continue;
    (judged(host) ? reasons : unknown).push_back(host.name + ": " + host.frozen);
  }
  if (unknown.size() == cluster.hosts.size()) {
    reasons.emplace_back("no host can be judged");
  } else if (reasons.empty()) {
    reasons.push_back((unknown.empty() ? "no host is above " : "no host that can be judged is above ") +
                      percent_text(policy_.threshold_percent) + " cpu or " +
                      percent_text(policy_.memory_threshold_percent) + " memory");
  }
  if (!unknown.empty()) {
    reasons.push_back(std::to_string(unknown.size()) + " left out: " + unknown.front() +
                      (unknown.size() > 1 ? ", ..." : ""));
  }
  return joined(reasons, "; ");
}

record::NoBeneficialMove Planner::none(const plan::State& state, std::string reason) const {
  record::NoBeneficialMove record;
  record.reason = std::move(reason);
  record.score = state.score();
  record.lower_bound = plan::lower_bound(state);
  return record;
}

std::string Planner::waiting_for() const {
  return under_way_.waiting_for(
      before_, closed_.time, policy_.cooldown, [&](const decide::UnderWay::Move& move) {
        return std::any_of(closed_.vms().begin(), closed_.vms().end(), [&](const auto& vm) {
          return active(vm) && vm.host == move.target && (vm.vm == move.key || identity(vm) == move.key);
        });
      });
}

std::vector<plan::Step> Planner::mend_and_balance(plan::State& state, const Explain& explain,
                                                  const plan::SearchLimits& limits) const {
  // A repair may overload a host, and a better balance make room for a repair: until neither has anything to
  // do, so that the next plan has nothing to do either.
  std::vector<plan::Step> steps;
  for (bool progress = true; progress;) {
    const std::size_t done = steps.size();
    const auto append = [&steps](const std::vector<plan::Step>& more) {
      steps.insert(steps.end(), more.begin(), more.end());
    };
    append(repair(state, limits, [&explain](const plan::Violation& v) {
             return explain.may_be_mended(v);
           }).steps);
    const Trigger now = trigger(state, explain);
    plan::SearchLimits relief = limits;
    relief.shift_only_overloaded = !now.imbalanced;  // @rule 06-relief-only: false
    // @rule 06-threshold: true
    if (!now.overloaded.empty() || now.imbalanced) append(improve(state, relief));
    progress = steps.size() > done;
  }
  return steps;
}

// Of steps that would help if no spare was kept: which of them takes it, and whose. Empty if none does.
std::string Planner::spare_forbids(const Cluster& cluster, const plan::State& before, const Explain& explain,
                                   const std::vector<plan::Step>& without) const {
  if (!policy_.keep_spare) return {};
  plan::State state = before;
  const int allowed = state.bins_without_spare();
  const auto told = [&](const plan::Step& step) {
    int lost = 0;
    while (lost < state.model().bins() && (!before.has_spare(lost) || state.has_spare(lost))) ++lost;
    const std::string what = cluster.vm(step.item).name + " could go to " + cluster.host(step.to);
    if (lost == state.model().bins())
      return what + ", but then " +
             explain.obstacle(state, step.item, step.to, {plan::Obstacle::Kind::kSpare});
    return what + ", but " + (state.in_flight(step.item) ? "while it is on its way" : "then") + ", if " +
           cluster.host(lost) + " failed, its virtual servers would not fit on the others (N+1; " +
           "--spare ignore leaves that out)";
  };
  for (const plan::Step& step : without) {
    if (!state.admits(step.item, step.to)) return {};
    state.depart(step.item, step.to);
    if (state.bins_without_spare() > allowed) return told(step);
    state.arrive(step.item);
    if (state.bins_without_spare() > allowed) return told(step);
  }
  return {};
}

// What the hosts of the move are expected to be loaded with when the plan is done: "; then h1 cpu 60% memory
// 41%, h2 cpu 35% memory 40%". What is promised, by which hbal goes, is no load.
std::string Planner::expected(const Cluster& cluster, const plan::State& after,
                              const plan::Move& move) const {
  if (policy_.objective == Objective::kGaneti) return {};
  const Explain explain(cluster, rules_, policy_);
  const bool emptied = cluster.model.state(move.from) == plan::BinState::kLeaving;
  return "; then " + (emptied ? "" : explain.load(after, move.from) + ", ") + explain.load(after, move.to);
}

void Planner::write_moves(const Cluster& cluster, const plan::Schedule& schedule, const std::string& verb,
                          const std::vector<std::string>& reasons, Plan& plan,
                          const std::function<double(const plan::State&)>& score) const {
  const auto scored = [&score](const plan::State& state) { return score ? score(state) : state.score(); };
  const std::string time = format_time(closed_.time);
  plan::State state(cluster.model);
  const plan::State after = carried_out(cluster.model, schedule);
  std::vector<bool> on_its_way(index(cluster.model.items()), false);
  for (const plan::Move& move : schedule.moves) {
    const record::VmSample& vm = *cluster.vm(move.item).sample;
    record::VmMove record;
    record.vm = vm.vm;
    // What incarnation it will be after a stop on its way is not known yet, so none is claimed: without one
    // the actor does not compare, and refuses anyhow if the first leg was not done.
    if (!on_its_way[index(move.item)]) {
      record.uuid = vm.uuid;
      record.domain_id = vm.domain_id;
    }
    record.from = cluster.host(move.from);
    record.to = cluster.host(move.to);
    record.stage = move.stage;
    record.memory_bytes = active(vm) ? promised_memory(vm) : 0;
    record.reason = move.aside ? "on its way, as there is no room at its target yet: " : "";
    record.reason += reasons[index(move.item)] + expected(cluster, after, move);
    record.score_before = plan.moves.empty() ? scored(state) : plan.moves.back().score_after;
    state.move(move.item, move.to);
    record.score_after = scored(state);
    const std::string incarnation = vm.domain_id ? std::to_string(*vm.domain_id) : "";
    record.id =
        derived_id({"vm_move", time, vm.vm, vm.uuid.value_or(""), incarnation, record.from, record.to});
    on_its_way[index(move.item)] = true;
    plan.moves.push_back(std::move(record));
  }
  std::vector<std::string_view> facts{"capplan", verb, time};
  for (const auto& move : plan.moves) facts.push_back(move.id);
  const std::string cause = derived_id(facts);
  for (auto& move : plan.moves) {
    const std::string known = cause_of(move);
    move.cause = known.empty() ? cause : known;
  }
  plan.score_after = scored(state);
  if (!plan.moves.empty()) plan.outlook = outlook(cluster, plan::State(cluster.model), state);
}

void Planner::remember(const Plan& plan) {
  for (const auto& move : plan.moves) {
    const std::string vm = move.uuid.value_or(move.vm);
    history_.add(vm, closed_.time);  // @rule 06-own-moves-remembered
    // The second leg of a way round tells no UUID.
    under_way_.add({vm, move.vm, move.to}, closed_.time, [&](const decide::UnderWay::Move& earlier) {
      return earlier.key == vm || (!move.uuid && earlier.name == move.vm && earlier.target == move.from);
    });
  }
}

Plan Planner::balance_as_ruled() {
  if (policy_.objective == Objective::kGaneti) return even_out();
  Plan plan;
  const Cluster cluster = cluster_for(balance_question());
  plan::State state(cluster.model);
  const plan::State before = state;
  const Explain explain(cluster, rules_, policy_);
  plan.left_out = left_out(cluster);
  plan.score_before = plan.score_after = state.score();
  plan.lower_bound = plan::lower_bound(state);

  if (const std::string waiting = waiting_for(); !waiting.empty()) {  // @rule 06-under-way
    plan.none = none(state, waiting);
    return plan;
  }
  under_way_.clear();
  const Trigger why = trigger(state, explain);
  const bool steadily = this->steadily(state, why);
  const Steady steady = steadily ? this->steady(cluster, state, why.overloaded) : Steady{};
  if (why.reasons.empty() && steady.hot.empty()) {  // @rule 06-threshold
    plan.none = none(state, idle_reason(cluster));
    return plan;
  }
  const auto search = [&](plan::State& from, const plan::SearchLimits& limits) {
    return steadily ? mend_and_relieve(from, explain, steady, cluster.running, limits)
                    : mend_and_balance(from, explain, limits);
  };
  // What would be done in so many moves if no spare was kept, and which of them takes it.
  const auto without_spare = [&](int most, bool whole) -> std::string {
    if (!policy_.keep_spare) return {};
    plan::State free = before;
    plan::SearchLimits few = limits();
    few.keep_spare = false;
    few.max_moves = std::min(few.max_moves, most);
    const std::vector<plan::Step> done = search(free, few);
    if (whole && !trigger(free, explain).reasons.empty()) return {};
    return spare_forbids(cluster, before, explain, done);
  };
  std::vector<plan::Step> steps = search(state, limits());
  int touched = moved(state);
  if (touched == 0) {
    std::vector<std::string> more;
    for (const plan::Violation& violation : why.violations) {
      if (std::string stuck = explain.stuck(before, violation); !stuck.empty())
        more.push_back(std::move(stuck));
    }
    if (std::string missing = explain.shortage(before); !missing.empty()) more.push_back(std::move(missing));
    if (std::string spare = without_spare(limits().max_moves, false); !spare.empty())
      more.push_back(std::move(spare));
    std::string reason = joined(why.reasons, "; ") + ": no move is allowed and lowers the score enough";
    if (steadily && why.violations.empty()) reason = steady.outcome();
    if (why.reasons.empty()) reason = idle_reason(cluster);
    plan.none = none(before, std::move(reason) + (more.empty() ? "" : "; " + joined(more, "; ")));
    return plan;
  }
  // Evening out beyond what is needed does not justify a mass movement: then only what is needed.
  const int most = guard().most(cluster.running);
  if (touched > most) {
    plan::State less = before;
    plan::SearchLimits few = limits();
    few.max_moves = std::min(few.max_moves, most);
    std::vector<plan::Step> fewer_steps = search(less, few);
    if (trigger(less, explain).reasons.empty()) {
      state = less;
      steps = std::move(fewer_steps);
      touched = moved(state);
    }
  }
  if (touched > most) guard().check(touched, cluster.running, without_spare(most, true));

  const plan::Schedule schedule = schedule_of(state, steps, policy_.caps, policy_.keep_spare);
  plan.doubts = dropped(cluster, schedule, explain);
  if (schedule.moves.empty()) {
    plan.none =
        none(before, joined(why.reasons, "; ") + ": " + joined_some(std::exchange(plan.doubts, {}), 3));
    return plan;
  }
  std::vector<std::string> reasons(index(cluster.model.items()));
  for (const plan::Step& step : steps) {
    std::string& reason = reasons[index(step.item)];
    if (!reason.empty()) continue;
    const int from = cluster.model.start(step.item);
    if (step.why == plan::Step::Why::kRoom) {
      reason = makes_room(cluster, step);
    } else if (step.why == plan::Step::Why::kRepair) {
      for (const plan::Violation& violation : why.violations) {
        if (reason.empty() && explain.concerns(before, violation, step.item)) {
          reason = explain.violation(before, violation);
        }
      }
    } else {
      reason = steadily ? steady.texts[index(from)] : explain.overload(before, from);
    }
    if (reason.empty()) {
      const int to = state.where(step.item) == from ? step.to : state.where(step.item);
      reason = "evens out " + explain.load(before, from) + ", " + explain.load(before, to);
    }
  }
  write_moves(cluster, schedule, "balance", reasons, plan);
  remember(plan);
  return plan;
}

record::BalanceCheck Planner::check() const {
  record::BalanceCheck check;
  if (policy_.objective == Objective::kGaneti) {
    Planner twin = *this;  // a plan that is only asked about leaves no trace
    const Plan plan = twin.even_out();
    check.balanced = plan.moves.empty();
    check.score = plan.score_before;
    check.lower_bound = 0;
    check.hosts = static_cast<std::int64_t>(closed_.hosts().size());
    check.vms = std::count_if(closed_.vms().begin(), closed_.vms().end(),
                              [](const record::VmSample& vm) { return active(vm); });
    check.reason =
        plan.none ? plan.none->reason : std::to_string(plan.moves.size()) + " moves lower the score";
    return check;
  }
  const Cluster cluster = cluster_for(balance_question());
  const plan::State state(cluster.model);
  const Explain explain(cluster, rules_, policy_);
  const Trigger why = trigger(state, explain);
  check.balanced = why.reasons.empty();
  check.score = state.score();
  check.lower_bound = plan::lower_bound(state);
  check.hosts = static_cast<std::int64_t>(cluster.hosts.size());
  check.vms = cluster.running;
  check.hosts_over = static_cast<std::int64_t>(why.overloaded.size());
  check.reason = check.balanced ? idle_reason(cluster) : joined(why.reasons, "; ");
  if (std::none_of(cluster.hosts.begin(), cluster.hosts.end(),
                   [this](const Cluster::HostState& host) { return judged(host); })) {
    throw Error(Status::kUnreachable, "check", "the load", *check.reason);
  }
  return check;
}

}  // namespace rackline::capacity
