// SPDX-License-Identifier: Apache-2.0
#include "storage/balancer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/joined.h"
#include "base/time.h"
#include "base/units.h"
#include "decide/stages.h"
#include "storage/identity.h"

namespace rackline::storage {
namespace {

using decide::percent_text;

// An array that was above its threshold for less of its time than this had a spike.
constexpr double kLeastAbove = 0.002;

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

// The coefficient of variation of what is occupied, each open array weighted by its size. What is nearly
// empty is not uneven.
double space_imbalance(const plan::State& state) {
  constexpr double kLeastMean = 0.1;
  const plan::Model& model = state.model();
  double size = 0, load = 0, squares = 0;
  for (int bin = 0; bin < model.bins(); ++bin) {
    if (model.state(bin) != plan::BinState::kOpen) continue;
    const auto weight = static_cast<double>(model.supply(bin, kSpace).size);
    const double share = state.share(bin, kSpace);
    size += weight;
    load += weight * share;
    squares += weight * share * share;
  }
  if (size <= 0) return 0;
  const double mean = load / size;
  return std::sqrt(std::max(0.0, squares / size - mean * mean)) / std::max(mean, kLeastMean);
}

bool may_be_mended(const plan::Violation& violation) {
  return violation.kind != plan::Violation::Kind::kLeaving &&
         violation.kind != plan::Violation::Kind::kCapacity;
}

}  // namespace

void Balancer::hear(const record::LunUsage& usage) {
  if (!usage.allocated_trend_bytes_per_hour) return;
  learnt_.growth[place_of(usage.array, usage.iqn, usage.lun_number)] = *usage.allocated_trend_bytes_per_hour;
}

void Balancer::hear(const record::Fluctuation& fluctuation) {
  if (!fluctuation.array) return;
  const std::string key = (fluctuation.lun ? "lun " + *fluctuation.lun : "array") + " " + *fluctuation.array +
                          " " + fluctuation.resource;
  if (fluctuation.direction == "above") {
    fluctuations_[key] = fluctuation.id;
  } else {
    fluctuations_.erase(key);
  }
}

void Balancer::close(record::Time time) {
  open_.time = time;
  if (open_.time == record::Time{}) {
    for (const auto& array : open_.arrays) open_.time = std::max(open_.time, array.time);
    for (const auto& lun : open_.luns) open_.time = std::max(open_.time, lun.time);
  }
  before_ = closed_.time;
  closed_ = std::exchange(open_, {});
  if (closed_.empty() || !hours_.begin_round(closed_.time)) return;
  decide::ByName<int> seen;
  for (const auto& lun : closed_.luns) ++seen[identity(lun)];
  for (const auto& lun : closed_.luns) {
    const auto load = load_of(lun);
    const std::string key = identity(lun);
    if (load && seen.at(key) == 1) hours_.add(key, *load);
  }
  for (const auto& array : closed_.arrays) {
    if (array.state == "up") learnt_.devices[array.array].add(array);
  }
  learnt_.fits = fits_of(closed_, learnt_.devices, policy_.load_percent / 100);
  hold_.begin_round();
  for (const auto& array : closed_.arrays) {
    const auto fit = learnt_.fits.find(array.array);
    const auto load = load_of(array);
    if (array.state != "up" || !load || fit == learnt_.fits.end() || !fit->second.known()) continue;
    const double percent = 100 * *load / fit->second.most_load;
    hold_.count(array.array, percent > policy_.load_percent, percent);
  }
}

Fleet Balancer::fleet_for(const Question& question) const {
  return make_fleet(closed_, rules_, policy_, learnt_, question);
}

std::string Balancer::brief(const std::string& array) const {
  const int rounds = hold_.rounds(array);
  if (rounds == 0 || rounds >= policy_.hold.value_or(1)) return {};
  // @rule 06-load-spike: {}
  return "load " + percent_text(hold_.percent(array)) + " > " + percent_text(policy_.load_percent) +
         " has lasted for " + std::to_string(rounds) + " of " + std::to_string(policy_.hold.value_or(1)) +
         " rounds";
}

Question Balancer::balance_question() const {
  Question question;
  question.load_counts = !by_hours();
  const auto spent = [this](const std::string& array) {
    return history_.of_array(array, closed_.time) >= policy_.most_per_array;  // @rule 08-array-moves: false
  };
  question.held_lun = [this, spent](const record::LunSample& lun) -> std::string {
    const std::string key = identity(lun);
    if (history_.cooling(key, closed_.time, policy_.cooldown)) return "it has moved lately";
    if (history_.of_lun(key, closed_.time) >= policy_.most_per_lun) return "it has had its moves of the day";
    if (spent(lun.array)) return lun.array + " has had its moves of the day";
    return {};
  };
  question.spikes = [this](const std::string& array) { return !brief(array).empty(); };
  question.closed_array = [this, spent](const std::string& array) -> std::string {
    if (spent(array)) return "it has had its moves of the day";
    return brief(array);
  };
  question.left = [this](const record::LunSample& lun) {
    return history_.left(identity(lun), closed_.time, policy_.no_return);
  };
  return question;
}

Balancer::Trigger Balancer::trigger(const plan::State& state, const Words& words) const {
  Trigger found;
  for (int bin = 0; bin < state.model().bins(); ++bin) {
    const plan::BinState kind = state.model().state(bin);
    if (kind != plan::BinState::kOpen && kind != plan::BinState::kClosed) continue;
    const bool space = 100 * state.share(bin, kSpace) > policy_.space_percent;
    const bool load = state.load(bin, kLoad) > state.model().supply(bin, kLoad).safety;
    if (!space && !load) continue;  // @rule 06-array-threshold: false
    found.overloaded.push_back(bin);
    found.reasons.push_back(words.overload(state, bin));
  }
  found.violations = state.violations();
  std::erase_if(found.violations, [](const plan::Violation& v) { return !may_be_mended(v); });
  for (const plan::Violation& violation : found.violations)
    found.reasons.push_back(words.violation(state, violation));
  if (space_imbalance(state) > policy_.imbalance) {
    found.imbalanced = true;
    found.reasons.emplace_back("what is occupied is uneven");
  }
  return found;
}

Balancer::Outlook Balancer::outlook(const Fleet& fleet, const plan::State& state, const Words& words) const {
  Outlook outlook;
  if (!by_hours()) return outlook;
  for (const auto& lun : fleet.luns) outlook.rows.push_back(hours_.row(lun.key));
  for (const auto& array : fleet.arrays) outlook.safety.push_back(array.bearable);
  outlook.texts.resize(fleet.arrays.size());
  const HourLoads loads(state, outlook.rows, outlook.safety, hours_.seen());
  for (int bin = 0; bin < fleet.model.bins(); ++bin) {
    const auto& array = fleet.arrays[index(bin)];
    const double above = loads.above(bin);
    if (!array.frozen.empty() || !array.fit.known() || above < kLeastAbove) continue;
    outlook.hot.push_back(bin);
    outlook.texts[index(bin)] = words.load(state, bin) + ", above " + percent_text(policy_.load_percent) +
                                " for " + percent_text(100 * above) + " of the hours seen";
  }
  return outlook;
}

plan::SearchLimits Balancer::limits(const Fleet& fleet) const {
  plan::SearchLimits limits;
  limits.keep_spare = false;
  limits.seed = policy_.seed;
  limits.swap_only_overloaded = true;
  // What is left is for the next plan: no need is so great that a part of it would not help.
  limits.max_moves = std::min(policy_.max_moves, guard().most(static_cast<std::int64_t>(fleet.luns.size())));
  return limits;
}

std::vector<plan::Step> Balancer::search(const Fleet& fleet, plan::State& state, const Words& words,
                                         const Outlook& outlook) const {
  std::vector<plan::Step> steps;
  const plan::SearchLimits limits = this->limits(fleet);
  const auto append = [&steps](const std::vector<plan::Step>& more) {
    steps.insert(steps.end(), more.begin(), more.end());
  };
  for (bool progress = true; progress;) {
    const std::size_t done = steps.size();
    append(repair(state, limits, may_be_mended).steps);
    plan::SearchLimits relief = limits;
    relief.shift_only_overloaded = true;
    if (!trigger(state, words).overloaded.empty()) append(improve(state, relief));
    progress = steps.size() > done;
  }
  append(even_out(state, outlook, limits));
  if (outlook.hot.empty()) return steps;
  HourLoads loads(state, outlook.rows, outlook.safety, hours_.seen());
  decide::MovePrice price;
  price.horizon = std::chrono::duration<double>(policy_.horizon).count();
  price.price = 1;
  price.allowance = static_cast<double>(fleet.luns.size());
  for (int item = 0; item < fleet.model.items(); ++item)
    price.weights.push_back(static_cast<double>(fleet.bytes(item)) / static_cast<double>(policy_.copy_rate));
  append(relieve(state, loads, outlook.hot, price, limits));
  return steps;
}

// Evens out what is occupied if it is more uneven than Policy::imbalance, as far as moves are worth their
// bytes. In a stream only until it is not, a few moves at a time, and not where that brings loads together.
std::vector<plan::Step> Balancer::even_out(plan::State& state, const Outlook& outlook,
                                           const plan::SearchLimits& limits) const {
  constexpr int kParts = 100;
  std::vector<plan::Step> steps;
  const auto trouble = [&](const plan::State& then) {
    double sum = 0;
    const HourLoads loads(then, outlook.rows, outlook.safety, hours_.seen());
    for (int bin = 0; bin < then.model().bins(); ++bin) sum += loads.trouble(bin);
    return sum;
  };
  if (space_imbalance(state) <= policy_.imbalance) return steps;
  if (outlook.rows.empty()) return improve(state, limits);
  for (double before = trouble(state); space_imbalance(state) > policy_.imbalance;) {
    plan::State next = state;
    plan::SearchLimits few = limits;
    few.max_moves = std::min(limits.max_moves, decide::moved(state) + 1 + state.model().items() / kParts);
    const std::vector<plan::Step> more = improve(next, few);
    const double after = trouble(next);
    if (more.empty() || after > before) break;
    before = after;
    state = next;
    steps.insert(steps.end(), more.begin(), more.end());
  }
  return steps;
}

// The steps that the moves of the day allow. One that is left out may be what a later one waits for, so each
// is asked about again.
std::vector<plan::Step> Balancer::within_caps(const Fleet& fleet, const std::vector<plan::Step>& steps,
                                              plan::State& state) const {
  std::vector<int> left;
  for (const auto& array : fleet.arrays)
    left.push_back(policy_.most_per_array - history_.of_array(array.name, closed_.time));
  std::vector<plan::Step> taken;
  std::vector<bool> stuck(index(fleet.model.items()), false);
  for (const plan::Step& step : steps) {
    int& from = left[index(step.from)];
    int& to = left[index(step.to)];
    if (stuck[index(step.item)] || from <= 0 || to <= 0 || !state.admits(step.item, step.to)) {
      stuck[index(step.item)] = true;
      continue;
    }
    --from;
    --to;
    state.move(step.item, step.to);
    taken.push_back(step);
  }
  return taken;
}

std::string Balancer::waiting_for() const {
  if (before_ > closed_.time) {
    return "the clock of the samples ran backwards, from " + format_time(before_) + " to " +
           format_time(closed_.time) + ": nothing is decided on this round";
  }
  if (pending_.empty() || closed_.time - pending_since_ >= policy_.cooldown) return {};
  for (const Pending& one : pending_) {
    const bool arrived = std::any_of(closed_.luns.begin(), closed_.luns.end(), [&](const auto& lun) {
      return lun.array == one.target && identity(lun) == one.key;
    });
    if (arrived) continue;
    std::string text = one.name;
    text += " is not seen on " + one.target + " yet, where it was sent " + format_time(pending_since_);
    return text;
  }
  return {};
}

std::string Balancer::idle_reason(const Fleet& fleet) const {
  std::vector<std::string> reasons;
  std::vector<std::string> unknown;
  int unlearnt = 0;
  for (const auto& array : fleet.arrays) {
    if (!array.frozen.empty()) unknown.push_back(array.name + ": " + array.frozen);
    if (const std::string why = brief(array.name); !why.empty()) reasons.push_back(array.name + " " + why);
    unlearnt += array.frozen.empty() && !array.fit.known() ? 1 : 0;
  }
  if (unknown.size() == fleet.arrays.size()) {
    reasons.emplace_back("no array can be judged");
  } else if (reasons.empty()) {
    reasons.push_back("no array is above " + percent_text(policy_.space_percent) + " space or " +
                      percent_text(policy_.load_percent) + " load");
  }
  if (unlearnt > 0)
    reasons.push_back("what load " + std::to_string(unlearnt) + " of them bear is not learnt yet");
  if (!unknown.empty()) {
    reasons.push_back(std::to_string(unknown.size()) + " left out: " + unknown.front() +
                      (unknown.size() > 1 ? ", ..." : ""));
  }
  return joined(reasons, "; ");
}

Plan begin_plan(const plan::State& state, const Words& words) {
  Plan plan;
  plan.left_out = words.left_out();
  plan.score_before = plan.score_after = state.score();
  plan.lower_bound = plan::lower_bound(state);
  return plan;
}

record::NoBeneficialMove no_move(const plan::State& state, std::string reason) {
  record::NoBeneficialMove record;
  record.reason = std::move(reason);
  record.score = state.score();
  record.lower_bound = plan::lower_bound(state);
  return record;
}

std::vector<std::string> Balancer::reasons_of(const Fleet& fleet, const plan::State& before,
                                              const Words& words, const Trigger& why, const Outlook& outlook,
                                              const std::vector<plan::Step>& steps) const {
  std::vector<std::string> reasons(index(fleet.model.items()));
  for (const plan::Step& step : steps) {
    std::string& reason = reasons[index(step.item)];
    if (!reason.empty()) continue;
    const int from = fleet.model.start(step.item);
    if (step.why == plan::Step::Why::kRoom) {
      reason = "makes room on " + fleet.array(step.from) + " for " + fleet.lun(step.because).name;
    } else if (step.why == plan::Step::Why::kRepair) {
      for (const plan::Violation& violation : why.violations) {
        if (reason.empty() && words.concerns(before, violation, step.item))
          reason = words.violation(before, violation);
      }
    } else {
      reason = words.overload(before, from);
      if (reason.empty() && !outlook.texts.empty()) reason = outlook.texts[index(from)];
    }
    if (reason.empty()) reason = "evens out " + words.load(before, from) + ", " + words.load(before, step.to);
  }
  return reasons;
}

Plan Balancer::balance() {
  const Question question = balance_question();
  const Fleet fleet = fleet_for(question);
  plan::State state(fleet.model);
  const plan::State before = state;
  const Words words(fleet, rules_, policy_);
  Plan plan = begin_plan(state, words);
  if (const std::string waiting = waiting_for(); !waiting.empty()) {  // @rule 06-luns-under-way
    plan.none = no_move(state, waiting);
    return plan;
  }
  pending_.clear();
  const Trigger why = trigger(state, words);
  const Outlook outlook = this->outlook(fleet, state, words);
  if (why.reasons.empty() && outlook.hot.empty()) {
    plan.none = no_move(state, idle_reason(fleet));
    return plan;
  }
  std::vector<plan::Step> steps = search(fleet, state, words, outlook);
  plan::State allowed(fleet.model);
  steps = within_caps(fleet, steps, allowed);
  const plan::Schedule schedule = decide::schedule_of(allowed, steps, policy_.caps, false);
  if (schedule.moves.empty()) {
    std::vector<std::string> reasons = why.reasons;
    for (const int bin : outlook.hot) reasons.push_back(outlook.texts[index(bin)]);
    std::string text = joined_some(reasons, 4) + ": no move is allowed and worth its bytes";
    for (const plan::Violation& violation : why.violations) {
      if (std::string stuck = words.stuck(before, violation); !stuck.empty()) text += "; " + stuck;
    }
    plan.none = no_move(before, std::move(text));
    return plan;
  }
  write_moves(fleet, schedule, "balance", reasons_of(fleet, before, words, why, outlook, steps), plan);
  remember(fleet, schedule, plan);
  return plan;
}

void Balancer::remember(const Fleet& fleet, const plan::Schedule& schedule, const Plan& plan) {
  for (std::size_t i = 0; i < schedule.moves.size(); ++i) {
    const std::string& key = fleet.lun(schedule.moves[i].item).key;
    const record::LunMove& move = plan.moves[i];
    history_.add(key, move.from, move.to, closed_.time);
    std::erase_if(pending_, [&](const Pending& earlier) { return earlier.key == key; });
    pending_.push_back({key, move.lun, move.to});
  }
  pending_since_ = closed_.time;
}

record::StorageCheck Balancer::check() const {
  const Question question = balance_question();
  const Fleet fleet = fleet_for(question);
  const plan::State state(fleet.model);
  const Words words(fleet, rules_, policy_);
  const Trigger why = trigger(state, words);
  const Outlook outlook = this->outlook(fleet, state, words);
  std::vector<std::string> reasons = why.reasons;
  for (const int bin : outlook.hot) reasons.push_back(outlook.texts[index(bin)]);
  record::StorageCheck check;
  check.balanced = reasons.empty();
  check.score = state.score();
  check.lower_bound = plan::lower_bound(state);
  check.arrays = static_cast<std::int64_t>(fleet.arrays.size());
  check.luns = static_cast<std::int64_t>(closed_.luns.size());
  check.arrays_over = static_cast<std::int64_t>(why.overloaded.size() + outlook.hot.size());
  check.reason = check.balanced ? idle_reason(fleet) : joined(reasons, "; ");
  if (std::all_of(fleet.arrays.begin(), fleet.arrays.end(),
                  [](const Fleet::ArrayState& array) { return !array.frozen.empty(); })) {
    throw Error(Status::kUnreachable, "check", "the arrays", *check.reason);
  }
  return check;
}

}  // namespace rackline::storage
