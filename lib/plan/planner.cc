// SPDX-License-Identifier: Apache-2.0
#include "plan/planner.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/id.h"
#include "base/time.h"
#include "plan/explain.h"

namespace rackline::plan {
namespace {

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

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

std::vector<int> placement(const State& state) {
  std::vector<int> where(index(state.model().items()));
  for (int item = 0; item < state.model().items(); ++item) where[index(item)] = state.where(item);
  return where;
}

// The search's own order of steps always works, the net moves in their own order are fewer and more parallel.
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

bool may_be_mended(const Violation& violation) {
  // An overcommit of CPUs beyond the ratio slows down, no more: nothing goes there, but nobody is sent away
  // for it.
  return violation.kind != Violation::Kind::kLeaving &&
         (violation.kind != Violation::Kind::kCapacity || violation.which == kMemory);
}

}  // namespace

void Planner::close(record::Time time) {
  open_.time = time;
  if (open_.time == record::Time{}) {
    for (const auto& host : open_.hosts()) open_.time = std::max(open_.time, host.time);
    for (const auto& vm : open_.vms()) open_.time = std::max(open_.time, vm.time);
  }
  std::swap(open_, closed_);
  open_.clear();
  hold_.count(closed_, policy_.threshold_percent);
}

SearchLimits Planner::limits() const {
  SearchLimits limits;
  limits.max_moves = policy_.max_moves;
  limits.keep_spare = policy_.keep_spare;
  limits.seed = policy_.seed;
  limits.swap_only_overloaded = true;
  return limits;
}

Cluster Planner::cluster_for(const Question& question) const {
  return make_cluster(closed_, rules_, policy_, question);
}

bool Planner::spike(const record::HostSample& host) const {
  return host.cpu_percent.value_or(0) > policy_.threshold_percent && hold_.rounds(host.host) < policy_.hold;
}

Question Planner::balance_question() const {
  Question question;
  question.held_vm = [this](const record::VmSample& vm) {
    return history_.cooling(vm.vm, closed_.time, policy_.cooldown) ? "it has moved lately" : "";
  };
  question.held_host = [this](const record::HostSample& host) -> std::string {
    if (!spike(host)) return {};
    return "its cpu " + percent_text(*host.cpu_percent) + " > " + percent_text(policy_.threshold_percent) +
           " has lasted for " + std::to_string(hold_.rounds(host.host)) + " of " +
           std::to_string(policy_.hold) + " rounds";
  };
  return question;
}

Planner::Trigger Planner::trigger(const State& state, const Explain& explain) const {
  Trigger found;
  for (int bin = 0; bin < state.model().bins(); ++bin) {
    const BinState bin_state = state.model().state(bin);
    if (bin_state != BinState::kOpen && bin_state != BinState::kClosed) continue;
    if (std::string why = explain.overload(state, bin); !why.empty()) {
      found.overloaded.push_back(bin);
      found.reasons.push_back(std::move(why));
    }
  }
  found.violations = state.violations();
  std::erase_if(found.violations, [](const Violation& v) { return !may_be_mended(v); });
  for (const Violation& violation : found.violations) {
    found.reasons.push_back(explain.violation(state, violation));
  }
  if (state.score_of_imbalance() > policy_.imbalance) {
    found.imbalanced = true;
    found.reasons.emplace_back("the load is uneven");
  }
  return found;
}

std::string Planner::idle_reason(const Cluster& cluster) const {
  std::vector<std::string> reasons;
  for (const auto& host : cluster.hosts) {
    if (host.sample != nullptr && spike(*host.sample)) reasons.push_back(host.name + ": " + host.frozen);
  }
  if (reasons.empty()) {
    reasons.push_back("no host is above " + percent_text(policy_.threshold_percent) + " cpu or " +
                      percent_text(policy_.memory_threshold_percent) + " memory");
  }
  return joined(reasons, "; ");
}

record::NoBeneficialMove Planner::none(const State& state, std::string reason) const {
  record::NoBeneficialMove record;
  record.reason = std::move(reason);
  record.score = state.score();
  record.lower_bound = lower_bound(state);
  return record;
}

std::string Planner::waiting_for() const {
  if (pending_.empty() || closed_.time - pending_since_ >= policy_.cooldown) return {};
  std::map<std::string_view, std::string_view> running;
  for (const auto& vm : closed_.vms()) {
    if (active(vm)) running[vm.vm] = vm.host;
  }
  for (const auto& [vm, target] : pending_) {
    const auto found = running.find(vm);
    if (found == running.end() || found->second != target) {
      std::string text = vm;
      text += " is not seen on " + target + " yet, where it was sent " + format_time(pending_since_);
      return text;
    }
  }
  return {};
}

std::vector<Step> Planner::mend_and_balance(State& state, const Explain& explain,
                                            const SearchLimits& limits) const {
  // A repair may overload a host, and a better balance make room for a repair: until neither has anything to
  // do, so that the next plan has nothing to do either.
  std::vector<Step> steps;
  for (bool progress = true; progress;) {
    const std::size_t done = steps.size();
    const auto append = [&steps](const std::vector<Step>& more) {
      steps.insert(steps.end(), more.begin(), more.end());
    };
    append(repair(state, limits, may_be_mended).steps);
    const Trigger now = trigger(state, explain);
    if (!now.overloaded.empty() || now.imbalanced) append(improve(state, limits));
    progress = steps.size() > done;
  }
  return steps;
}

int Planner::most_without_force(std::int64_t running) const {
  if (policy_.force) return std::numeric_limits<int>::max();
  return std::max(1, static_cast<int>(static_cast<double>(running) * policy_.max_change_percent / 100));
}

void Planner::guard(std::int64_t touched, std::int64_t running) const {
  if (touched <= most_without_force(running)) return;
  throw Error(Status::kRefused, "plan",
              std::to_string(touched) + " of " + std::to_string(running) + " virtual servers would move",
              "that is more than " + percent_text(policy_.max_change_percent) + " of the fleet",
              "--force if it is meant; --max-moves N for a part of it");
}

void Planner::write_moves(const Cluster& cluster, const Schedule& schedule, const std::string& verb,
                          const std::vector<std::string>& reasons, Plan& plan) const {
  const std::string time = format_time(closed_.time);
  State state(cluster.model);
  std::vector<bool> on_its_way(index(cluster.model.items()), false);
  for (const Move& move : schedule.moves) {
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
    record.memory_bytes = cluster.model.demand(move.item, kMemory).peak;
    record.reason = move.aside ? "on its way, as there is no room at its target yet: " : "";
    record.reason += reasons[index(move.item)];
    record.score_before = state.score();
    state.move(move.item, move.to);
    record.score_after = state.score();
    const std::string incarnation = vm.domain_id ? std::to_string(*vm.domain_id) : "";
    record.id =
        derived_id({"vm_move", time, vm.vm, vm.uuid.value_or(""), incarnation, record.from, record.to});
    on_its_way[index(move.item)] = true;
    plan.moves.push_back(std::move(record));
  }
  std::vector<std::string_view> facts{"capplan", verb, time};
  for (const auto& move : plan.moves) facts.push_back(move.id);
  const std::string cause = derived_id(facts);
  for (auto& move : plan.moves) move.cause = cause;
  plan.score_after = state.score();
}

Plan Planner::balance() {
  Plan plan;
  const Cluster cluster = cluster_for(balance_question());
  State state(cluster.model);
  const State before = state;
  const Explain explain(cluster, rules_, policy_);
  plan.left_out = left_out(cluster);
  plan.score_before = plan.score_after = state.score();
  plan.lower_bound = lower_bound(state);

  if (const std::string waiting = waiting_for(); !waiting.empty()) {
    plan.none = none(state, waiting);
    return plan;
  }
  pending_.clear();
  const Trigger why = trigger(state, explain);
  if (why.reasons.empty()) {
    plan.none = none(state, idle_reason(cluster));
    return plan;
  }

  std::vector<Step> steps = mend_and_balance(state, explain, limits());
  int touched = moved(state);
  if (touched == 0) {
    plan.none = none(before, joined(why.reasons, "; ") + ": no move is allowed and lowers the score enough");
    return plan;
  }
  // Evening out beyond what is needed does not justify a mass movement: then only what is needed.
  const int most = most_without_force(cluster.running);
  if (touched > most) {
    State less = before;
    SearchLimits few = limits();
    few.max_moves = std::min(few.max_moves, most);
    std::vector<Step> fewer_steps = mend_and_balance(less, explain, few);
    if (trigger(less, explain).reasons.empty()) {
      state = less;
      steps = std::move(fewer_steps);
      touched = moved(state);
    }
  }
  guard(touched, cluster.running);

  std::vector<std::string> reasons(index(cluster.model.items()));
  for (const Step& step : steps) {
    std::string& reason = reasons[index(step.item)];
    if (!reason.empty()) continue;
    const int from = cluster.model.start(step.item);
    if (step.why == Step::Why::kRoom) {
      reason = "makes room on " + cluster.host(step.from) + " for " + cluster.vm(step.because).name;
    } else if (step.why == Step::Why::kRepair) {
      for (const Violation& violation : why.violations) {
        if (reason.empty() && explain.concerns(before, violation, step.item)) {
          reason = explain.violation(before, violation);
        }
      }
    } else {
      reason = explain.overload(before, from);
    }
    if (reason.empty()) {
      const int to = state.where(step.item) == from ? step.to : state.where(step.item);
      reason = "evens out " + explain.load(before, from) + ", " + explain.load(before, to);
    }
  }
  write_moves(cluster, schedule_of(state, steps, policy_, policy_.keep_spare), "balance", reasons, plan);
  for (const auto& move : plan.moves) {
    history_.add(move.vm, closed_.time);
    std::erase_if(pending_, [&](const auto& earlier) { return earlier.first == move.vm; });
    pending_.emplace_back(move.vm, move.to);
  }
  pending_since_ = closed_.time;
  return plan;
}

Plan Planner::evacuate(const std::vector<std::string>& hosts) {
  Plan plan;
  Question question;
  question.leaving = hosts;
  question.stopped_too = true;
  question.unmeasured_too = true;
  const Cluster cluster = cluster_for(question);
  const Model& model = cluster.model;
  std::vector<int> evacuees;
  std::set<int> leaving;
  for (const auto& name : hosts) {
    const int bin = cluster.find_host(name);
    if (bin == kNowhere) throw Error(Status::kUsage, "evacuate", name, "there is no such host in the input");
    leaving.insert(bin);
  }
  for (int item = 0; item < model.items(); ++item) {
    if (leaving.contains(model.start(item))) evacuees.push_back(item);
  }
  for (const int bin : leaving) {
    const auto& host = cluster.hosts[index(bin)];
    const bool known =
        std::any_of(evacuees.begin(), evacuees.end(), [&](int i) { return model.start(i) == bin; });
    if (!host.frozen.empty() && !known) {
      throw Error(Status::kUnreachable, "evacuate", host.name, host.frozen,
                  "what runs on a lost host is restarted by failover, not moved");
    }
  }

  State state(model);
  const Explain explain(cluster, rules_, policy_);
  plan.left_out = left_out(cluster);
  plan.score_before = plan.score_after = state.score();
  plan.lower_bound = lower_bound(state);
  if (evacuees.empty()) {
    plan.none = none(state, joined(hosts, ", ") + (hosts.size() > 1 ? " are" : " is") + " empty");
    return plan;
  }

  // A host taken out is a spare fewer, and that is what was asked for.
  SearchLimits limits = this->limits();
  limits.keep_spare = false;
  Repaired repaired =
      repair(state, limits, [](const Violation& v) { return v.kind == Violation::Kind::kLeaving; });
  std::vector<int> gone;
  for (const int item : evacuees) {
    if (state.where(item) != model.start(item)) gone.push_back(item);
  }
  std::vector<Step> steps = std::move(repaired.steps);
  if (!gone.empty()) {
    const auto more = improve(state, limits, gone);
    steps.insert(steps.end(), more.begin(), more.end());
  }

  std::int64_t touched = 0;
  for (int item = 0; item < model.items(); ++item) {
    if (state.where(item) == model.start(item) || !active(*cluster.vm(item).sample)) continue;
    if (leaving.size() > 1 || !leaving.contains(model.start(item))) ++touched;
  }
  guard(touched, cluster.running);

  const Schedule schedule = schedule_of(state, steps, policy_, false);
  std::vector<std::string> reasons(index(model.items()));
  for (const int item : evacuees) reasons[index(item)] = "evacuate " + cluster.host(model.start(item));
  for (const Step& step : steps) {
    if (step.why != Step::Why::kRoom) continue;
    reasons[index(step.item)] =
        "makes room on " + cluster.host(step.from) + " for " + cluster.vm(step.because).name;
  }
  write_moves(cluster, schedule, "evacuate", reasons, plan);

  State done(model);
  for (const Move& move : schedule.moves) done.move(move.item, move.to);
  for (const int item : evacuees) {
    if (done.where(item) != model.start(item)) continue;
    record::VmUnplaced unplaced;
    unplaced.vm = cluster.vm(item).name;
    unplaced.host = cluster.host(model.start(item));
    const auto blocked = std::find_if(schedule.blocked.begin(), schedule.blocked.end(),
                                      [item](const Blocked& b) { return b.item == item; });
    unplaced.reason = explain.no_place(done, item);
    if (unplaced.reason.empty() && blocked != schedule.blocked.end()) {
      unplaced.reason = "there is no way to " + cluster.host(blocked->to) + ": " +
                        explain.obstacle(done, item, blocked->to, blocked->why);
    }
    if (unplaced.reason.empty()) unplaced.reason = "left for the next plan: --max-moves";
    plan.unplaced.push_back(std::move(unplaced));
  }
  return plan;
}

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

record::BalanceCheck Planner::check() const {
  const Cluster cluster = cluster_for(balance_question());
  const State state(cluster.model);
  const Explain explain(cluster, rules_, policy_);
  const Trigger why = trigger(state, explain);
  record::BalanceCheck check;
  check.balanced = why.reasons.empty();
  check.score = state.score();
  check.lower_bound = lower_bound(state);
  check.hosts = static_cast<std::int64_t>(cluster.hosts.size());
  check.vms = cluster.running;
  check.hosts_over = static_cast<std::int64_t>(why.overloaded.size());
  check.reason = check.balanced ? idle_reason(cluster) : joined(why.reasons, "; ");
  return check;
}

}  // namespace rackline::plan
