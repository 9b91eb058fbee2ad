// SPDX-License-Identifier: Apache-2.0
#include "plan/room.h"

#include <algorithm>
#include <functional>

#include "plan/company.h"

namespace rackline::plan {
namespace {

// What is tried to make room for one item: bins, items of each that could leave, places for each of those.
constexpr std::size_t kBinsTried = 32;
constexpr std::size_t kOthersTried = 12;
constexpr std::size_t kTargetsTried = 6;

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

}  // namespace

Room::Room(State& state, const Limits& limits)
    : state_(state), model_(state.model()), limits_(limits), out_(index(model_.bins()), false) {
  if (limits_.keep_spare) allowed_without_spare_ = state.bins_without_spare();
}

void Room::back_to(std::size_t mark) {
  while (steps_.size() > mark) {
    state_.move(steps_.back().item, steps_.back().from);
    steps_.pop_back();
  }
}

bool Room::overloads(int item, int bin) const {
  for (int r = 0; r < model_.resources(); ++r) {
    const Supply& supply = model_.supply(bin, r);
    if (supply.overload_cost <= 0) continue;
    const Amount most = limits_.most_load > 0
                            ? static_cast<Amount>(limits_.most_load * static_cast<double>(supply.size))
                            : supply.safety;
    const Amount usual = model_.demand(item, r).usual;
    if (usual > 0 && state_.load(bin, r) + usual > most) return true;
  }
  return false;
}

Obstacle Room::obstacle(int item, int bin) const {
  if (out_[index(bin)]) return {Obstacle::Kind::kBinClosed, bin, 0};
  return state_.obstacle(item, bin);
}

double Room::fullness(int item, int bin) const {
  double most = 0;
  for (int r = 0; r < model_.resources(); ++r) {
    const double size = static_cast<double>(std::max<Amount>(1, model_.supply(bin, r).size));
    most = std::max(most, static_cast<double>(state_.load(bin, r) + model_.demand(item, r).usual) / size);
  }
  return most;
}

bool Room::go_somewhere(int item, int except, std::size_t most, Step::Why why, int because) {
  std::vector<std::pair<double, int>> ranked;
  ranked.reserve(index(model_.bins()));
  for (int bin = 0; bin < model_.bins(); ++bin) {
    if (bin == except || bin == state_.where(item) || out_[index(bin)]) continue;
    // The fullest are mostly too full, so they are asked before they are put in order.
    if (limits_.fill && (overloads(item, bin) || obstacle(item, bin))) continue;
    const double full = fullness(item, bin);
    // An empty bin is the last that is to be filled.
    const bool fresh = limits_.fill && state_.items_on(bin).empty();
    ranked.emplace_back(limits_.fill ? (fresh ? 2.0 : 1.0 - full) : full, bin);
  }
  // Mostly one of the first will do, so neither are the others put in order nor asked what forbids them.
  const auto later = std::greater<std::pair<double, int>>();
  std::make_heap(ranked.begin(), ranked.end(), later);
  for (std::size_t tried = 0; !ranked.empty() && tried < most;) {
    std::pop_heap(ranked.begin(), ranked.end(), later);
    const int bin = ranked.back().second;
    ranked.pop_back();
    if (!limits_.fill && (obstacle(item, bin) || overloads(item, bin))) continue;
    if (go(item, bin, why, because)) return true;
    ++tried;
  }
  return false;
}

bool Room::go(int item, int bin, Step::Why why, int because) {
  const int from = state_.where(item);
  if (limits_.keep_spare && from != kNowhere) {
    state_.depart(item, bin);
    if (state_.bins_without_spare() > allowed_without_spare_) {
      state_.recall(item);
      return false;
    }
    state_.arrive(item);
  } else {
    state_.move(item, bin);
  }
  if (limits_.keep_spare && state_.bins_without_spare() > allowed_without_spare_) {
    state_.move(item, from);
    return false;
  }
  steps_.push_back({item, from, bin, why, because});
  return true;
}

// What would have to leave the bin for the item to come: those that suffice alone first, the smallest of them
// leading; then the largest, of which several may.
std::vector<int> Room::in_the_way(int bin, int item, const Obstacle& obstacle) const {
  using Kind = Obstacle::Kind;
  std::vector<int> items;
  for (const int other : state_.items_on(bin)) {
    if (other == item || model_.frozen(other) || model_.start(other) == kNowhere) continue;
    if (obstacle.kind == Kind::kCapacity) {
      if (model_.demand(other, obstacle.which).peak > 0) items.push_back(other);
    } else if (obstacle.kind == Kind::kGroupBin) {
      const auto begin = model_.group_list().begin() + model_.group_begin(other);
      const auto end = model_.group_list().begin() + model_.group_begin(other + 1);
      if (std::find(begin, end, obstacle.which) != end) items.push_back(other);
    } else if (obstacle.kind == Kind::kNone) {  // of the load
      items.push_back(other);
    }
  }
  const auto size = [&](int other) {
    if (obstacle.kind == Kind::kCapacity) return model_.demand(other, obstacle.which).peak;
    Amount sum = 0;
    for (int r = 0; r < model_.resources(); ++r) sum += model_.demand(other, r).usual;
    return sum;
  };
  std::stable_sort(items.begin(), items.end(), [&](int a, int b) {
    const bool enough_a = size(a) >= obstacle.missing;
    const bool enough_b = size(b) >= obstacle.missing;
    if (enough_a != enough_b) return enough_a;
    if (size(a) != size(b)) return enough_a ? size(a) < size(b) : size(a) > size(b);
    return a < b;
  });
  return items;
}

bool Room::free_up(int bin, int item) {
  const std::size_t before = mark();
  while (true) {
    const Obstacle why = obstacle(item, bin);
    if (!why && !overloads(item, bin)) return true;
    const bool mendable =
        !why || why.kind == Obstacle::Kind::kCapacity || why.kind == Obstacle::Kind::kGroupBin;
    if (!mendable || mark() - before >= static_cast<std::size_t>(kMostAside)) break;
    std::vector<int> others = in_the_way(bin, item, why);
    if (others.size() > kOthersTried) others.resize(kOthersTried);
    const bool freed = std::any_of(others.begin(), others.end(), [&](int other) {
      return go_somewhere(other, bin, kTargetsTried, Step::Why::kRoom, item);
    });
    if (!freed) break;
  }
  back_to(before);
  return false;
}

bool Room::settle(int item, Step::Why why) {
  if (go_somewhere(item, kNowhere, index(model_.bins()), why, kNowhere)) return true;
  if (go_in_company(item)) return true;
  if (!limits_.aside) return false;
  // Those that lack least are asked; of them, the one where least has to move.
  std::vector<std::pair<Amount, int>> near;
  for (int bin = 0; bin < model_.bins(); ++bin) {
    if (bin == state_.where(item)) continue;
    const Obstacle obstacle = this->obstacle(item, bin);
    const bool mendable =
        !obstacle || obstacle.kind == Obstacle::Kind::kCapacity || obstacle.kind == Obstacle::Kind::kGroupBin;
    if (mendable) near.emplace_back(obstacle.missing, bin);
  }
  std::sort(near.begin(), near.end());
  if (near.size() > kBinsTried) near.resize(kBinsTried);
  const std::size_t before = mark();
  std::vector<Step> best;
  Amount least = 0;
  for (const auto& [missing, bin] : near) {
    if (!free_up(bin, item) || !go(item, bin, why, kNowhere)) {
      back_to(before);
      continue;
    }
    Amount cost = 0;
    for (std::size_t i = before; i < steps_.size(); ++i) cost += 1 + model_.demand(steps_[i].item, 0).peak;
    if (best.empty() || cost < least) {
      best.assign(steps_.begin() + static_cast<std::ptrdiff_t>(before), steps_.end());
      least = cost;
    }
    back_to(before);
  }
  for (const Step& step : best) {
    state_.move(step.item, step.to);
    steps_.push_back(step);
  }
  return !best.empty();
}

bool Room::go_in_company(int item) {
  if (!model_.has_company() || state_.where(item) == kNowhere) return false;
  const std::vector<int> company = company_of(state_, item);
  if (company.size() < 2) return false;
  return leave_together(
      state_, company, [&](int one, int bin) { return !out_[index(bin)] && !overloads(one, bin); },
      [&] { return !limits_.keep_spare || state_.bins_without_spare() <= allowed_without_spare_; }, steps_);
}

bool Room::empty(int bin, int& stuck) {
  const std::size_t before = mark();
  const bool was_out = is_out(bin);
  take_out(bin, true);
  std::vector<int> items = state_.items_on(bin);
  std::sort(items.begin(), items.end(), [&](int a, int b) {
    for (int r = 0; r < model_.resources(); ++r) {
      if (model_.demand(a, r).peak != model_.demand(b, r).peak) {
        return model_.demand(a, r).peak > model_.demand(b, r).peak;
      }
    }
    return a < b;
  });
  for (const int item : items) {
    if (state_.where(item) != bin || settle(item, Step::Why::kRepair)) continue;  // some went in company
    stuck = item;
    back_to(before);
    take_out(bin, was_out);
    return false;
  }
  stuck = kNowhere;
  return true;
}

}  // namespace rackline::plan
