// SPDX-License-Identifier: Apache-2.0
#include "decide/sentences.h"

#include <algorithm>
#include <map>

#include "base/joined.h"

namespace rackline::decide {
namespace {

constexpr int kBinsInText = 8;
constexpr int kItemsInText = 3;

}  // namespace

bool Sentences::in_group(int item, int group) const {
  const auto& list = model_.group_list();
  const auto begin = list.begin() + model_.group_begin(item);
  const auto end = list.begin() + model_.group_begin(item + 1);
  return std::find(begin, end, group) != end;
}

std::string Sentences::members(const plan::State& state, int group, int bin, bool in_domain,
                               int except) const {
  std::vector<std::string> names;
  for (int item = 0; item < model_.items(); ++item) {
    const int where = state.where(item);
    if (item == except || where == plan::kNowhere || !in_group(item, group)) continue;
    const bool near = in_domain && model_.domain(where) == model_.domain(bin);
    if (where == bin || near) names.push_back(item_name(item));
  }
  return joined(names);
}

std::string Sentences::violation(const plan::State& state, const plan::Violation& violation) const {
  const std::string& bin = bin_name(violation.bin);
  switch (violation.kind) {
    case plan::Violation::Kind::kLeaving:
      return item_name(violation.which) + " on " + bin + ": the " + nouns_.bin + " is to be emptied";
    case plan::Violation::Kind::kClass:
      return item_name(violation.which) + " on " + bin + ": " +
             forbidden(violation.which, violation.bin).second;
    case plan::Violation::Kind::kCapacity:
      return bin + " has promised " +
             amount(violation.which, state.used(violation.bin, violation.which) -
                                         model_.capacity(violation.bin, violation.which)) +
             " too much" + reserved(violation.bin, violation.which);
    case plan::Violation::Kind::kGroupBin:
      return members(state, violation.which, violation.bin, false, plan::kNowhere) + " on " + bin + ": " +
             model_.group(violation.which).name;
    case plan::Violation::Kind::kGroupDomain:
      return members(state, violation.which, violation.bin, true, plan::kNowhere) +
             " in the failure domain of " + bin + ": " + model_.group(violation.which).name;
    case plan::Violation::Kind::kSpread:
      return model_.group(violation.which).name + ": in too few failure domains";
    case plan::Violation::Kind::kNeeds:
      return members(state, violation.which, violation.bin, false, plan::kNowhere) + " on " + bin +
             ": something that it depends on is not near";
    case plan::Violation::Kind::kTogether:
      return model_.group(violation.which).name + ": on more than one " + nouns_.bin;
  }
  return {};
}

std::string Sentences::stuck(const plan::State& state, const plan::Violation& violation) const {
  std::string text;
  int told = 0;
  for (int item = 0; item < model_.items() && told < kItemsInText; ++item) {
    if (state.where(item) == plan::kNowhere || !concerns(state, violation, item)) continue;
    const std::string why = no_place(state, item);
    if (why.empty()) return {};
    ++told;
    text += (text.empty() ? "" : "; ") + item_name(item) + " cannot go elsewhere (" + why + ")";
  }
  return text;
}

bool Sentences::concerns(const plan::State& state, const plan::Violation& violation, int item) const {
  switch (violation.kind) {
    case plan::Violation::Kind::kLeaving:
    case plan::Violation::Kind::kClass:
      return violation.which == item;
    case plan::Violation::Kind::kCapacity:
      return state.where(item) == violation.bin;
    case plan::Violation::Kind::kGroupBin:
      return state.where(item) == violation.bin && in_group(item, violation.which);
    case plan::Violation::Kind::kGroupDomain:
      return in_group(item, violation.which) &&
             model_.domain(state.where(item)) == model_.domain(violation.bin);
    case plan::Violation::Kind::kSpread:
      return in_group(item, violation.which);
    case plan::Violation::Kind::kNeeds:
      return state.where(item) == violation.bin && in_group(item, violation.which);
    case plan::Violation::Kind::kTogether:
      return in_group(item, violation.which);
  }
  return false;
}

std::string Sentences::obstacle(const plan::State& state, int item, int bin,
                                const plan::Obstacle& obstacle) const {
  using Kind = plan::Obstacle::Kind;
  switch (obstacle.kind) {
    case Kind::kNone:
      return "nothing";
    case Kind::kItemFrozen:
      return why_item_frozen(item);
    case Kind::kBinFrozen:
      return why_bin_frozen(obstacle.which);
    case Kind::kBinClosed:
      if (model_.state(bin) == plan::BinState::kLeaving) return "is to be emptied";
      if (const std::string& why = why_bin_closed(bin); !why.empty()) return why;
      return "drained";
    case Kind::kClass:
      return forbidden(item, bin).second;
    case Kind::kCapacity:
      return amount(obstacle.which, obstacle.missing) + " missing" + reserved(bin, obstacle.which);
    case Kind::kGroupBin:
    case Kind::kGroupDomain: {
      const bool in_domain = obstacle.kind == Kind::kGroupDomain;
      const std::string others = members(state, obstacle.which, bin, in_domain, item);
      return model_.group(obstacle.which).name +
             (others.empty() ? ""
                             : " (" + others + (in_domain ? " is in its failure domain)" : " is there)"));
    }
    case Kind::kSpread:
      return model_.group(obstacle.which).name + " would be in too few failure domains";
    case Kind::kNeeds:
      return model_.group(obstacle.which).name + " is not near, and it depends on that";
    case Kind::kNeeded:
      return model_.group(obstacle.which).name + " depends on it where it is";
    case Kind::kTogether:
      return "others of the " + model_.group(obstacle.which).name + " are not there";
    case Kind::kSpare:
      return std::string("if a ") + nouns_.bin + " failed, its " + nouns_.items +
             " would no longer fit on the others (N+1; --spare ignore leaves that out)";
  }
  return {};
}

std::string Sentences::no_place(const plan::State& state, int item, const std::vector<bool>& out) const {
  if (model_.frozen(item)) return why_item_frozen(item);
  const int from = state.where(item);
  if (from != plan::kNowhere && model_.state(from) == plan::BinState::kFrozen) {
    return bin_name(from) + ": " + why_bin_frozen(from);
  }
  std::string text;
  int told = 0;
  int left = 0;
  bool some_admits = false;
  for (int bin = 0; bin < model_.bins(); ++bin) {
    if (bin == from) continue;
    const bool unused = !out.empty() && out[static_cast<std::size_t>(bin)];
    const plan::Obstacle obstacle = state.obstacle(item, bin);
    if (!obstacle && !unused) {
      some_admits = true;
      continue;
    }
    if (told == kBinsInText) {
      ++left;
      continue;
    }
    ++told;
    text += (text.empty() ? "" : "; ") + bin_name(bin) + ": " +
            (unused ? "is to be emptied as well" : this->obstacle(state, item, bin, obstacle));
  }
  if (some_admits) return {};
  if (left > 0) text += "; and " + std::to_string(left) + " more " + nouns_.bins;
  return text.empty() ? std::string("there is no other ") + nouns_.bin : text;
}

std::string Sentences::main_constraint(const plan::State& state, int item,
                                       const std::vector<bool>& out) const {
  std::map<std::string, int> counts;
  for (int bin = 0; bin < model_.bins(); ++bin) {
    if (bin == state.where(item) || (!out.empty() && out[static_cast<std::size_t>(bin)])) continue;
    const plan::Obstacle obstacle = state.obstacle(item, bin);
    if (!obstacle) return word_of_load();
    ++counts[constraint(item, bin, obstacle)];
  }
  const auto most = std::max_element(counts.begin(), counts.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? word_of_room() : most->first;
}

std::string Sentences::constraint(int item, int bin, const plan::Obstacle& obstacle) const {
  using Kind = plan::Obstacle::Kind;
  switch (obstacle.kind) {
    case Kind::kNone:
      return {};
    case Kind::kItemFrozen:
      return constraint_of_frozen(item);
    case Kind::kBinFrozen:
      return "held";
    case Kind::kBinClosed:
      return "drained";
    case Kind::kClass:
      return forbidden(item, bin).first;
    case Kind::kCapacity:
      return constraint_of_capacity(bin, obstacle.which);
    case Kind::kGroupBin:
      return "anti_affinity";
    case Kind::kGroupDomain:
    case Kind::kSpread:
      return "spread";
    case Kind::kNeeds:
    case Kind::kNeeded:
      return "dependency";
    case Kind::kTogether:
      return "affinity";
    case Kind::kSpare:
      return "spare";
  }
  return {};
}

std::string Sentences::shortage(const plan::State& state) const {
  std::string text;
  for (int r = 0; r < model_.resources(); ++r) {
    plan::Amount needed = 0;
    plan::Amount there = 0;
    for (int bin = 0; bin < model_.bins(); ++bin) {
      const plan::BinState kind = model_.state(bin);
      if (kind == plan::BinState::kFrozen) continue;
      needed += state.used(bin, r);
      if (kind == plan::BinState::kOpen) there += std::max<plan::Amount>(0, model_.capacity(bin, r));
    }
    if (!model_.resource(r).hard || needed <= there) continue;
    text += std::string(text.empty() ? "" : "; ") + "all " + nouns_.items + " need " + amount(r, needed) +
            ", and the " + nouns_.bins + " that may take any have " + amount(r, there) + " together";
  }
  return text;
}

std::string Sentences::blocked(const plan::State& done, int item, int to, const plan::Obstacle& why) const {
  return item_name(item) + " stays on " + bin_name(done.where(item)) + ", as there is no way to " +
         bin_name(to) + ": " + (why.kind == plan::Obstacle::Kind::kSpare ? "while it is on its way, " : "") +
         obstacle(done, item, to, why);
}

}  // namespace rackline::decide
