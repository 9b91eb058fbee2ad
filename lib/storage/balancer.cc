// SPDX-License-Identifier: Apache-2.0
#include "storage/balancer.h"

#include <algorithm>
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

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

}  // namespace

void Balancer::hear(const record::LunUsage& usage) {
  if (!usage.allocated_trend_bytes_per_hour) return;
  learnt_.growth[place_of(usage.array, usage.iqn, usage.lun_number)] = *usage.allocated_trend_bytes_per_hour;
}

void Balancer::hear(const record::Fluctuation& fluctuation) {
  if (!fluctuation.array) return;
  causes_.hear(fluctuation,
               (fluctuation.lun ? "lun " + *fluctuation.lun : "array") + " " + *fluctuation.array);
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

std::string Balancer::waiting_for() const {
  return under_way_.waiting_for(
      before_, closed_.time, policy_.cooldown, [&](const decide::UnderWay::Move& move) {
        return std::any_of(closed_.luns.begin(), closed_.luns.end(), [&](const auto& lun) {
          return lun.array == move.target && identity(lun) == move.key;
        });
      });
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
  under_way_.clear();
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
    under_way_.add({key, move.lun, move.to}, closed_.time,
                   [&](const decide::UnderWay::Move& earlier) { return earlier.key == key; });
  }
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
