// SPDX-License-Identifier: Apache-2.0
// What is wrong with a placement, and whether one more bin could fail.
#include <algorithm>
#include <functional>
#include <map>

#include "plan/state.h"

namespace rackline::plan {

std::vector<Violation> State::violations() const {
  using Kind = Violation::Kind;
  const Model& model = *model_;
  std::vector<Violation> found;
  for (int item = 0; item < model.items(); ++item) {
    const int bin = where(item);
    if (bin == kNowhere || model.state(bin) == BinState::kFrozen) continue;
    if (model.state(bin) == BinState::kLeaving) {
      found.push_back({Kind::kLeaving, bin, item});
    } else if (!model.allows(model.item_class(item), bin)) {
      found.push_back({Kind::kClass, bin, item});
    }
  }
  for (int g = 0; g < model.groups(); ++g) {
    const Group& group = model.group(g);
    if (group.together && bins_of(g) > 1) found.push_back({Kind::kTogether, first_bin_of(g), g});
    std::vector<bool> told(index(model.domains()), false);
    for (int bin = 0; bin < model.bins(); ++bin) {
      if (group.per_bin > 0 && group_count(g, bin) > group.per_bin) {
        found.push_back({Kind::kGroupBin, bin, g});
      }
      const int domain = model.domain(bin);
      if (group.per_domain > 0 && !told[index(domain)] && group_count(g, bin) > 0 &&
          group_domain_[cell(g, domain, model.domains())] > group.per_domain) {
        told[index(domain)] = true;
        found.push_back({Kind::kGroupDomain, bin, g});
      }
    }
  }
  if (!certain_.empty() || !provided_.empty()) find_unmet_needs(found);
  for (int bin = 0; bin < model.bins(); ++bin) {
    if (model.state(bin) == BinState::kFrozen || model.state(bin) == BinState::kLeaving) continue;
    for (int r = 0; r < model.resources(); ++r) {
      if (model.resource(r).hard && used(bin, r) > model.capacity(bin, r)) {
        found.push_back({Kind::kCapacity, bin, r});
      }
    }
  }
  return found;
}

int State::first_bin_of(int group) const {
  int bin = 0;
  while (bin < model_->bins() && group_count(group, bin) == 0) ++bin;
  return bin < model_->bins() ? bin : kNowhere;
}

int State::bins_of(int group) const {
  int count = 0;
  for (int bin = 0; bin < model_->bins(); ++bin) count += group_count(group, bin) > 0 ? 1 : 0;
  return count;
}

void State::find_unmet_needs(std::vector<Violation>& found) const {
  const Model& model = *model_;
  for (int g = 0; g < model.groups(); ++g) {
    if (!certain_.empty() && spread_[index(g)] < model.group(g).min_domains) {
      if (const int bin = first_bin_of(g); bin != kNowhere)
        found.push_back({Violation::Kind::kSpread, bin, g});
    }
    if (provided_.empty() || model.dependencies(g).empty()) continue;
    for (int bin = 0; bin < model.bins(); ++bin) {
      if (group_count(g, bin) > 0 && misses(g, bin)) found.push_back({Violation::Kind::kNeeds, bin, g});
    }
  }
}

// Whether an item of the group on the bin misses what it depends on.
bool State::misses(int group, int bin) const {
  for (const int on : model_->dependencies(group)) {
    if (present_[cell(on, model_->neighbourhood(bin), model_->neighbourhoods())] == 0) return true;
  }
  return false;
}

bool State::still(const Violation& violation) const {
  using Kind = Violation::Kind;
  switch (violation.kind) {
    case Kind::kLeaving:
    case Kind::kClass:
      return where(violation.which) == violation.bin;
    case Kind::kCapacity:
      return used(violation.bin, violation.which) > model_->capacity(violation.bin, violation.which);
    case Kind::kGroupBin:
      return group_count(violation.which, violation.bin) > model_->group(violation.which).per_bin;
    case Kind::kGroupDomain:
      return group_domain_[cell(violation.which, model_->domain(violation.bin), model_->domains())] >
             model_->group(violation.which).per_domain;
    case Kind::kSpread:
      return spread_[index(violation.which)] < model_->group(violation.which).min_domains;
    case Kind::kNeeds:
      return group_count(violation.which, violation.bin) > 0 && misses(violation.which, violation.bin);
    case Kind::kTogether:
      return bins_of(violation.which) > 1;
  }
  return false;
}

const State::Legacy& State::legacy(int bin) const {
  Legacy& legacy = legacies_[index(bin)];
  if (legacy.known) return legacy;
  legacy = {0, 0, true};
  const BinState state = model_->state(bin);
  if (state != BinState::kOpen && state != BinState::kClosed) return legacy;
  for (const int item : items_on(bin)) {
    if (in_flight(item)) continue;
    const Amount peak = model_->demand(item, model_->spare_resource()).peak;
    if (peak <= 0) continue;
    legacy.largest = std::max(legacy.largest, peak);
    legacy.all += peak;
  }
  return legacy;
}

bool State::gives_room(int bin, const std::vector<bool>& out) const {
  return model_->state(bin) == BinState::kOpen && (out.empty() || !out[index(bin)]);
}

// As long as a bin has the room of the largest item it takes any of them, so it takes at least its room less
// that. Where that is enough for the worst bin, whichever other fails with it, it is for all: mostly that
// settles it.
bool State::has_spare_for(const Legacy& worst, const std::vector<bool>& out) const {
  const int r = model_->spare_resource();
  Amount sum = 0;
  Amount most = 0;
  for (int bin = 0; bin < model_->bins(); ++bin) {
    if (!gives_room(bin, out)) continue;
    const Amount room = std::max<Amount>(0, model_->capacity(bin, r) - used(bin, r) - worst.largest);
    sum += room;
    most = std::max(most, room);
  }
  return sum - most >= worst.all;
}

State::Legacy State::worst_legacy(const std::vector<bool>& out) const {
  Legacy worst;
  for (int bin = 0; bin < model_->bins(); ++bin) {
    if (!out.empty() && out[index(bin)]) continue;
    worst.largest = std::max(worst.largest, legacy(bin).largest);
    worst.all = std::max(worst.all, legacy(bin).all);
  }
  return worst;
}

bool State::has_spare(int failed, const std::vector<bool>& out) const {
  const int r = model_->spare_resource();
  const Legacy& left = legacy(failed);
  std::vector<Amount> rooms;
  Amount certain = 0;
  for (int bin = 0; bin < model_->bins() && certain < left.all; ++bin) {
    if (bin == failed || !gives_room(bin, out)) continue;
    const Amount room = model_->capacity(bin, r) - used(bin, r);
    if (room <= 0) continue;
    rooms.push_back(room);
    certain += std::max<Amount>(0, room - left.largest);
  }
  if (certain >= left.all) return true;
  std::vector<Amount> sizes;
  for (const int item : items_on(failed)) {
    const Amount peak = model_->demand(item, r).peak;
    if (!in_flight(item) && peak > 0) sizes.push_back(peak);
  }
  std::sort(sizes.begin(), sizes.end(), std::greater<>());
  return std::all_of(sizes.begin(), sizes.end(), [&](Amount size) {
    const auto room = std::find_if(rooms.begin(), rooms.end(), [size](Amount f) { return f >= size; });
    if (room == rooms.end()) return false;
    *room -= size;
    return true;
  });
}

int State::bins_without_spare(const std::vector<bool>& out) const {
  if (model_->spare_resource() == kNowhere || has_spare_for(worst_legacy(out), out)) return 0;
  int without = 0;
  for (int bin = 0; bin < model_->bins(); ++bin) {
    if ((out.empty() || !out[index(bin)]) && !has_spare(bin, out)) ++without;
  }
  return without;
}

int State::first_without_spare(const std::vector<bool>& out) const {
  if (model_->spare_resource() == kNowhere) return kNowhere;
  for (int bin = 0; bin < model_->bins(); ++bin) {
    if ((out.empty() || !out[index(bin)]) && !has_spare(bin, out)) return bin;
  }
  return kNowhere;
}

bool State::has_spare_whatever_arrives(const std::vector<int>& flying) const {
  const int r = model_->spare_resource();
  if (r == kNowhere) return true;
  Legacy worst = worst_legacy({});
  std::map<int, Legacy> with_arrived;
  for (const int item : flying) {
    const int bin = target(item);
    Legacy& there = with_arrived.try_emplace(bin, legacy(bin)).first->second;
    const Amount peak = model_->demand(item, r).peak;
    there.all += peak;
    worst.largest = std::max(worst.largest, peak);
    worst.all = std::max(worst.all, there.all);
  }
  return has_spare_for(worst, {});
}

}  // namespace rackline::plan
