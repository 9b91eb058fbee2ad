// SPDX-License-Identifier: Apache-2.0
#include "plan/search.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>
#include <utility>

#include "plan/company.h"

namespace rackline::plan {
namespace {

constexpr double kLeastGain = 1e-6;  // what is less is rounding
// Swaps are looked for from this many of the most loaded bins: exchanges between bins near the mean gain
// nothing.
constexpr int kSwapSources = 8;
// From so many bins on, the best step of a bin is looked for by estimates: of every item the best targets.
constexpr int kManyBins = 128;
constexpr int kTargets = 4;

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

// 0, 1, 2, ... for seed 0, otherwise shuffled by it. Not std::shuffle: its result differs between libraries.
std::vector<int> ranks(int count, std::uint64_t seed) {
  std::vector<int> rank(index(count));
  std::iota(rank.begin(), rank.end(), 0);
  if (seed == 0) return rank;
  std::mt19937_64 random(seed);
  for (int i = count - 1; i > 0; --i) {
    std::swap(rank[index(i)], rank[random() % static_cast<std::uint64_t>(i + 1)]);
  }
  return rank;
}

class Search {
 public:
  Search(State& state, const SearchLimits& limits)
      : state_(state),
        model_(state.model()),
        limits_(limits),
        item_rank_(ranks(model_.items(), limits.seed)),
        bin_rank_(ranks(model_.bins(), limits.seed)) {
    for (int item = 0; item < model_.items(); ++item) displaced_ += displaced(item) ? 1 : 0;
    if (limits.keep_spare) allowed_without_spare_ = state.bins_without_spare();
    for (int bin = 0; bin < model_.bins(); ++bin) {
      if (model_.state(bin) == BinState::kOpen) open_.push_back(bin);
    }
    for (int r = 0; r < model_.resources(); ++r) {
      Amount largest = 1;
      for (const int bin : open_) largest = std::max(largest, model_.capacity(bin, r));
      largest_.push_back(largest);
    }
  }

  Repaired repair(const std::function<bool(const Violation&)>& wanted);
  std::vector<Step> improve(const std::vector<int>& only);

 private:
  struct Candidate {
    double gain;  // the more the better
    int item;
    int bin;
  };

  bool displaced(int item) const {
    return model_.start(item) != kNowhere && state_.where(item) != model_.start(item);
  }
  // What the number of items that are not where they started changes by when `item` goes to `bin`.
  int rise(int item, int bin) const {
    if (model_.start(item) == kNowhere) return 0;
    return (bin != model_.start(item) ? 1 : 0) - (displaced(item) ? 1 : 0);
  }
  double cost_rise(int item, int bin) const { return state_.cost_rise(item, bin); }
  bool within_limit(int rise) const { return rise <= 0 || displaced_ + rise <= limits_.max_moves; }
  bool within_limit(int item, int bin) const { return within_limit(rise(item, bin)); }
  bool better(const Candidate& a, const Candidate& b) const {
    if (a.gain != b.gain) return a.gain > b.gain;
    if (a.item != b.item) return item_rank_[index(a.item)] < item_rank_[index(b.item)];
    return bin_rank_[index(a.bin)] < bin_rank_[index(b.bin)];
  }
  void sort(std::vector<Candidate>& candidates) const {
    std::sort(candidates.begin(), candidates.end(),
              [this](const Candidate& a, const Candidate& b) { return better(a, b); });
  }
  // The share of a bin that the item takes, in the resource where that is most.
  double bulk(int item) const;
  std::vector<int> most_loaded_first() const;

  void go(int item, int bin) {
    displaced_ -= displaced(item) ? 1 : 0;
    state_.move(item, bin);
    displaced_ += displaced(item) ? 1 : 0;
  }
  // Takes the step if the spare rule allows it.
  bool take(int item, int bin, Step::Why why, int because = kNowhere);
  bool take_all(const std::vector<std::pair<int, int>>& ways, Step::Why why);
  bool spare_is_kept(int item, int bin);

  bool in_group(int item, int group) const;
  std::vector<int> suspects(const Violation& violation) const;
  bool helps(const Violation& violation, int item, int bin) const;
  bool mend(const Violation& violation);
  bool make_room(const Violation& violation, int item);
  bool leave_in_company(int item);

  bool overloaded(int bin) const;
  double burden(int bin) const;
  bool shift_from(int bin);
  // What the open bins have of one resource, in the order of open_.
  struct Targets {
    std::vector<double> share;
    std::vector<double> inverse;  // of the size
    std::vector<double> over;     // load above the safety, negative below
    std::vector<double> cost;     // of it
  };
  void prepare_estimates();
  void refresh(int bin);
  void add_costs(const Targets& targets, double slope, double amount);
  bool shift_from_by_estimate(int bin);
  bool shift_once_round();
  bool swap();
  bool swap_from(int bin, std::int64_t& budget);
  bool exchange(int one, int other, double gain);
  bool exchange_round(int first, int second, double gain);

  State& state_;
  const Model& model_;
  const SearchLimits& limits_;
  std::vector<Targets> targets_;  // [resource]; of use with many bins only
  std::vector<int> open_place_;   // [bin]: in open_, or -1
  std::vector<double> costs_;
  std::vector<int> item_rank_;
  std::vector<int> bin_rank_;
  std::vector<int> open_;
  std::vector<Amount> largest_;  // [resource]: capacity of an open bin
  std::vector<bool> movable_;
  int displaced_ = 0;
  int allowed_without_spare_ = 0;
  std::vector<Step> steps_;
};

double Search::bulk(int item) const {
  double most = 0;
  for (int r = 0; r < model_.resources(); ++r) {
    if (!model_.resource(r).hard) continue;
    most = std::max(
        most, static_cast<double>(model_.demand(item, r).peak) / static_cast<double>(largest_[index(r)]));
  }
  return most;
}

bool Search::spare_is_kept(int item, int bin) {
  if (!limits_.keep_spare || model_.spare_resource() == kNowhere || state_.where(item) == kNowhere)
    return true;
  const int from = state_.where(item);
  state_.depart(item, bin);
  if (state_.bins_without_spare() > allowed_without_spare_) {
    state_.recall(item);
    return false;
  }
  state_.arrive(item);
  const bool there = state_.bins_without_spare() <= allowed_without_spare_;
  state_.move(item, from);
  return there;
}

bool Search::take(int item, int bin, Step::Why why, int because) {
  if (!spare_is_kept(item, bin)) return false;  // @rule 05-spare-of-the-result
  steps_.push_back({item, state_.where(item), bin, why, because});
  go(item, bin);
  return true;
}

// All of the steps or none.
bool Search::take_all(const std::vector<std::pair<int, int>>& ways, Step::Why why) {
  const std::size_t taken = steps_.size();
  for (const auto& [item, bin] : ways) {
    if (state_.admits(item, bin) && take(item, bin, why)) continue;
    while (steps_.size() > taken) {
      go(steps_.back().item, steps_.back().from);
      steps_.pop_back();
    }
    return false;
  }
  return true;
}

// --- mending ---

bool Search::in_group(int item, int group) const {
  const auto begin = model_.group_list().begin() + model_.group_begin(item);
  const auto end = model_.group_list().begin() + model_.group_begin(item + 1);
  return std::find(begin, end, group) != end;
}

// The items of which one has to go to mend the violation.
std::vector<int> Search::suspects(const Violation& violation) const {
  using Kind = Violation::Kind;
  if (violation.kind == Kind::kLeaving || violation.kind == Kind::kClass) return {violation.which};
  std::vector<int> found;
  const auto suspect = [&](int item, int bin) {
    switch (violation.kind) {
      case Kind::kCapacity:
        return bin == violation.bin && model_.demand(item, violation.which).peak > 0;
      case Kind::kGroupDomain:
        return model_.domain(bin) == model_.domain(violation.bin) && in_group(item, violation.which);
      case Kind::kSpread:
        return in_group(item, violation.which);
      case Kind::kNeeds: {
        // Either it goes to what it needs, or that comes near.
        if (bin == violation.bin && in_group(item, violation.which)) return true;
        const std::vector<int>& on = model_.dependencies(violation.which);
        return model_.neighbourhood(bin) != model_.neighbourhood(violation.bin) &&
               std::any_of(on.begin(), on.end(), [&](int g) { return in_group(item, g); });
      }
      case Kind::kTogether:
        return in_group(item, violation.which);
      default:
        return bin == violation.bin && in_group(item, violation.which);
    }
  };
  for (int bin = 0; bin < model_.bins(); ++bin) {
    for (const int item : state_.items_on(bin)) {
      if (!model_.frozen(item) && suspect(item, bin)) found.push_back(item);
    }
  }
  return found;
}

// Whether there is less of the violation when a suspect goes to the bin.
bool Search::helps(const Violation& violation, int item, int bin) const {
  using Kind = Violation::Kind;
  switch (violation.kind) {
    case Kind::kGroupDomain:
      return model_.domain(bin) != model_.domain(violation.bin);
    case Kind::kSpread:
      return state_.spread_rises(violation.which, item, bin);
    case Kind::kNeeds: {
      if (in_group(item, violation.which)) {
        return model_.neighbourhood(bin) != model_.neighbourhood(state_.where(item));
      }
      if (model_.neighbourhood(bin) != model_.neighbourhood(violation.bin)) return false;
      const std::vector<int>& on = model_.dependencies(violation.which);
      return std::any_of(on.begin(), on.end(),
                         [&](int g) { return in_group(item, g) && !state_.provides(g, bin); });
    }
    case Kind::kTogether:
      // The most of them draw the others.
      return state_.group_count(violation.which, bin) >=
             std::max(1, state_.group_count(violation.which, state_.where(item)));
    default:
      return true;
  }
}

bool Search::mend(const Violation& violation) {
  const std::vector<int> items = suspects(violation);
  std::vector<Candidate> candidates;
  for (const int item : items) {
    for (const int bin : open_) {
      if (bin == state_.where(item) || !within_limit(item, bin) || !state_.admits(item, bin)) continue;
      if (!helps(violation, item, bin)) continue;
      candidates.push_back({-state_.score_with_shift(item, bin) - cost_rise(item, bin), item, bin});
    }
  }
  sort(candidates);
  for (const Candidate& candidate : candidates) {
    if (take(candidate.item, candidate.bin, Step::Why::kRepair)) return true;
  }
  if (std::any_of(items.begin(), items.end(), [&](int item) { return make_room(violation, item); }))
    return true;
  return violation.kind == Violation::Kind::kLeaving && leave_in_company(violation.which);
}

bool Search::leave_in_company(int item) {
  if (!model_.has_company()) return false;
  const std::vector<int> company = company_of(state_, item);
  if (company.size() < 2) return false;
  int more = 0;
  for (const int one : company) more += displaced(one) || model_.start(one) == kNowhere ? 0 : 1;
  if (!within_limit(more)) return false;
  const auto may = [&](int /*item*/, int bin) { return model_.state(bin) == BinState::kOpen; };
  const auto done = [&] {
    return !limits_.keep_spare || state_.bins_without_spare() <= allowed_without_spare_;
  };
  if (!leave_together(state_, company, may, done, steps_)) return false;
  displaced_ += more;
  return true;
}

// Sends one item that is in the way elsewhere, the smallest that will do.
bool Search::make_room(const Violation& violation, int item) {
  struct Way {
    double bulk;
    int other;
    int bin;
  };
  std::vector<Way> ways;
  for (const int bin : open_) {
    const auto kind = state_.obstacle(item, bin).kind;
    if (kind != Obstacle::Kind::kCapacity && kind != Obstacle::Kind::kGroupBin) continue;
    if (!within_limit(item, bin) || !helps(violation, item, bin)) continue;
    const std::vector<int> there = state_.items_on(bin);
    for (const int other : there) {
      if (model_.frozen(other)) continue;
      state_.move(other, kNowhere);
      if (state_.admits(item, bin)) ways.push_back({bulk(other), other, bin});
      state_.move(other, bin);
    }
  }
  std::sort(ways.begin(), ways.end(), [this](const Way& a, const Way& b) {
    if (a.bulk != b.bulk) return a.bulk < b.bulk;
    if (a.other != b.other) return item_rank_[index(a.other)] < item_rank_[index(b.other)];
    return bin_rank_[index(a.bin)] < bin_rank_[index(b.bin)];
  });
  for (const Way& way : ways) {
    std::vector<Candidate> aside;
    for (const int bin : open_) {
      if (bin == way.bin || !state_.admits(way.other, bin) || !within_limit(way.other, bin)) continue;
      aside.push_back({-state_.score_with_shift(way.other, bin), way.other, bin});
    }
    sort(aside);
    for (const Candidate& candidate : aside) {
      if (!take(way.other, candidate.bin, Step::Why::kRoom, item)) continue;
      if (within_limit(item, way.bin) && state_.admits(item, way.bin) &&
          take(item, way.bin, Step::Why::kRepair)) {
        return true;
      }
      go(way.other, way.bin);
      steps_.pop_back();
    }
  }
  return false;
}

Repaired Search::repair(const std::function<bool(const Violation&)>& wanted) {
  const auto found = [&] {
    std::vector<Violation> violations = state_.violations();
    if (wanted) std::erase_if(violations, [&](const Violation& v) { return !wanted(v); });
    return violations;
  };
  for (bool progress = true; progress;) {
    progress = false;
    std::vector<Violation> violations = found();
    const auto weight = [this](const Violation& v) {
      const bool single = v.kind == Violation::Kind::kLeaving || v.kind == Violation::Kind::kClass;
      return single ? bulk(v.which) : 0.0;
    };
    std::stable_sort(violations.begin(), violations.end(), [&](const Violation& a, const Violation& b) {
      if (a.kind != b.kind) return a.kind < b.kind;
      return weight(a) > weight(b);
    });
    for (const Violation& violation : violations) {
      // One step may mend several.
      if (state_.still(violation) && mend(violation)) progress = true;
    }
  }
  return {std::move(steps_), found()};
}

// --- improving ---

double Search::burden(int bin) const {
  double burden = 0;
  for (int r = 0; r < model_.resources(); ++r) {
    const Supply& supply = model_.supply(bin, r);
    burden += model_.resource(r).balance_weight * state_.share(bin, r);
    const Amount over = state_.load(bin, r) - supply.safety;
    if (over > 0) burden += supply.overload_cost * static_cast<double>(over);
  }
  return burden;
}

std::vector<int> Search::most_loaded_first() const {
  std::vector<std::pair<double, int>> bins;
  for (int bin = 0; bin < model_.bins(); ++bin) {
    if (model_.state(bin) == BinState::kFrozen || state_.items_on(bin).empty()) continue;
    bins.emplace_back(burden(bin), bin);
  }
  std::sort(bins.begin(), bins.end(), [this](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first > b.first;
    return bin_rank_[index(a.second)] < bin_rank_[index(b.second)];
  });
  std::vector<int> result;
  result.reserve(bins.size());
  for (const auto& [burden, bin] : bins) result.push_back(bin);
  return result;
}

bool Search::shift_from(int bin) {
  const double score = state_.score();
  std::vector<Candidate> candidates;
  for (const int item : state_.items_on(bin)) {
    if (!movable_[index(item)]) continue;
    for (const int to : open_) {
      if (to == bin || !within_limit(item, to)) continue;
      const double gain = score - state_.score_with_shift(item, to) - cost_rise(item, to);
      if (gain > kLeastGain && state_.admits(item, to)) candidates.push_back({gain, item, to});
    }
  }
  sort(candidates);
  return std::any_of(candidates.begin(), candidates.end(),
                     [this](const Candidate& c) { return take(c.item, c.bin, Step::Why::kBalance); });
}

// As shift_from, where an exact look at every item and every bin would take too long. For a step that is
// small beside the whole cluster the score is a straight line in the sums of squares, so that what a target
// is worth comes from its own figures alone.
bool Search::shift_from_by_estimate(int bin) {
  const int resources = model_.resources();
  const std::size_t count = open_.size();
  const bool counts = model_.state(bin) == BinState::kOpen;  // for the imbalance
  std::vector<Candidate> candidates;
  std::vector<Candidate> best;
  const auto worse = [this](const Candidate& a, const Candidate& b) { return better(a, b); };
  std::vector<double> slopes;
  for (int r = 0; r < resources; ++r) slopes.push_back(state_.slope(r));
  for (const int item : state_.items_on(bin)) {
    if (!movable_[index(item)]) continue;
    double relief = 0;
    std::fill(costs_.begin(), costs_.end(), 0.0);
    for (int r = 0; r < resources; ++r) {
      const auto amount = static_cast<double>(model_.demand(item, r).usual);
      const Supply& supply = model_.supply(bin, r);
      if (amount == 0) continue;
      if (counts && supply.size > 0) {
        relief += slopes[index(r)] * amount *
                  (2 * state_.share(bin, r) - amount / static_cast<double>(supply.size));
      }
      if (counts || model_.state(bin) == BinState::kClosed) {
        const auto over = static_cast<double>(state_.load(bin, r) - supply.safety);
        relief += supply.overload_cost * (std::max(0.0, over) - std::max(0.0, over - amount));
      }
      add_costs(targets_[index(r)], slopes[index(r)], amount);
    }
    best.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const double gain = relief - costs_[i];
      if (gain <= kLeastGain || (best.size() == kTargets && gain <= best.front().gain)) continue;
      const int to = open_[i];
      if (to == bin || !within_limit(item, to) || gain <= cost_rise(item, to)) continue;
      if (!state_.admits(item, to)) continue;
      // A heap whose first is the least of them.
      best.push_back({gain, item, to});
      std::push_heap(best.begin(), best.end(), worse);
      if (best.size() <= kTargets) continue;
      std::pop_heap(best.begin(), best.end(), worse);
      best.pop_back();
    }
    candidates.insert(candidates.end(), best.begin(), best.end());
  }
  const double score = state_.score();
  for (Candidate& candidate : candidates) {
    candidate.gain = score - state_.score_with_shift(candidate.item, candidate.bin) -
                     cost_rise(candidate.item, candidate.bin);
  }
  std::erase_if(candidates, [](const Candidate& candidate) { return candidate.gain <= kLeastGain; });
  sort(candidates);
  return std::any_of(candidates.begin(), candidates.end(),
                     [this](const Candidate& c) { return take(c.item, c.bin, Step::Why::kBalance); });
}

// Adds to costs_ what so much of a resource costs on each open bin: plain loops over plain arrays.
void Search::add_costs(const Targets& targets, double slope, double amount) {
  const std::size_t count = open_.size();
  const double* share = targets.share.data();
  const double* inverse = targets.inverse.data();
  const double* over = targets.over.data();
  const double* cost = targets.cost.data();
  double* costs = costs_.data();
  const double linear = 2 * slope * amount;
  const double square = slope * amount * amount;
  for (std::size_t i = 0; i < count; ++i) {
    const double now = over[i] > 0 ? over[i] : 0;
    const double more = over[i] + amount;
    const double then = more > 0 ? more : 0;
    costs[i] += linear * share[i] + square * inverse[i] + cost[i] * (then - now);
  }
}

// The figures of an open bin, for the estimates.
void Search::refresh(int bin) {
  const int place = open_place_[index(bin)];
  if (place < 0) return;
  for (int r = 0; r < model_.resources(); ++r) {
    Targets& targets = targets_[index(r)];
    const Supply& supply = model_.supply(bin, r);
    targets.share[index(place)] = state_.share(bin, r);
    targets.inverse[index(place)] = supply.size > 0 ? 1 / static_cast<double>(supply.size) : 0;
    targets.over[index(place)] = static_cast<double>(state_.load(bin, r) - supply.safety);
    targets.cost[index(place)] = supply.overload_cost;
  }
}

void Search::prepare_estimates() {
  open_place_.assign(index(model_.bins()), -1);
  for (std::size_t i = 0; i < open_.size(); ++i) open_place_[index(open_[i])] = static_cast<int>(i);
  costs_.assign(open_.size(), 0);
  const std::vector<double> none(open_.size(), 0);
  targets_.assign(index(model_.resources()), {none, none, none, none});
  for (const int bin : open_) refresh(bin);
}

// Always from the most loaded bin as it is now. One that has nothing to give is not asked again in this
// round: what others do rarely changes that, and the last round, in which nobody has, asks them all.
bool Search::shift_once_round() {
  const bool many = static_cast<int>(open_.size()) >= kManyBins;
  if (many) prepare_estimates();
  const auto before = [this](const std::pair<double, int>& a, const std::pair<double, int>& b) {
    if (a.first != b.first) return a.first > b.first;
    return bin_rank_[index(a.second)] < bin_rank_[index(b.second)];
  };
  std::set<std::pair<double, int>, decltype(before)> left(before);
  std::vector<double> burdens(index(model_.bins()), 0);
  std::vector<bool> is_left(index(model_.bins()), false);
  const auto put = [&](int bin) {
    burdens[index(bin)] = burden(bin);
    left.emplace(burdens[index(bin)], bin);
  };
  for (int bin = 0; bin < model_.bins(); ++bin) {
    if (model_.state(bin) == BinState::kFrozen) continue;
    is_left[index(bin)] = true;
    put(bin);
  }
  bool any = false;
  while (!left.empty()) {
    const int bin = left.begin()->second;
    const std::size_t done = steps_.size();
    const bool wanted = overloaded(bin) || !limits_.shift_only_overloaded;
    if (!wanted || !(many ? shift_from_by_estimate(bin) : shift_from(bin))) {
      left.erase(left.begin());
      is_left[index(bin)] = false;
      continue;
    }
    any = true;
    for (std::size_t i = done; i < steps_.size(); ++i) {
      for (const int changed : {steps_[i].from, steps_[i].to}) {
        if (many) refresh(changed);
        if (!is_left[index(changed)]) continue;
        left.erase({burdens[index(changed)], changed});
        put(changed);
      }
    }
  }
  return any;
}

// Directly if one of the two bins has room for both, otherwise the smaller goes round through a third bin, if
// the gain pays for that as well.
bool Search::exchange(int one, int other, double gain) {
  const int here = state_.where(one);
  const int there = state_.where(other);
  if (take_all({{one, there}, {other, here}}, Step::Why::kBalance)) return true;
  if (take_all({{other, here}, {one, there}}, Step::Why::kBalance)) return true;
  return bulk(other) < bulk(one) ? exchange_round(other, one, gain) : exchange_round(one, other, gain);
}

bool Search::exchange_round(int first, int second, double gain) {
  if (gain - model_.move_cost(first) <= kLeastGain) return false;
  const int here = state_.where(first);
  const int there = state_.where(second);
  return std::any_of(open_.begin(), open_.end(), [&](int aside) {
    return aside != here && aside != there && state_.admits(first, aside) &&
           take_all({{first, aside}, {second, here}, {first, there}}, Step::Why::kBalance);
  });
}

bool Search::swap_from(int bin, std::int64_t& budget) {
  struct Pair {
    double gain;
    int one;
    int other;
  };
  std::vector<Pair> pairs;
  const double score = state_.score();
  // In the items' own order, not the one in which they came: what the budget covers then depends on the
  // placement alone, and so does whether anything is found.
  std::vector<int> here = state_.items_on(bin);
  std::sort(here.begin(), here.end());
  for (const int one : here) {
    if (!movable_[index(one)]) continue;
    for (const int there : open_) {
      if (there == bin || !model_.allows(model_.item_class(one), there)) continue;
      budget -= static_cast<std::int64_t>(state_.items_on(there).size());
      if (budget < 0) break;
      for (const int other : state_.items_on(there)) {
        if (!movable_[index(other)] || !within_limit(rise(one, there) + rise(other, bin))) continue;
        const double gain =
            score - state_.score_with_swap(one, other) - cost_rise(one, there) - cost_rise(other, bin);
        if (gain > kLeastGain) pairs.push_back({gain, one, other});
      }
    }
  }
  std::sort(pairs.begin(), pairs.end(), [this](const Pair& a, const Pair& b) {
    if (a.gain != b.gain) return a.gain > b.gain;
    if (a.one != b.one) return item_rank_[index(a.one)] < item_rank_[index(b.one)];
    return item_rank_[index(a.other)] < item_rank_[index(b.other)];
  });
  return std::any_of(pairs.begin(), pairs.end(), [this](const Pair& pair) {
    return state_.admits_exchange(pair.one, pair.other) && exchange(pair.one, pair.other, pair.gain);
  });
}

bool Search::overloaded(int bin) const {
  for (int r = 0; r < model_.resources(); ++r) {
    if (state_.load(bin, r) > model_.supply(bin, r).safety) return true;
  }
  return false;
}

bool Search::swap() {
  std::int64_t budget = limits_.swap_budget;
  std::vector<int> bins = most_loaded_first();
  if (bins.size() > kSwapSources) bins.resize(kSwapSources);
  return std::any_of(bins.begin(), bins.end(), [&](int bin) {
    if (model_.state(bin) != BinState::kOpen || budget < 0) return false;
    return (overloaded(bin) || !limits_.swap_only_overloaded) && swap_from(bin, budget);
  });
}

std::vector<Step> Search::improve(const std::vector<int>& only) {
  movable_.assign(index(model_.items()), only.empty());
  for (const int item : only) movable_[index(item)] = true;
  for (int item = 0; item < model_.items(); ++item) {
    const int bin = state_.where(item);
    if (bin == kNowhere || model_.frozen(item) || model_.state(bin) == BinState::kFrozen) {
      movable_[index(item)] = false;
    }
  }
  const bool many = static_cast<int>(open_.size()) >= kManyBins;
  bool swapped = false;
  do {
    while (shift_once_round()) continue;
    swapped = swap();
    // A round over many bins is too dear for each exchange.
    while (many && swapped && swap()) continue;
  } while (swapped);
  return std::move(steps_);
}

}  // namespace

Repaired repair(State& state, const SearchLimits& limits,
                const std::function<bool(const Violation&)>& wanted) {
  return Search(state, limits).repair(wanted);
}

std::vector<Step> improve(State& state, const SearchLimits& limits, const std::vector<int>& only) {
  return Search(state, limits).improve(only);
}

}  // namespace rackline::plan
