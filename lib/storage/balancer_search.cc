// SPDX-License-Identifier: Apache-2.0
// What calls for moves, and the search for them.
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/units.h"
#include "decide/stages.h"
#include "storage/balancer.h"

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

}  // namespace rackline::storage
