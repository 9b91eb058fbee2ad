// SPDX-License-Identifier: Apache-2.0
// What a placement is worth, and would be with a move more.
#include <algorithm>
#include <cmath>

#include "plan/state.h"

namespace rackline::plan {

double State::overload(int bin, int r, Amount load) const {
  const BinState state = model_->state(bin);
  if (state != BinState::kOpen && state != BinState::kClosed) return 0;
  const Supply& supply = model_->supply(bin, r);
  return load > supply.safety ? supply.overload_cost * static_cast<double>(load - supply.safety) : 0;
}

double State::deviation(int bin, int r, Amount load) const {
  const double size = static_cast<double>(model_->supply(bin, r).size);
  if (model_->state(bin) != BinState::kOpen || size <= 0) return 0;
  const double off = static_cast<double>(load) / size - centre_[index(r)];
  return size * off * off;
}

void State::sum_up() {
  moves_since_sum_ = 0;
  overload_ = 0;
  mismatch_ = 0;
  for (int bin = 0; bin < model_->bins(); ++bin) mismatch_ += mismatch(bin, nullptr, 0);
  for (int r = 0; r < model_->resources(); ++r) {
    deviation_[index(r)] = 0;
    sum_[index(r)] = 0;
    for (int bin = 0; bin < model_->bins(); ++bin) {
      overload_ += overload(bin, r, load(bin, r));
      deviation_[index(r)] += deviation(bin, r, load(bin, r));
      if (model_->state(bin) == BinState::kOpen && model_->supply(bin, r).size > 0) {
        sum_[index(r)] += load(bin, r);
      }
    }
  }
}

double State::combine(int r, double deviation, Amount sum) const {
  const Resource& resource = model_->resource(r);
  const double size = total_size_[index(r)];
  if (resource.balance_weight == 0 || size <= 0) return 0;
  const double mean = static_cast<double>(sum) / size;
  const double off = mean - centre_[index(r)];
  const double variance = std::max(0.0, deviation / size - off * off);
  return resource.balance_weight * std::sqrt(variance) / std::max(mean, resource.mean_floor);
}

double State::slope(int r) const {
  const Resource& resource = model_->resource(r);
  const double size = total_size_[index(r)];
  if (resource.balance_weight == 0 || size <= 0) return 0;
  const double mean = static_cast<double>(sum_[index(r)]) / size;
  const double off = mean - centre_[index(r)];
  const double variance = deviation_[index(r)] / size - off * off;
  if (variance < 1e-12) return 0;
  return resource.balance_weight / (2 * size * std::sqrt(variance) * std::max(mean, resource.mean_floor));
}

double State::score_of_imbalance() const {
  double score = 0;
  for (int r = 0; r < model_->resources(); ++r) score += combine(r, deviation_[index(r)], sum_[index(r)]);
  return score;
}

double State::score() const {
  return score_of_imbalance() + std::max(0.0, overload_) + std::max(0.0, mismatch_);
}

double State::score_with(int from, int to, const Amount* amounts) const {
  double score = 0;
  double over = overload_;
  for (int r = 0; r < model_->resources(); ++r) {
    const Amount amount = amounts[r];
    double dev = deviation_[index(r)];
    Amount sum = sum_[index(r)];
    for (const int bin : {from, to}) {
      if (amount == 0 || bin == kNowhere) continue;
      const Amount present = load(bin, r);
      const Amount then = bin == from ? present - amount : present + amount;
      over += overload(bin, r, then) - overload(bin, r, present);
      dev += deviation(bin, r, then) - deviation(bin, r, present);
      if (model_->state(bin) == BinState::kOpen && model_->supply(bin, r).size > 0) sum += then - present;
    }
    score += combine(r, dev, sum);
  }
  if (!model_->balances().empty()) {
    double off = mismatch_;
    if (from != kNowhere) off += mismatch(from, amounts, -1) - mismatch(from, nullptr, 0);
    if (to != kNowhere) off += mismatch(to, amounts, 1) - mismatch(to, nullptr, 0);
    score += std::max(0.0, off);
  }
  return score + std::max(0.0, over);
}

double State::score_with_shift(int item, int bin) const {
  if (where(item) == bin) return score();
  Amount amounts[kMostResources] = {};
  for (int r = 0; r < model_->resources(); ++r) amounts[r] = model_->demand(item, r).usual;
  return score_with(where(item), bin, amounts);
}

double State::score_with_swap(int one, int other) const {
  Amount amounts[kMostResources] = {};
  for (int r = 0; r < model_->resources(); ++r) {
    amounts[r] = model_->demand(one, r).usual - model_->demand(other, r).usual;
  }
  return score_with(where(one), where(other), amounts);
}

}  // namespace rackline::plan
