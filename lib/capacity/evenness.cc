// SPDX-License-Identifier: Apache-2.0
#include "capacity/evenness.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <queue>
#include <tuple>

namespace rackline::capacity {
namespace {

constexpr double kRounding = 1e-9;

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

}  // namespace

Evenness::Evenness(const plan::Model& model, const EvenWeights& weights, const std::vector<bool>& measured)
    : model_(&model), weights_(weights) {
  const auto counts = [&model](int bin) { return model.state(bin) == plan::BinState::kOpen; };
  for (int bin = 0; bin < model.bins(); ++bin) bins_ += counts(bin) ? 1 : 0;
  const auto metric = [&](double weight) {
    Metric made;
    made.weight = weight;
    made.amounts.assign(index(model.items()), 1);
    made.shares.assign(index(model.bins()), 0);
    made.own.assign(index(model.bins()), 0);
    for (int bin = 0; bin < model.bins(); ++bin) made.shares[index(bin)] = counts(bin) ? 1 : 0;
    return made;
  };
  Metric memory = metric(weights.memory);
  Metric vcpus = metric(weights.vcpus);
  Metric cpu = metric(weights.cpu);
  Metric servers = metric(weights.servers);
  for (int item = 0; item < model.items(); ++item) {
    memory.amounts[index(item)] = static_cast<double>(model.demand(item, kMemory).peak);
    vcpus.amounts[index(item)] = static_cast<double>(model.demand(item, kCpu).peak);
    if (measured[index(item)])
      cpu.amounts[index(item)] = static_cast<double>(model.demand(item, kCpu).usual) / 1000;
  }
  for (int bin = 0; bin < model.bins(); ++bin) {
    if (!counts(bin)) continue;
    const auto share = [&](int r) {
      const plan::Amount size = model.supply(bin, r).size;
      return size > 0 ? 1 / static_cast<double>(size) : 0;
    };
    memory.shares[index(bin)] = share(kMemory);
    memory.own[index(bin)] = static_cast<double>(model.supply(bin, kMemory).reserve) * share(kMemory);
    vcpus.shares[index(bin)] = share(kCpu);
    vcpus.own[index(bin)] = 1000 * share(kCpu);
  }
  metrics_.push_back(std::move(memory));
  metrics_.push_back(std::move(vcpus));
  // Two deviations of the same numbers are one of twice the weight, and half the work.
  if (std::find(measured.begin(), measured.end(), true) == measured.end()) {
    servers.weight += cpu.weight;
  } else {
    metrics_.push_back(std::move(cpu));
  }
  metrics_.push_back(std::move(servers));
}

double Evenness::of(const plan::State& state) const {
  double score = 0;
  for (const Metric& metric : metrics_) {
    double sum = 0;
    double squares = 0;
    for (int bin = 0; bin < model_->bins(); ++bin) {
      if (model_->state(bin) != plan::BinState::kOpen) continue;
      double value = 0;
      for (const int item : state.items_on(bin)) value += metric.amounts[index(item)];
      value = metric.own[index(bin)] + value * metric.shares[index(bin)];
      sum += value;
      squares += value * value;
    }
    if (bins_ == 0) continue;
    const double mean = sum / bins_;
    score += metric.weight * std::sqrt(std::max(0.0, squares / bins_ - mean * mean));
  }
  for (int bin = 0; bin < model_->bins(); ++bin) {
    if (model_->state(bin) == plan::BinState::kLeaving) {
      score += weights_.offline * static_cast<double>(state.items_on(bin).size());
    }
    for (int g = 0; g < model_->groups(); ++g) {
      if (model_->group(g).per_bin != 1) continue;
      score += weights_.exclusion * std::max(0, state.group_count(g, bin) - 1);
    }
  }
  return score;
}

class Evener {
 public:
  Evener(plan::State& state, const Evenness& evenness, const EvenLimits& limits)
      : state_(state), model_(state.model()), limits_(limits), bins_(evenness.bins_) {
    for (const auto& metric : evenness.metrics_) {
      if (metric.weight > 0) metrics_.push_back({&metric, {}, 0, 0, 0});
    }
    for (int bin = 0; bin < model_.bins(); ++bin) {
      if (model_.state(bin) == plan::BinState::kOpen) open_.push_back(bin);
    }
    for (int item = 0; item < model_.items(); ++item) moved_ += away(item, state_.where(item));
    if (limits_.keep_spare) without_spare_ = state_.bins_without_spare();
    classify();
    sum_up();
  }

  void run() {
    if (open_.size() < 2) return;
    do {
      descend();
    } while (exchange());
  }

 private:
  struct Sums {
    const Evenness::Metric* metric;
    std::vector<double> values;  // of each bin
    double sum;
    double squares;
    double deviation;  // times its weight
  };
  struct Shift {
    double gain = 0;
    int item = plan::kNowhere;
    int to = plan::kNowhere;
  };

  int away(int item, int bin) const {
    return bin != model_.start(item) && model_.start(item) != plan::kNowhere ? 1 : 0;
  }
  bool movable(int item) const { return !model_.frozen(item); }
  // Like items on a bin are tried once. Those that started there and those that did not are not alike: the
  // former cost a move.
  void classify();
  void sum_up();
  double weighted(const Sums& sums, double sum, double squares) const {
    const double mean = sum / bins_;
    return sums.metric->weight * std::sqrt(std::max(0.0, squares / bins_ - mean * mean));
  }
  // What the score falls by when `plus - minus` of a metric goes from one bin to another.
  double gain(int from, int to, int item, int other) const;
  bool may(int rise) const { return moved_ + rise <= limits_.max_moves; }
  Shift best_from(int from) const;
  bool go(int item, int to);
  void place(int item, int to);
  void descend();
  bool exchange();
  bool exchange_from(int bin);
  bool swap(int one, int other);
  std::vector<int> representatives(int bin) const;

  plan::State& state_;
  const plan::Model& model_;
  EvenLimits limits_;
  int bins_;
  std::vector<Sums> metrics_;
  std::vector<int> open_;
  std::vector<int> kind_;  // of each item
  int moved_ = 0;
  int without_spare_ = 0;
  mutable std::int64_t evaluations_ = 0;
};

void Evener::classify() {
  std::map<std::vector<double>, int> kinds;
  for (int item = 0; item < model_.items(); ++item) {
    std::vector<double> key;
    for (const Sums& sums : metrics_) key.push_back(sums.metric->amounts[index(item)]);
    key.push_back(model_.item_class(item));
    key.push_back(model_.group_begin(item + 1) - model_.group_begin(item) > 0 ? item + 1 : 0);
    kind_.push_back(kinds.emplace(std::move(key), static_cast<int>(kinds.size())).first->second);
  }
}

void Evener::sum_up() {
  for (Sums& sums : metrics_) {
    sums.values.assign(index(model_.bins()), 0);
    sums.sum = sums.squares = 0;
    for (const int bin : open_) {
      double value = 0;
      for (const int item : state_.items_on(bin)) value += sums.metric->amounts[index(item)];
      value = sums.metric->own[index(bin)] + value * sums.metric->shares[index(bin)];
      sums.values[index(bin)] = value;
      sums.sum += value;
      sums.squares += value * value;
    }
    sums.deviation = weighted(sums, sums.sum, sums.squares);
  }
}

double Evener::gain(int from, int to, int item, int other) const {
  ++evaluations_;
  double gain = 0;
  for (const Sums& sums : metrics_) {
    const double amount = sums.metric->amounts[index(item)] -
                          (other != plan::kNowhere ? sums.metric->amounts[index(other)] : 0.0);
    const double less = -amount * sums.metric->shares[index(from)];
    const double more = amount * sums.metric->shares[index(to)];
    const double squares = sums.squares + less * (2 * sums.values[index(from)] + less) +
                           more * (2 * sums.values[index(to)] + more);
    gain += sums.deviation - weighted(sums, sums.sum + less + more, squares);
  }
  gain -= limits_.least_gain * (away(item, to) - away(item, from));
  if (other != plan::kNowhere) gain -= limits_.least_gain * (away(other, from) - away(other, to));
  return gain;
}

std::vector<int> Evener::representatives(int bin) const {
  std::vector<std::tuple<int, int, int>> kinds;
  for (const int item : state_.items_on(bin)) {
    if (!movable(item)) continue;
    // An item away from home may go back for nothing, and only to its home.
    kinds.emplace_back(kind_[index(item)], away(item, bin) ? model_.start(item) : plan::kNowhere, item);
  }
  std::sort(kinds.begin(), kinds.end());
  std::vector<int> items;
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    if (k > 0 && std::get<0>(kinds[k]) == std::get<0>(kinds[k - 1]) &&
        std::get<1>(kinds[k]) == std::get<1>(kinds[k - 1])) {
      continue;
    }
    items.push_back(std::get<2>(kinds[k]));
  }
  return items;
}

Evener::Shift Evener::best_from(int from) const {
  Shift best{kRounding, plan::kNowhere, plan::kNowhere};
  for (const int item : representatives(from)) {
    for (const int to : open_) {
      if (to == from || !may(away(item, to) - away(item, from))) continue;
      const double gained = gain(from, to, item, plan::kNowhere);
      if (gained > best.gain && state_.admits(item, to)) best = {gained, item, to};
    }
  }
  return best;
}

void Evener::place(int item, int to) {
  const int from = state_.where(item);
  moved_ += away(item, to) - away(item, from);
  state_.move(item, to);
  for (Sums& sums : metrics_) {
    for (const int bin : {from, to}) {
      const double old = sums.values[index(bin)];
      const double amount = sums.metric->amounts[index(item)] * sums.metric->shares[index(bin)];
      const double now = bin == from ? old - amount : old + amount;
      sums.sum += now - old;
      sums.squares += now * now - old * old;
      sums.values[index(bin)] = now;
    }
    sums.deviation = weighted(sums, sums.sum, sums.squares);
  }
}

bool Evener::go(int item, int to) {
  const int from = state_.where(item);
  place(item, to);
  if (!limits_.keep_spare || state_.bins_without_spare() <= without_spare_) return true;
  place(item, from);
  return false;
}

// The best shift of all, again and again. A bin's best one is looked for anew only when its turn comes: what
// other moves do to it is mostly little, and the last round, in which nobody has one, asks them all.
void Evener::descend() {
  struct Turn {
    double gain;
    int bin;
    bool operator<(const Turn& other) const {
      return gain != other.gain ? gain < other.gain : bin > other.bin;
    }
  };
  for (bool any = true; any;) {
    any = false;
    sum_up();
    std::priority_queue<Turn> turns;
    for (const int bin : open_) {
      if (const Shift shift = best_from(bin); shift.item != plan::kNowhere) turns.push({shift.gain, bin});
    }
    while (!turns.empty()) {
      const int from = turns.top().bin;
      turns.pop();
      const Shift shift = best_from(from);
      if (shift.item == plan::kNowhere) continue;
      if (!turns.empty() && shift.gain < turns.top().gain) {
        turns.push({shift.gain, from});
        continue;
      }
      if (!go(shift.item, shift.to)) continue;
      any = true;
      for (const int bin : {from, shift.to}) {
        if (const Shift next = best_from(bin); next.item != plan::kNowhere && bin == from)
          turns.push({next.gain, bin});
      }
    }
  }
}

bool Evener::swap(int one, int other) {
  const int here = state_.where(one);
  const int there = state_.where(other);
  if (!state_.admits_exchange(one, other)) return false;
  place(other, here);
  if (go(one, there)) return true;
  place(other, there);
  return false;
}

// The best exchange of an item of this bin.
bool Evener::exchange_from(int bin) {
  double best = kRounding;
  int one = plan::kNowhere;
  int other = plan::kNowhere;
  const std::vector<int> here = representatives(bin);
  for (const int there : open_) {
    if (there == bin) continue;
    const std::vector<int> items = representatives(there);
    for (const int item : here) {
      if (!model_.allows(model_.item_class(item), there)) continue;
      for (const int against : items) {
        const int rise = away(item, there) - away(item, bin) + away(against, bin) - away(against, there);
        if (!may(rise)) continue;
        const double gained = gain(bin, there, item, against);
        if (gained > best) {
          best = gained;
          one = item;
          other = against;
        }
      }
    }
  }
  return one != plan::kNowhere && swap(one, other);
}

bool Evener::exchange() {
  bool any = false;
  for (const int bin : open_) {
    while (evaluations_ < limits_.budget && exchange_from(bin)) any = true;
  }
  return any;
}

void even_out(plan::State& state, const Evenness& evenness, const EvenLimits& limits) {
  Evener(state, evenness, limits).run();
}

}  // namespace rackline::capacity
