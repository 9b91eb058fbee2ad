// SPDX-License-Identifier: Apache-2.0
#include "plan/reassign.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "plan/reassign_kernel.h"

namespace rackline::plan {
namespace {

constexpr int kTrialsBetweenLooks = 4096;

// The temperature, in shares of what an item costs on the mean if all of it is overload. At the first, items
// move about freely; at the last, nothing is accepted that counts. Found by watching instances of the
// challenge and of our own: between 0.5 and 0.002 everything falls into place.
constexpr double kHot = 1.0;
constexpr double kCold = 5e-4;
// With fewer trials for each item than this, melting takes longer than freezing has left.
constexpr double kTrialsForHot = 1000;
constexpr double kLeastHot = 0.02;
// First a descent for so much of the time, so that there is something soon.
constexpr double kDescent = 0.04;

// Kinds of trials, in shares: exchanges, else shifts; of shifts, those that end where the item started. What
// is transient makes the way home the only one that is always open. Chains (an item takes another's place,
// and that goes to a third bin) were tried as well: time for them is better spent on these two.
constexpr double kExchanges = 0.5;
constexpr double kHome = 0.3;

// Dependencies may be unmet for a while, at a price that falls while all are met and rises while they are
// not. Where that has lasted for this share of the time there is no way back but the last placement that met
// all.
constexpr double kLongUnmet = 0.02;
constexpr int kReturnsUntilStrict = 2;
constexpr double kPriceStep = 1.02;
constexpr double kLeastPrice = 3;  // in temperatures

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

// xoshiro256**, Blackman and Vigna: mt19937_64 takes as long as a whole trial.
class Random {
 public:
  explicit Random(std::uint64_t seed) {
    for (auto& word : state_) {
      // splitmix64, so that seeds that are near to one another have nothing in common.
      std::uint64_t z = (seed += 0x9e3779b97f4a7c15);
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }
  std::uint64_t bits() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  int below(int limit) {
    return static_cast<int>(((bits() >> 32) * static_cast<std::uint64_t>(limit)) >> 32);
  }

 private:
  std::array<std::uint64_t, 4> state_;
};

// What the search can do anything with; see the header.
void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(std::string("not a model for reassign(): ") + what);
}

bool whole(double number) {
  return number == std::floor(number) && std::abs(number) < 1e9;
}

void check(const Model& model) {
  for (int bin = 0; bin < model.bins(); ++bin) {
    require(model.state(bin) == BinState::kOpen, "a bin is not open");
    for (int r = 0; r < model.resources(); ++r) {
      const Supply& supply = model.supply(bin, r);
      require(supply.base == 0, "a bin has a load of its own");
      require(whole(supply.overload_cost) && supply.overload_cost == model.supply(0, r).overload_cost,
              "overload costs differ");
    }
  }
  for (const Balance& balance : model.balances()) {
    require(whole(balance.ratio) && whole(balance.weight), "a balance is not in whole numbers");
  }
  for (int g = 0; g < model.groups(); ++g) {
    require(model.group(g).per_bin == 1 && model.group(g).per_domain == 0, "a group has other limits");
  }
  for (int item = 0; item < model.items(); ++item) {
    require(model.start(item) != kNowhere && !model.frozen(item) && model.item_class(item) == 0,
            "an item is not free");
    require(model.group_begin(item + 1) - model.group_begin(item) <= 1, "an item is of several groups");
    for (int r = 0; r < model.resources(); ++r) {
      const Demand& demand = model.demand(item, r);
      require(demand.peak == demand.usual && demand.usual >= 0, "a peak is not what is usual");
    }
  }
  for (int r = 0; r < model.resources(); ++r) {
    require(model.resource(r).balance_weight == 0, "an imbalance counts");
  }
}

// Loads, as far as they are added and compared. Thirty-two bits where they are enough: twice as many at once.
// Costs are doubles that hold whole numbers, exact up to 2^53.
template <class Load>
class Annealer {
  using Vector = typename Wide<Load>::Loads;
  using Costs = typename Wide<Load>::Costs;
  static constexpr int kLanes = Wide<Load>::kLanes;

 public:
  Annealer(const Model& model, const ReassignLimits& limits);
  Reassigned run();

 private:
  struct Group {
    int apart = -1;       // row in occupied_, -1 when it has but one item
    int min_domains = 0;  // 0 when it needs no look
    bool needs = false;   // depends on others, or others on it
  };

  std::size_t row(int i) const { return index(i) * index(blocks_); }
  bool from_start(int item, int bin) const { return starts_[index(item)] == bin; }

  bool try_shift(int item, int to, double most);
  bool try_swap(int one, int other, double most);
  Ground<Load> ground() const { return {blocks_, lasting_.data(), weights_.data()}; }
  Place<Load> place(int bin) const { return {&room_[row(bin)], &over_[row(bin)]}; }
  bool apart(int item, int to, int leaving) const;
  void go(int item, int to);

  double cost_of_move(int item, int from, int to) const;
  bool allowed(int item, int to) const;
  int unmet_rise(int item, int to) const;
  void count(int item, int from, int to);
  void keep();
  void remember();
  void go_back();
  void watch_needs(double elapsed, double temperature);
  double impact() const;
  void try_some(double temperature);

  const Model& model_;
  const ReassignLimits& limits_;
  Random random_;
  int bins_, items_;
  int blocks_;  // vectors of a row: resources, then balances, then nothing

  std::vector<Vector> demands_;  // [item][block]
  std::vector<Vector> room_;     // [bin][block]: what may still come; as if without limit for a balance
  std::vector<Vector> over_;     // [bin][block]: load above the safety, negative below; a balance likewise
  std::vector<Costs> weights_;   // [block]
  std::vector<Vector> lasting_;  // [block]: all bits where the resource is not transient

  std::vector<int> starts_;
  std::vector<int> where_;
  std::vector<int> position_;
  std::vector<std::vector<int>> on_bin_;
  std::vector<int> domain_, neighbourhood_;
  std::vector<int> group_of_;  // -1 for none
  std::vector<Group> groups_;
  std::vector<std::uint8_t> occupied_;    // [apart][bin]
  std::vector<std::uint16_t> in_domain_;  // [group][domain]
  std::vector<int> spread_;               // [group]
  std::vector<std::uint16_t> near_;       // [group][neighbourhood]
  std::vector<int> moved_;                // [group]
  std::vector<int> groups_moved_;         // [n]
  int most_moved_ = 0;
  std::vector<double> move_costs_;

  double cost_ = 0;
  int unmet_ = 0;     // dependencies
  double price_ = 0;  // of each
  int returns_ = 0;
  bool strict_ = true;  // none may become unmet
  double met_at_ = 0;   // time
  double met_cost_ = 0;
  std::vector<int> met_;
  std::vector<int> wandered_;  // since met_ was remembered
  std::vector<std::uint8_t> is_wandered_;
  // For a temperature of 1: the probability of a rise by x is exp(-x).
  static constexpr std::size_t kPatience = 4096;
  std::array<double, kPatience> patience_;
  double best_cost_ = 0;
  std::vector<int> best_;
  std::vector<int> changed_;  // since best_ was kept
  std::vector<std::uint8_t> is_changed_;
};

template <class Load>
Annealer<Load>::Annealer(const Model& model, const ReassignLimits& limits)
    : model_(model),
      limits_(limits),
      random_(limits.seed),
      bins_(model.bins()),
      items_(model.items()),
      blocks_((model.resources() + static_cast<int>(model.balances().size()) + kLanes - 1) / kLanes),
      demands_(row(items_)),
      room_(row(bins_)),
      over_(row(bins_)),
      weights_(index(blocks_)),
      lasting_(index(blocks_)),
      where_(index(items_)),
      position_(index(items_)),
      on_bin_(index(bins_)),
      spread_(index(model.groups())),
      moved_(index(model.groups())),
      groups_moved_(index(items_ + 1)),
      is_wandered_(index(items_)),
      is_changed_(index(items_)) {
  for (std::size_t i = 0; i < kPatience; ++i) {
    patience_[i] = -std::log((static_cast<double>(i) + 0.5) / static_cast<double>(kPatience));
  }
  const int resources = model.resources();
  const auto put = [](auto& vectors, std::size_t from, int column, Amount value) {
    vectors[from + index(column / kLanes)][column % kLanes] = static_cast<Load>(value);
  };
  for (int r = 0; r < resources; ++r) {
    weights_[index(r / kLanes)][r % kLanes] = bins_ > 0 ? model.supply(0, r).overload_cost : 0;
    lasting_[index(r / kLanes)][r % kLanes] = model.resource(r).transient ? 0 : -1;
  }
  for (std::size_t b = 0; b < model.balances().size(); ++b) {
    const int column = resources + static_cast<int>(b);
    weights_[index(column / kLanes)][column % kLanes] = model.balances()[b].weight;
    lasting_[index(column / kLanes)][column % kLanes] = -1;
  }
  for (int bin = 0; bin < bins_; ++bin) {
    domain_.push_back(model.domain(bin));
    neighbourhood_.push_back(model.neighbourhood(bin));
    for (int b = 0; b < blocks_; ++b) {
      room_[row(bin) + index(b)] = Vector{} + std::numeric_limits<Load>::max();
    }
    for (int r = 0; r < resources; ++r) {
      if (model.resource(r).hard) put(room_, row(bin), r, model.capacity(bin, r));
      put(over_, row(bin), r, -model.supply(bin, r).safety);
    }
    for (std::size_t b = 0; b < model.balances().size(); ++b) {
      const Balance& balance = model.balances()[b];
      put(over_, row(bin), resources + static_cast<int>(b),
          static_cast<Amount>(balance.ratio) * model.supply(bin, balance.lead).size -
              model.supply(bin, balance.other).size);
    }
  }
  std::vector<int> members(index(model.groups()));
  for (int item = 0; item < items_; ++item) {
    starts_.push_back(model.start(item));
    move_costs_.push_back(model.move_cost(item));
    const int begin = model.group_begin(item);
    group_of_.push_back(begin < model.group_begin(item + 1) ? model.group_list()[index(begin)] : -1);
    if (group_of_.back() >= 0) ++members[index(group_of_.back())];
    for (int r = 0; r < resources; ++r) {
      put(demands_, row(item), r, model.demand(item, r).usual);
    }
    for (std::size_t b = 0; b < model.balances().size(); ++b) {
      const Balance& balance = model.balances()[b];
      put(demands_, row(item), resources + static_cast<int>(b),
          model.demand(item, balance.other).usual -
              static_cast<Amount>(balance.ratio) * model.demand(item, balance.lead).usual);
    }
  }
  int apart = 0;
  for (int g = 0; g < model.groups(); ++g) {
    Group group;
    if (members[index(g)] > 1) group.apart = apart++;
    if (model.group(g).min_domains > 1) group.min_domains = model.group(g).min_domains;
    group.needs = !model.dependencies(g).empty() || !model.dependents(g).empty();
    groups_.push_back(group);
  }
  occupied_.resize(index(apart) * index(bins_));
  in_domain_.resize(index(model.groups()) * index(model.domains()));
  near_.resize(index(model.groups()) * index(model.neighbourhoods()));
  groups_moved_[0] = model.groups();
  for (int item = 0; item < items_; ++item) {
    const int bin = starts_[index(item)];
    where_[index(item)] = bin;
    position_[index(item)] = static_cast<int>(on_bin_[index(bin)].size());
    on_bin_[index(bin)].push_back(item);
    count(item, kNowhere, bin);
    for (int b = 0; b < blocks_; ++b) {
      const Vector demand = demands_[row(item) + index(b)];
      over_[row(bin) + index(b)] += demand;
      const int columns = std::min(kLanes, resources - b * kLanes);
      for (int c = 0; c < columns; ++c) room_[row(bin) + index(b)][c] -= demand[c];
    }
  }
  for (int bin = 0; bin < bins_; ++bin) {
    for (int b = 0; b < blocks_; ++b) {
      for (int c = 0; c < kLanes; ++c) {
        const Load over = over_[row(bin) + index(b)][c];
        if (over > 0) cost_ += weights_[index(b)][c] * static_cast<double>(over);
      }
    }
  }
  best_ = met_ = where_;
  best_cost_ = met_cost_ = cost_;
}

template <class Load>
void Annealer<Load>::count(int item, int from, int to) {
  const int g = group_of_[index(item)];
  if (g < 0) return;
  const Group& group = groups_[index(g)];
  const auto change = [&](int bin, int by) {
    if (bin == kNowhere) return;
    if (group.apart >= 0) {
      // Two for a moment, in the midst of an exchange.
      auto& there = occupied_[index(group.apart) * index(bins_) + index(bin)];
      there = static_cast<std::uint8_t>(there + by);
    }
    if (group.min_domains > 0) {
      auto& there = in_domain_[index(g) * index(model_.domains()) + index(domain_[index(bin)])];
      if (by < 0 && there == 1) --spread_[index(g)];
      if (by > 0 && there == 0) ++spread_[index(g)];
      there = static_cast<std::uint16_t>(there + by);
    }
    if (group.needs) {
      auto& there = near_[index(g) * index(model_.neighbourhoods()) + index(neighbourhood_[index(bin)])];
      there = static_cast<std::uint16_t>(there + by);
    }
  };
  change(from, -1);
  change(to, 1);
}

// What the moves cost more with `item` at `to` instead of `from`, its group left out.
template <class Load>
double Annealer<Load>::cost_of_move(int item, int from, int to) const {
  const int start = starts_[index(item)];
  double cost = 0;
  if (to == start) cost -= move_costs_[index(item)];
  if (from == start) cost += move_costs_[index(item)];
  if (model_.has_distances()) {
    cost += model_.distance_weight() * (model_.distance(start, to) - model_.distance(start, from));
  }
  const int g = group_of_[index(item)];
  if (g < 0 || model_.group_move_cost() == 0) return cost;
  const int moved = moved_[index(g)];
  if (from == start && moved == most_moved_) cost += model_.group_move_cost();
  if (to == start && moved == most_moved_ && groups_moved_[index(moved)] == 1) {
    cost -= model_.group_move_cost();
  }
  return cost;
}

// Whether the groups allow it, conflicts apart.
template <class Load>
bool Annealer<Load>::allowed(int item, int to) const {
  const int g = group_of_[index(item)];
  if (g < 0) return true;
  const Group& group = groups_[index(g)];
  const int from = where_[index(item)];
  const int here = domain_[index(from)];
  const int there = domain_[index(to)];
  if (group.min_domains > 0 && here != there) {
    const auto* in = &in_domain_[index(g) * index(model_.domains())];
    const int spread = spread_[index(g)] - (in[here] == 1 ? 1 : 0) + (in[there] == 0 ? 1 : 0);
    if (spread < group.min_domains) return false;
  }
  return true;
}

// What the number of unmet dependencies changes by when the item goes to the bin: a group that is somewhere
// without one that it depends on is one.
template <class Load>
int Annealer<Load>::unmet_rise(int item, int to) const {
  const int g = group_of_[index(item)];
  if (g < 0 || !groups_[index(g)].needs) return 0;
  const int left = neighbourhood_[index(where_[index(item)])];
  const int near = neighbourhood_[index(to)];
  if (left == near) return 0;
  const std::size_t columns = index(model_.neighbourhoods());
  const auto there = [&](int group, int place) { return near_[index(group) * columns + index(place)] > 0; };
  int rise = 0;
  if (near_[index(g) * columns + index(left)] == 1) {
    for (const int on : model_.dependencies(g)) rise -= there(on, left) ? 0 : 1;
    for (const int dependent : model_.dependents(g)) rise += there(dependent, left) ? 1 : 0;
  }
  if (!there(g, near)) {
    for (const int on : model_.dependencies(g)) rise += there(on, near) ? 0 : 1;
    for (const int dependent : model_.dependents(g)) rise -= there(dependent, near) ? 1 : 0;
  }
  return rise;
}

// Whether a group keeps the item from the bin, as another of it is there; `leaving` is about to go.
template <class Load>
bool Annealer<Load>::apart(int item, int to, int leaving) const {
  const int g = group_of_[index(item)];
  if (g < 0 || groups_[index(g)].apart < 0) return false;
  if (leaving >= 0 && group_of_[index(leaving)] == g) return false;
  return occupied_[index(groups_[index(g)].apart) * index(bins_) + index(to)] != 0;
}

template <class Load>
bool Annealer<Load>::try_shift(int item, int to, double most) {
  const int from = where_[index(item)];
  if (from == to || apart(item, to, -1)) return false;
  const Parcel<Load> parcel{&demands_[row(item)], from_start(item, from), from_start(item, to)};
  double delta = shift_cost(ground(), parcel, place(from), place(to));
  if (delta > most + price_ * unmet_) return false;
  delta += cost_of_move(item, from, to);
  const int rise = unmet_rise(item, to);
  if (rise > 0 && strict_) return false;
  if (delta + price_ * rise > most || !allowed(item, to)) return false;
  cost_ += delta;
  unmet_ += rise;
  go(item, to);
  return true;
}

// `one` to where `other` is, and that to the third bin.
template <class Load>
bool Annealer<Load>::try_swap(int one, int other, double most) {
  const int here = where_[index(one)];
  const int there = where_[index(other)];
  if (here == there || apart(one, there, other) || apart(other, here, one)) return false;
  const Parcel<Load> first{&demands_[row(one)], from_start(one, here), from_start(one, there)};
  const Parcel<Load> second{&demands_[row(other)], from_start(other, there), from_start(other, here)};
  double delta = swap_cost(ground(), first, second, place(here), place(there));
  if (delta > most + price_ * unmet_) return false;
  delta += cost_of_move(one, here, there);
  // What the second move means depends on the first having been made. Of two of a group that change places
  // nobody notices anything.
  const bool unnoticed = group_of_[index(one)] == group_of_[index(other)];
  if (!unnoticed && !allowed(one, there)) return false;
  int rise = unmet_rise(one, there);
  go(one, there);
  rise += unmet_rise(other, here);
  delta += cost_of_move(other, there, here);
  const bool strict = rise > 0 && strict_;
  if (strict || delta + price_ * rise > most || !(unnoticed || allowed(other, here))) {
    go(one, here);
    return false;
  }
  cost_ += delta;
  unmet_ += rise;
  go(other, here);
  return true;
}

template <class Load>
void Annealer<Load>::go(int item, int to) {
  const int from = where_[index(item)];
  auto& list = on_bin_[index(from)];
  const int last = list.back();
  list[index(position_[index(item)])] = last;
  position_[index(last)] = position_[index(item)];
  list.pop_back();
  where_[index(item)] = to;
  position_[index(item)] = static_cast<int>(on_bin_[index(to)].size());
  on_bin_[index(to)].push_back(item);
  const bool leaves_start = from_start(item, from);
  const bool comes_back = from_start(item, to);
  const int resources = model_.resources();
  for (int b = 0; b < blocks_; ++b) {
    const Vector demand = demands_[row(item) + index(b)];
    over_[row(from) + index(b)] -= demand;
    over_[row(to) + index(b)] += demand;
    const int columns = std::min(kLanes, resources - b * kLanes);
    Vector taken{};
    for (int c = 0; c < columns; ++c) taken[c] = demand[c];
    room_[row(from) + index(b)] += leaves_start ? taken & lasting_[index(b)] : taken;
    room_[row(to) + index(b)] -= comes_back ? taken & lasting_[index(b)] : taken;
  }
  count(item, from, to);
  if (int g = group_of_[index(item)]; g >= 0 && leaves_start != comes_back) {
    int& moved = moved_[index(g)];
    --groups_moved_[index(moved)];
    moved += leaves_start ? 1 : -1;
    ++groups_moved_[index(moved)];
    if (moved > most_moved_) most_moved_ = moved;
    if (groups_moved_[index(most_moved_)] == 0) --most_moved_;
  }
  if (is_changed_[index(item)] == 0) {
    is_changed_[index(item)] = 1;
    changed_.push_back(item);
  }
  if (is_wandered_[index(item)] == 0) {
    is_wandered_[index(item)] = 1;
    wandered_.push_back(item);
  }
}

template <class Load>
void Annealer<Load>::keep() {
  best_cost_ = cost_;
  for (const int item : changed_) {
    best_[index(item)] = where_[index(item)];
    is_changed_[index(item)] = 0;
  }
  changed_.clear();
}

// The placement in which all dependencies were met at the last look.
template <class Load>
void Annealer<Load>::remember() {
  for (const int item : wandered_) {
    met_[index(item)] = where_[index(item)];
    is_wandered_[index(item)] = 0;
  }
  wandered_.clear();
  met_cost_ = cost_;
}

template <class Load>
void Annealer<Load>::go_back() {
  // go() adds to the list while it is walked, but only what is on it already.
  const std::vector<int> items = wandered_;
  for (const int item : items) {
    if (where_[index(item)] != met_[index(item)]) go(item, met_[index(item)]);
  }
  cost_ = met_cost_;
  unmet_ = 0;
  ++returns_;
  remember();
}

template <class Load>
void Annealer<Load>::watch_needs(double elapsed, double temperature) {
  strict_ = elapsed < kDescent || returns_ >= kReturnsUntilStrict;
  if (unmet_ == 0) {
    met_at_ = elapsed;
    remember();
    price_ = std::max(price_ / kPriceStep, kLeastPrice * temperature);
    return;
  }
  price_ *= kPriceStep;
  if (elapsed > met_at_ + kLongUnmet) go_back();
}

// Of an item, on the mean.
template <class Load>
double Annealer<Load>::impact() const {
  double sum = 0;
  for (int item = 0; item < items_; ++item) {
    for (int b = 0; b < blocks_; ++b) {
      for (int c = 0; c < kLanes; ++c) {
        const auto demand = static_cast<double>(demands_[row(item) + index(b)][c]);
        sum += std::abs(demand) * weights_[index(b)][c];
      }
    }
  }
  return std::max(1.0, sum / items_);
}

template <class Load>
void Annealer<Load>::try_some(double temperature) {
  constexpr std::uint64_t kShares = 1024;
  constexpr auto kExchange = static_cast<std::uint64_t>(kExchanges * kShares);
  constexpr auto kGoHome = static_cast<std::uint64_t>(kHome * kShares);
  for (int i = 0; i < kTrialsBetweenLooks; ++i) {
    const std::uint64_t bits = random_.bits();
    const double most = temperature * patience_[bits % kPatience];
    const std::uint64_t kind = (bits >> 12) % kShares;
    const bool home = (bits >> 22) % kShares < kGoHome;
    const int item = static_cast<int>(((bits >> 32) * static_cast<std::uint64_t>(items_)) >> 32);
    bool done;
    if (kind < kExchange) {
      done = try_swap(item, random_.below(items_), most);
    } else {
      done = try_shift(item, home ? starts_[index(item)] : random_.below(bins_), most);
    }
    if (done && cost_ < best_cost_ && unmet_ == 0) keep();
  }
}

template <class Load>
Reassigned Annealer<Load>::run() {
  Reassigned result;
  result.cost_before = static_cast<std::int64_t>(cost_);
  const double unit = items_ > 0 ? impact() : 1;
  double hot = kHot;
  price_ = 10 * hot * unit;
  while (bins_ > 1 && items_ > 0) {
    const double elapsed = limits_.elapsed();
    if (limits_.watch) limits_.watch(static_cast<std::int64_t>(best_cost_));
    if (elapsed >= 1) break;
    double temperature = kCold * unit;
    if (elapsed < kDescent) {
      const double all = static_cast<double>(result.trials) / std::max(elapsed, 1e-9);
      hot = std::clamp(kHot * all / items_ / kTrialsForHot, kLeastHot, kHot);
    } else {
      temperature = unit * hot * std::pow(kCold / hot, (elapsed - kDescent) / (1 - kDescent));
    }
    watch_needs(elapsed, temperature);
    try_some(temperature);
    result.trials += kTrialsBetweenLooks;
  }
  result.placement = best_;
  result.cost = static_cast<std::int64_t>(best_cost_);
  return result;
}

}  // namespace

Reassigned reassign(const Model& model, const ReassignLimits& limits) {
  check(model);
  // Everything that is ever added up on a bin, with a balance's ratio.
  Amount largest = 0;
  for (int bin = 0; bin < model.bins(); ++bin) {
    for (int r = 0; r < model.resources(); ++r) {
      largest =
          std::max({largest, model.supply(bin, r).size, model.capacity(bin, r), model.supply(bin, r).safety});
    }
  }
  double factor = 2;
  for (const Balance& balance : model.balances())
    factor = std::max(factor, 2 * (std::abs(balance.ratio) + 1));
  if (static_cast<double>(largest) * factor < static_cast<double>(std::numeric_limits<std::int32_t>::max())) {
    return Annealer<std::int32_t>(model, limits).run();
  }
  return Annealer<std::int64_t>(model, limits).run();
}

}  // namespace rackline::plan
