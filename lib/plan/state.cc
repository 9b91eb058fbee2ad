// SPDX-License-Identifier: Apache-2.0
#include "plan/state.h"

#include <algorithm>

namespace rackline::plan {
namespace {

// The sums are floating point and drift by a rounding error with each move: they are made anew this often.
constexpr int kMovesBetweenSums = 256;

}  // namespace

State::State(const Model& model, bool scored)
    : model_(&model),
      scored_(scored),
      where_(index(model.items()), kNowhere),
      flight_(index(model.items()), kNowhere),
      position_(index(model.items()), 0),
      on_bin_(index(model.bins())),
      used_(index(model.bins() * model.resources()), 0),
      load_(index(model.bins() * model.resources()), 0),
      group_bin_(cell(model.groups(), 0, model.bins()), 0),
      group_domain_(cell(model.groups(), 0, model.domains()), 0),
      placed_(index(model.groups()), 0),
      spread_(index(model.groups()), 0),
      flying_(index(model.groups()), 0),
      total_size_(index(model.resources()), 0),
      centre_(index(model.resources()), 0),
      deviation_(index(model.resources()), 0),
      sum_(index(model.resources()), 0),
      legacies_(index(model.bins())) {
  for (int bin = 0; bin < model.bins(); ++bin) {
    for (int r = 0; r < model.resources(); ++r) load_[at(bin, r)] = model.supply(bin, r).base;
  }
  bool spread = false;
  for (int g = 0; g < model.groups(); ++g) spread = spread || model.group(g).min_domains > 0;
  if (spread) certain_.resize(cell(model.groups(), 0, model.domains()));
  if (model.has_dependencies()) {
    provided_.resize(cell(model.groups(), 0, model.neighbourhoods()));
    present_.resize(provided_.size());
  }
  if (model.group_move_cost() != 0) {
    moved_.resize(index(model.groups()));
    groups_moved_.resize(index(model.items() + 1));
    groups_moved_[0] = model.groups();
  }
  for (int item = 0; item < model.items(); ++item) {
    const int bin = model.start(item);
    if (bin == kNowhere) continue;
    put_on(item, bin);
    count_certain(item, bin, 1);
    count_needs(item, bin, 1, 1);
    count_groups(item, bin, 1, true);
    take(item, bin, 1, true, true);
    for (int r = 0; r < model.resources(); ++r) load_[at(bin, r)] += model.demand(item, r).usual;
  }
  for (int r = 0; r < model.resources(); ++r) {
    Amount sum = 0;
    for (int bin = 0; bin < model.bins(); ++bin) {
      if (model.state(bin) != BinState::kOpen || model.supply(bin, r).size <= 0) continue;
      total_size_[index(r)] += static_cast<double>(model.supply(bin, r).size);
      sum += load_[at(bin, r)];
    }
    if (total_size_[index(r)] > 0) centre_[index(r)] = static_cast<double>(sum) / total_size_[index(r)];
  }
  sum_up();
}

double State::share(int bin, int r) const {
  const Amount size = model_->supply(bin, r).size;
  return size > 0 ? static_cast<double>(load(bin, r)) / static_cast<double>(size) : 0;
}

Obstacle State::obstacle(int item, int bin) const {
  const Obstacle obstacle = obstacle_in_company(item, bin);
  if (obstacle || !model_->has_company() || where(item) == bin) return obstacle;
  return obstacle_of_needs(item, bin);
}

Obstacle State::obstacle_in_company(int item, int bin) const {
  using Kind = Obstacle::Kind;
  const Model& model = *model_;
  if (model.frozen(item)) return {Kind::kItemFrozen, item, 0};
  const int from = where(item);
  if (from != kNowhere && model.state(from) == BinState::kFrozen) return {Kind::kBinFrozen, from, 0};
  if (model.state(bin) == BinState::kFrozen) return {Kind::kBinFrozen, bin, 0};
  if (model.state(bin) != BinState::kOpen) return {Kind::kBinClosed, bin, 0};
  if (!model.allows(model.item_class(item), bin)) return {Kind::kClass, bin, 0};
  if (from == bin) return {};
  for (int r = 0; r < model.resources(); ++r) {
    if (!model.resource(r).hard) continue;
    const Amount peak = model.demand(item, r).peak;
    const Amount missing = used(bin, r) + peak - model.capacity(bin, r);
    if (peak > 0 && missing > 0) return {Kind::kCapacity, r, missing};  // @rule 05-memory
  }
  for (int k = model.group_begin(item); k < model.group_begin(item + 1); ++k) {
    const int g = model.group_list()[index(k)];
    const Group& group = model.group(g);
    if (group.per_bin > 0 && group_count(g, bin) >= group.per_bin)  // @rule 05-anti-affinity
      return {Kind::kGroupBin, g, 0};
    if (group.per_domain > 0) {
      const int domain = model.domain(bin);
      int there = group_domain_[cell(g, domain, model.domains())];
      if (from != kNowhere && model.domain(from) == domain) --there;     // itself
      if (there >= group.per_domain) return {Kind::kGroupDomain, g, 0};  // @rule 05-failure-domain
    }
  }
  if (certain_.empty()) return {};
  const Obstacle spread = obstacle_of_needs(item, bin);
  return spread.kind == Kind::kSpread ? spread : Obstacle{};
}

Obstacle State::obstacle_of_needs(int item, int bin) const {
  using Kind = Obstacle::Kind;
  const Model& model = *model_;
  const int from = where(item);
  const auto begin = model.group_list().begin() + model.group_begin(item);
  const auto end = model.group_list().begin() + model.group_begin(item + 1);
  const auto mine = [&](int group) { return std::find(begin, end, group) != end; };
  for (auto g = begin; g != end && !certain_.empty(); ++g) {
    const int least = model.group(*g).min_domains;
    if (least > 0) {
      // What a new item makes of a group that is still too small is no matter; what a present one takes is.
      const int here = from == kNowhere ? kNowhere : model.domain(from);
      const int there = model.domain(bin);
      const int now = spread_[index(*g)];
      int then = now;
      if (here != kNowhere && certain_[cell(*g, here, model.domains())] == 1) --then;
      if (there != here && certain_[cell(*g, there, model.domains())] == 0) ++then;
      if (here == kNowhere || here == there) then = now;
      // One that is on its way may land where another one is: until it has, it is counted nowhere. That must
      // not make the group look as if it had been in fewer domains all along.
      if (then < std::min(least, now + flying_[index(*g)])) return {Kind::kSpread, *g, 0};
    }
  }
  for (auto g = begin; g != end; ++g) {
    if (model.group(*g).together && group_count(*g, bin) == 0) {
      const bool others = from == kNowhere ? placed_[index(*g)] > 0 : group_count(*g, from) > 1;
      if (others) return {Kind::kTogether, *g, 0};  // @rule 05-affinity
    }
    if (provided_.empty()) continue;
    const int near = model.neighbourhood(bin);
    const int left = from == kNowhere ? kNowhere : model.neighbourhood(from);
    if (near == left) continue;
    for (const int on : model.dependencies(*g)) {
      if (!mine(on) && provided_[cell(on, near, model.neighbourhoods())] == 0) return {Kind::kNeeds, on, 0};
    }
    if (left == kNowhere || provided_[cell(*g, left, model.neighbourhoods())] != 1) continue;
    for (const int dependent : model.dependents(*g)) {
      const int themselves = mine(dependent) ? 1 : 0;
      if (present_[cell(dependent, left, model.neighbourhoods())] > themselves) {
        return {Kind::kNeeded, dependent, 0};
      }
    }
  }
  return {};
}

bool State::spread_rises(int group, int item, int bin) const {
  if (certain_.empty()) return false;
  const int domains = model_->domains();
  const bool leaves_one = certain_[cell(group, model_->domain(where(item)), domains)] == 1;
  return !leaves_one && certain_[cell(group, model_->domain(bin), domains)] == 0;
}

bool State::provides(int group, int bin) const {
  return provided_.empty() ||
         provided_[cell(group, model_->neighbourhood(bin), model_->neighbourhoods())] > 0;
}

void State::count_flying(int item, int by) {
  if (certain_.empty()) return;
  for (int k = model_->group_begin(item); k < model_->group_begin(item + 1); ++k) {
    flying_[index(model_->group_list()[index(k)])] += by;
  }
}

void State::count_certain(int item, int bin, int by) {
  if (certain_.empty()) return;
  for (int k = model_->group_begin(item); k < model_->group_begin(item + 1); ++k) {
    const int g = model_->group_list()[index(k)];
    auto& count = certain_[cell(g, model_->domain(bin), model_->domains())];
    const bool before = count > 0;
    count = static_cast<std::uint16_t>(count + by);
    spread_[index(g)] += (count > 0 ? 1 : 0) - (before ? 1 : 0);
  }
}

void State::count_needs(int item, int bin, int provides, int depends) {
  if (provided_.empty()) return;
  for (int k = model_->group_begin(item); k < model_->group_begin(item + 1); ++k) {
    const auto place =
        cell(model_->group_list()[index(k)], model_->neighbourhood(bin), model_->neighbourhoods());
    provided_[place] = static_cast<std::uint16_t>(provided_[place] + provides);
    present_[place] = static_cast<std::uint16_t>(present_[place] + depends);
  }
}

void State::count_groups(int item, int bin, int by, bool with_domain) {
  for (int k = model_->group_begin(item); k < model_->group_begin(item + 1); ++k) {
    const int g = model_->group_list()[index(k)];
    auto& there = group_bin_[cell(g, bin, model_->bins())];
    there = static_cast<std::uint16_t>(there + by);
    placed_[index(model_->group_list()[index(k)])] += by;
    if (!with_domain) continue;
    auto& near = group_domain_[cell(g, model_->domain(bin), model_->domains())];
    near = static_cast<std::uint16_t>(near + by);
  }
}

void State::take(int item, int bin, int sign, bool transient, bool lasting) {
  legacies_[index(bin)].known = false;
  for (int r = 0; r < model_->resources(); ++r) {
    if (model_->resource(r).transient ? transient : lasting) {
      used_[at(bin, r)] += sign * model_->demand(item, r).peak;
    }
  }
}

void State::put_on(int item, int bin) {
  const int from = where(item);
  if (from != kNowhere) {
    legacies_[index(from)].known = false;
    auto& list = on_bin_[index(from)];
    const int last = list.back();
    list[index(position_[index(item)])] = last;
    position_[index(last)] = position_[index(item)];
    list.pop_back();
  }
  where_[index(item)] = bin;
  if (bin == kNowhere) return;
  legacies_[index(bin)].known = false;
  position_[index(item)] = static_cast<int>(on_bin_[index(bin)].size());
  on_bin_[index(bin)].push_back(item);
}

void State::set_load(int bin, int r, Amount load) {
  Amount& present = load_[at(bin, r)];
  if (!scored_) {
    present = load;
    return;
  }
  overload_ += overload(bin, r, load) - overload(bin, r, present);
  deviation_[index(r)] += deviation(bin, r, load) - deviation(bin, r, present);
  if (model_->state(bin) == BinState::kOpen && model_->supply(bin, r).size > 0) {
    sum_[index(r)] += load - present;
  }
  present = load;
}

// The loads and costs of an item that goes from bin to bin.
void State::carry(int item, int from, int bin) {
  const auto count_mismatch = [&](int sign) {
    if (!scored_) return;
    for (const int there : {from, bin}) {
      if (there != kNowhere) mismatch_ += sign * mismatch(there, nullptr, 0);
    }
  };
  count_mismatch(-1);
  for (int r = 0; r < model_->resources(); ++r) {
    const Amount usual = model_->demand(item, r).usual;
    if (from != kNowhere) set_load(from, r, load(from, r) - usual);
    if (bin != kNowhere) set_load(bin, r, load(bin, r) + usual);
  }
  count_mismatch(1);
  cost_of_moves_ += cost_of_move(item, bin) - cost_of_move(item, from);
  if (groups_moved_.empty()) return;
  if (displaced(item, from)) count_moved(item, -1);
  if (displaced(item, bin)) count_moved(item, 1);
}

bool State::displaced(int item, int bin) const {
  return bin != kNowhere && model_->start(item) != kNowhere && bin != model_->start(item);
}

double State::cost_of_move(int item, int bin) const {
  if (!displaced(item, bin)) return 0;
  double cost = model_->move_cost(item);
  if (model_->has_distances()) {
    cost += model_->distance_weight() * static_cast<double>(model_->distance(model_->start(item), bin));
  }
  return cost;
}

void State::count_moved(int item, int by) {
  for (int k = model_->group_begin(item); k < model_->group_begin(item + 1); ++k) {
    int& moved = moved_[index(model_->group_list()[index(k)])];
    --groups_moved_[index(moved)];
    moved += by;
    ++groups_moved_[index(moved)];
    if (moved > most_moved_) most_moved_ = moved;
    while (most_moved_ > 0 && groups_moved_[index(most_moved_)] == 0) --most_moved_;
  }
}

double State::cost_of_moves() const {
  return cost_of_moves_ + model_->group_move_cost() * most_moved_;
}

double State::cost_rise(int item, int bin) const {
  const int from = where(item);
  const double rise = cost_of_move(item, bin) - cost_of_move(item, from);
  if (groups_moved_.empty() || displaced(item, from) == displaced(item, bin)) return rise;
  const int by = displaced(item, bin) ? 1 : -1;
  // Few groups are at the top: only then the maximum may fall.
  int most = most_moved_;
  int at_top = 0;
  for (int k = model_->group_begin(item); k < model_->group_begin(item + 1); ++k) {
    const int moved = moved_[index(model_->group_list()[index(k)])];
    if (by > 0) most = std::max(most, moved + 1);
    if (moved == most_moved_) ++at_top;
  }
  if (by < 0 && most_moved_ > 0 && at_top == groups_moved_[index(most_moved_)]) --most;
  return rise + model_->group_move_cost() * (most - most_moved_);
}

double State::mismatch(int bin, const Amount* more, int sign) const {
  const BinState state = model_->state(bin);
  if (state != BinState::kOpen && state != BinState::kClosed) return 0;
  double cost = 0;
  for (const Balance& balance : model_->balances()) {
    const auto free = [&](int r) {
      const Amount then = load(bin, r) + (more == nullptr ? 0 : sign * more[r]);
      return static_cast<double>(model_->supply(bin, r).size - then);
    };
    cost += balance.weight * std::max(0.0, balance.ratio * free(balance.lead) - free(balance.other));
  }
  return cost;
}

bool State::admits_exchange(int one, int other) {
  const int here = where(one);
  const int there = where(other);
  move(other, kNowhere);
  const bool goes = admits(one, there);
  move(other, there);
  if (!goes) return false;
  move(one, kNowhere);
  const bool comes = admits(other, here);
  move(one, here);
  return comes;
}

void State::move(int item, int bin) {
  const int from = where(item);
  if (from == bin) return;
  if (from != kNowhere) {
    count_groups(item, from, -1, true);
    count_certain(item, from, -1);
    count_needs(item, from, -1, -1);
    take(item, from, -1, true, true);
  }
  if (bin != kNowhere) {
    count_groups(item, bin, 1, true);
    count_certain(item, bin, 1);
    count_needs(item, bin, 1, 1);
    take(item, bin, 1, true, true);
  }
  carry(item, from, bin);
  put_on(item, bin);
  if (scored_ && ++moves_since_sum_ >= kMovesBetweenSums) sum_up();
}

void State::depart(int item, int bin) {
  const int from = where(item);
  count_groups(item, bin, 1, model_->domain(bin) != model_->domain(from));
  take(item, bin, 1, true, true);
  take(item, from, -1, false, true);
  // Moving within a domain or a neighbourhood changes nothing for it.
  if (model_->domain(bin) != model_->domain(from)) {
    count_certain(item, from, -1);
    count_flying(item, 1);
  }
  if (model_->neighbourhood(bin) != model_->neighbourhood(from)) {
    count_needs(item, from, -1, 0);
    count_needs(item, bin, 0, 1);
  }
  flight_[index(item)] = bin;
  legacies_[index(from)].known = false;
}

void State::recall(int item) {
  const int from = where(item);
  const int bin = flight_[index(item)];
  flight_[index(item)] = kNowhere;
  legacies_[index(from)].known = false;
  count_groups(item, bin, -1, model_->domain(bin) != model_->domain(from));
  take(item, bin, -1, true, true);
  take(item, from, 1, false, true);
  if (model_->domain(bin) != model_->domain(from)) {
    count_certain(item, from, 1);
    count_flying(item, -1);
  }
  if (model_->neighbourhood(bin) != model_->neighbourhood(from)) {
    count_needs(item, from, 1, 0);
    count_needs(item, bin, 0, -1);
  }
}

void State::arrive(int item) {
  const int from = where(item);
  const int bin = flight_[index(item)];
  flight_[index(item)] = kNowhere;
  legacies_[index(from)].known = false;
  count_groups(item, from, -1, model_->domain(bin) != model_->domain(from));
  take(item, from, -1, true, false);
  if (model_->domain(bin) != model_->domain(from)) {
    count_certain(item, bin, 1);
    count_flying(item, -1);
  }
  if (model_->neighbourhood(bin) != model_->neighbourhood(from)) {
    count_needs(item, from, 0, -1);
    count_needs(item, bin, 1, 0);
  }
  carry(item, from, bin);
  put_on(item, bin);
  if (scored_ && ++moves_since_sum_ >= kMovesBetweenSums) sum_up();
}

}  // namespace rackline::plan
