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
  Relief(plan::State& state, const Outlook& outlook, MovePrice price, const plan::SearchLimits& limits)
      : state_(state),
        model_(state.model()),
        outlook_(outlook),
        price_(price),
        limits_(limits),
        expected_(state, outlook),
        without_spare_(limits.keep_spare ? state.bins_without_spare() : 0) {
    for (int item = 0; item < model_.items(); ++item)
      away_ += state.where(item) != model_.start(item) ? 1 : 0;
  }

  std::vector<plan::Step> run(std::vector<int> hot);

 private:
  struct Candidate {
    double gain;
    int item;
    int to;
  };

  void collect(int from, const std::vector<int>& calm, double price,
               std::vector<Candidate>& candidates) const;
  bool fits(int item, int to) const;
  bool take(int item, int to);
  bool keeps_spare() const { return !limits_.keep_spare || state_.bins_without_spare() <= without_spare_; }

  plan::State& state_;
  const plan::Model& model_;
  const Outlook& outlook_;
  MovePrice price_;
  plan::SearchLimits limits_;
  ExpectedLoad expected_;
  int without_spare_;
  int away_ = 0;
};

bool Relief::fits(int item, int to) const {
  const double safety = expected_.safety(to);
  const int r = outlook_.resource;
  return expected_.with(to, item).mean <= safety &&
         static_cast<double>(state_.load(to, r) + model_.demand(item, r).usual) <= safety &&
         state_.admits(item, to);
}

void Relief::collect(int from, const std::vector<int>& calm, double price,
                     std::vector<Candidate>& candidates) const {
  const double present = expected_.trouble(from);
  for (const int item : state_.items_on(from)) {
    if (model_.frozen(item) || outlook_.items[index(item)].mean <= 0) continue;
    const double relief = present - expected_.trouble(from, expected_.without(from, item));
    int tried = 0;
    for (const int to : calm) {
      if (to == from || !fits(item, to)) continue;
      const double harm = expected_.trouble(to, expected_.with(to, item)) - expected_.trouble(to);
      const double gain = (relief - harm) * price_.horizon;
      if (gain >= price) candidates.push_back({gain, item, to});
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
  expected_.move(item, from, to);
  return true;
}

std::vector<plan::Step> Relief::run(std::vector<int> hot) {
  std::vector<plan::Step> steps;
  std::vector<int> calm;
  for (int bin = 0; bin < model_.bins(); ++bin) {
    if (model_.state(bin) == plan::BinState::kOpen) calm.push_back(bin);
  }
  std::vector<double> trouble(index(model_.bins()));
  std::vector<double> ease(index(model_.bins()));  // standard deviations below the safety
  for (bool moved = true; moved && away_ < limits_.max_moves;) {
    moved = false;
    for (int bin = 0; bin < model_.bins(); ++bin) {
      const Expected& load = expected_.load(bin);
      trouble[index(bin)] = expected_.trouble(bin);
      ease[index(bin)] = (expected_.safety(bin) - load.mean) / expected_.deviation(load);
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
    : model_(&state.model()), outlook_(&outlook), loads_(outlook.bins) {
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

double ExpectedLoad::trouble(int bin, const Expected& load) const {
  const Tail part = tail((safety(bin) - load.mean) / deviation(load));
  return part.above + kExcess * part.excess * deviation(load) / std::max(safety(bin), 1.0);
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

std::vector<plan::Step> relieve(plan::State& state, const Outlook& outlook, const std::vector<int>& hot,
                                MovePrice price, const plan::SearchLimits& limits) {
  return Relief(state, outlook, price, limits).run(hot);
}

}  // namespace rackline::decide
