// SPDX-License-Identifier: Apache-2.0
#include "decide/relief.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace rackline::decide {
namespace {

// Excess is worth this many times the time above: being above by a third of the safety counts as much again
// as being above at all.
constexpr double kExcess = 3;
// Servers are busy at the same times of day: the variance of a sum is more than the sum of the variances.
constexpr double kTogether = 1.3;
constexpr double kLeastDeviation = 1;  // thousandths of a CPU
// The calmest bins that admit an item are tried, no others: among the rest there is no better one.
constexpr int kTargets = 24;
// In one round the worst bins are looked at; the others' turn comes in the next step.
constexpr int kSources = 8;

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

struct Tail {
  double above;   // the part of a standard normal distribution that is above z
  double excess;  // by how much on average
};

Tail tail(double z) {
  const double above = std::erfc(z / std::numbers::sqrt2) / 2;
  const double density = std::exp(-z * z / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  return {above, std::max(0.0, density - z * above)};
}

Expected sum(const Expected& one, const Expected& other, double sign) {
  return {one.mean + sign * other.mean, std::max(0.0, one.variance + sign * other.variance)};
}

class Relief {
 public:
  Relief(plan::State& state, Loads& loads, const MovePrice& price, const plan::SearchLimits& limits)
      : state_(state),
        model_(state.model()),
        loads_(loads),
        price_(price),
        limits_(limits),
        without_spare_(limits.keep_spare ? state.bins_without_spare() : 0) {
    for (int item = 0; item < model_.items(); ++item)
      away_ += state.where(item) != model_.start(item) ? 1 : 0;
  }

  std::vector<plan::Step> run(std::vector<int> hot);

 private:
  struct Candidate {
    double gain;  // beyond the price
    int item;
    int to;
  };

  void collect(int from, const std::vector<int>& calm, double price,
               std::vector<Candidate>& candidates) const;
  bool take(int item, int to);
  bool keeps_spare() const { return !limits_.keep_spare || state_.bins_without_spare() <= without_spare_; }

  plan::State& state_;
  const plan::Model& model_;
  Loads& loads_;
  MovePrice price_;
  plan::SearchLimits limits_;
  int without_spare_;
  int away_ = 0;
};

void Relief::collect(int from, const std::vector<int>& calm, double price,
                     std::vector<Candidate>& candidates) const {
  const double present = loads_.trouble(from);
  for (const int item : state_.items_on(from)) {
    if (model_.frozen(item) || loads_.idle(item)) continue;
    const double relief = present - loads_.trouble_without(from, item);
    const double weight = price_.weights.empty() ? 1 : price_.weights[index(item)];
    if (!price_.weights.empty() && relief * price_.horizon < price * weight) continue;
    int tried = 0;
    for (const int to : calm) {
      if (to == from || !loads_.bears(to, item) || !state_.admits(item, to)) continue;
      const double harm = loads_.trouble_with(to, item) - loads_.trouble(to);
      const double gain = (relief - harm) * price_.horizon;
      if (gain >= price * weight)
        candidates.push_back({price_.weights.empty() ? gain : gain - price * weight, item, to});
      if (++tried == kTargets) break;
    }
  }
}

bool Relief::take(int item, int to) {
  const int from = state_.where(item);
  state_.depart(item, to);
  if (!keeps_spare()) {
    state_.recall(item);
    return false;
  }
  state_.arrive(item);
  if (!keeps_spare()) {
    state_.move(item, from);
    return false;
  }
  loads_.move(item, from, to);
  return true;
}

std::vector<plan::Step> Relief::run(std::vector<int> hot) {
  std::vector<plan::Step> steps;
  std::vector<int> calm;
  for (int bin = 0; bin < model_.bins(); ++bin) {
    if (model_.state(bin) == plan::BinState::kOpen) calm.push_back(bin);
  }
  std::vector<double> trouble(index(model_.bins()));
  std::vector<double> ease(index(model_.bins()));
  for (bool moved = true; moved && away_ < limits_.max_moves;) {
    moved = false;
    for (int bin = 0; bin < model_.bins(); ++bin) {
      trouble[index(bin)] = loads_.trouble(bin);
      ease[index(bin)] = loads_.ease(bin);
    }
    const double price = price_.of_next();
    std::stable_sort(hot.begin(), hot.end(),
                     [&](int a, int b) { return trouble[index(a)] > trouble[index(b)]; });
    std::stable_sort(calm.begin(), calm.end(), [&](int a, int b) { return ease[index(a)] > ease[index(b)]; });
    for (std::size_t first = 0; first < hot.size() && !moved; first += kSources) {
      std::vector<Candidate> candidates;
      for (std::size_t h = first; h < std::min(hot.size(), first + kSources); ++h) {
        collect(hot[h], calm, price, candidates);
      }
      std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
        if (a.gain != b.gain) return a.gain > b.gain;
        return a.item != b.item ? a.item < b.item : a.to < b.to;
      });
      for (const Candidate& candidate : candidates) {
        const int from = state_.where(candidate.item);
        if (!take(candidate.item, candidate.to)) continue;
        steps.push_back({candidate.item, from, candidate.to, plan::Step::Why::kBalance, plan::kNowhere});
        if (from == model_.start(candidate.item)) ++away_;
        price_.spent += 1;
        moved = true;
        break;
      }
    }
  }
  return steps;
}

}  // namespace

ExpectedLoad::ExpectedLoad(const plan::State& state, const Outlook& outlook)
    : state_(&state), model_(&state.model()), outlook_(&outlook), loads_(outlook.bins) {
  for (int item = 0; item < model_->items(); ++item) {
    const int bin = state.where(item);
    if (bin == plan::kNowhere) continue;
    loads_[index(bin)] = sum(loads_[index(bin)], outlook.items[index(item)], 1);
  }
}

double ExpectedLoad::safety(int bin) const {
  return static_cast<double>(model_->supply(bin, outlook_->resource).safety);
}

double ExpectedLoad::deviation(const Expected& load) const {
  return std::max(std::sqrt(kTogether * load.variance), kLeastDeviation);
}

double ExpectedLoad::above(int bin) const {
  return tail((safety(bin) - load(bin).mean) / deviation(load(bin))).above;
}

double ExpectedLoad::trouble_of(int bin, const Expected& load) const {
  const Tail part = tail((safety(bin) - load.mean) / deviation(load));
  return part.above + kExcess * part.excess * deviation(load) / std::max(safety(bin), 1.0);
}

double ExpectedLoad::ease(int bin) const {
  return (safety(bin) - load(bin).mean) / deviation(load(bin));
}

bool ExpectedLoad::idle(int item) const {
  return outlook_->items[index(item)].mean <= 0;
}

bool ExpectedLoad::bears(int bin, int item) const {
  const int r = outlook_->resource;
  return with(bin, item).mean <= safety(bin) &&
         static_cast<double>(state_->load(bin, r) + model_->demand(item, r).usual) <= safety(bin);
}

void ExpectedLoad::move(int item, int from, int to) {
  loads_[index(from)] = without(from, item);
  loads_[index(to)] = with(to, item);
}

Expected ExpectedLoad::with(int bin, int item) const {
  return sum(load(bin), outlook_->items[index(item)], 1);
}

Expected ExpectedLoad::without(int bin, int item) const {
  return sum(load(bin), outlook_->items[index(item)], -1);
}

std::vector<plan::Step> relieve(plan::State& state, Loads& loads, const std::vector<int>& hot,
                                const MovePrice& price, const plan::SearchLimits& limits) {
  return Relief(state, loads, price, limits).run(hot);
}

std::vector<plan::Step> relieve(plan::State& state, const Outlook& outlook, const std::vector<int>& hot,
                                const MovePrice& price, const plan::SearchLimits& limits) {
  ExpectedLoad loads(state, outlook);
  return relieve(state, loads, hot, price, limits);
}

}  // namespace rackline::decide
