// SPDX-License-Identifier: Apache-2.0
#include "plan/company.h"

#include <algorithm>
#include <utility>

namespace rackline::plan {
namespace {

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

bool in_group(const Model& model, int item, int group) {
  const auto begin = model.group_list().begin() + model.group_begin(item);
  const auto end = model.group_list().begin() + model.group_begin(item + 1);
  return std::find(begin, end, group) != end;
}

// Groups of which items on the same bin go with the item.
std::vector<int> groups_beside(const Model& model, int item) {
  std::vector<int> groups;
  for (int k = model.group_begin(item); k < model.group_begin(item + 1); ++k) {
    const int group = model.group_list()[index(k)];
    if (model.group(group).together) groups.push_back(group);
    groups.insert(groups.end(), model.dependencies(group).begin(), model.dependencies(group).end());
    groups.insert(groups.end(), model.dependents(group).begin(), model.dependents(group).end());
  }
  return groups;
}

// What is broken, but for the bins that are to be left.
std::vector<Violation> broken(const State& state) {
  std::vector<Violation> all = state.violations();
  std::erase_if(all, [](const Violation& v) { return v.kind == Violation::Kind::kLeaving; });
  return all;
}

bool breaks_nothing_new(const State& state, const std::vector<Violation>& before) {
  const std::vector<Violation> now = broken(state);
  return std::all_of(now.begin(), now.end(), [&](const Violation& v) {
    return std::any_of(before.begin(), before.end(), [&](const Violation& known) {
      return known.kind == v.kind && known.bin == v.bin && known.which == v.which;
    });
  });
}

// The open bins, the best for the item first.
std::vector<int> bins_for(const State& state, int item) {
  std::vector<std::pair<double, int>> ranked;
  for (int bin = 0; bin < state.model().bins(); ++bin) {
    if (bin == state.where(item) || state.obstacle_in_company(item, bin)) continue;
    ranked.emplace_back(state.score_with_shift(item, bin), bin);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<int> bins;
  for (const auto& [score, bin] : ranked) bins.push_back(bin);
  return bins;
}

// Puts each of the items that are nowhere on the bin, or else on any other; what another one depends on may
// have to come first.
bool settle_near(State& state, std::vector<int> items, int bin,
                 const std::function<bool(int item, int bin)>& may) {
  const auto put = [&](int item) {
    if (state.admits(item, bin) && may(item, bin)) {
      state.move(item, bin);
      return true;
    }
    for (int other = 0; other < state.model().bins(); ++other) {
      if (!state.admits(item, other) || !may(item, other)) continue;
      state.move(item, other);
      return true;
    }
    return false;
  };
  for (bool progress = true; progress && !items.empty();) progress = std::erase_if(items, put) > 0;
  return items.empty();
}

}  // namespace

std::vector<int> company_of(const State& state, int item) {
  const Model& model = state.model();
  std::vector<int> company{item};
  const std::vector<int>& beside = state.items_on(state.where(item));
  for (std::size_t i = 0; i < company.size(); ++i) {
    for (const int group : groups_beside(model, company[i])) {
      for (const int other : beside) {
        const bool known = std::find(company.begin(), company.end(), other) != company.end();
        if (!known && !model.frozen(other) && in_group(model, other, group)) company.push_back(other);
      }
    }
  }
  return company;
}

bool leave_together(State& state, const std::vector<int>& items,
                    const std::function<bool(int item, int bin)>& may, const std::function<bool()>& done,
                    std::vector<Step>& steps) {
  const std::vector<Violation> before = broken(state);
  std::vector<int> from;
  for (const int item : items) from.push_back(state.where(item));
  const auto back = [&] {
    for (std::size_t i = 0; i < items.size(); ++i) state.move(items[i], from[i]);
  };
  for (const int bin : bins_for(state, items.front())) {
    for (const int item : items) state.move(item, kNowhere);
    if (settle_near(state, items, bin, may) && breaks_nothing_new(state, before) && done()) {
      for (std::size_t i = 0; i < items.size(); ++i)
        steps.push_back({items[i], from[i], state.where(items[i]), Step::Why::kRepair, kNowhere});
      return true;
    }
    back();
  }
  return false;
}

}  // namespace rackline::plan
