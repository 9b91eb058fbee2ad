// SPDX-License-Identifier: Apache-2.0
#include "plan/room.h"

#include <algorithm>
#include <functional>

namespace rackline::plan {
namespace {

// What is tried to make room for one item: bins, items of each that could leave, places for each of those.
constexpr std::size_t kBinsTried = 32;
constexpr std::size_t kOthersTried = 12;
constexpr std::size_t kTargetsTried = 6;

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

bool can_fail(const State& state, int bin, const std::vector<bool>& out) {
  const BinState kind = state.model().state(bin);
  return !out[index(bin)] && (kind == BinState::kOpen || kind == BinState::kClosed);
}

}  // namespace

// First fit decreasing.
bool has_spare(const State& state, int failed, const std::vector<bool>& out) {
  const Model& model = state.model();
  const int r = model.spare_resource();
  std::vector<Amount> sizes;
  Amount all = 0;
  Amount largest = 0;
  for (const int item : state.items_on(failed)) {
    const Amount peak = model.demand(item, r).peak;
    if (peak <= 0 || state.in_flight(item)) continue;
    sizes.push_back(peak);
    all += peak;
    largest = std::max(largest, peak);
  }
  if (sizes.empty()) return true;
  std::vector<Amount> rooms;
  Amount certain = 0;
  for (int bin = 0; bin < model.bins(); ++bin) {
    if (bin == failed || out[index(bin)] || model.state(bin) != BinState::kOpen) continue;
    const Amount room = model.capacity(bin, r) - state.used(bin, r);
    if (room <= 0) continue;
    rooms.push_back(room);
    // Whatever order they come in, a bin is passed over only with less room left than the largest needs. In a
    // cluster that is not full a few bins decide it.
    certain += std::max<Amount>(0, room - largest);
    if (certain >= all) return true;
  }
  std::sort(sizes.begin(), sizes.end(), std::greater<>());
  return std::all_of(sizes.begin(), sizes.end(), [&](Amount size) {
    const auto room = std::find_if(rooms.begin(), rooms.end(), [size](Amount f) { return f >= size; });
    if (room == rooms.end()) return false;
    *room -= size;
    return true;
  });
}

int bins_without_spare(const State& state, const std::vector<bool>& out) {
  if (state.model().spare_resource() == kNowhere) return 0;
  int count = 0;
  for (int bin = 0; bin < state.model().bins(); ++bin) {
    if (can_fail(state, bin, out) && !has_spare(state, bin, out)) ++count;
  }
  return count;
}

int first_without_spare(const State& state, const std::vector<bool>& out) {
  if (state.model().spare_resource() == kNowhere) return kNowhere;
  for (int bin = 0; bin < state.model().bins(); ++bin) {
    if (can_fail(state, bin, out) && !has_spare(state, bin, out)) return bin;
  }
  return kNowhere;
}

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
    if (limits_.fill && (obstacle(item, bin) || overloads(item, bin))) continue;
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
    if (settle(item, Step::Why::kRepair)) continue;
    stuck = item;
    back_to(before);
    take_out(bin, was_out);
    return false;
  }
  stuck = kNowhere;
  return true;
}

}  // namespace rackline::plan
