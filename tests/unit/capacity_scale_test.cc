// SPDX-License-Identifier: Apache-2.0
// What is done otherwise where there are many bins keeps to the same rules.
#include "plan/search.h"
#include "plan_support.h"

namespace rackline::capacity {
namespace {

using namespace plan::test;

plan::Model large_model(std::uint64_t seed, const std::vector<int>* starts = nullptr) {
  std::mt19937_64 random(seed);
  plan::Model model(memory_and_cpu());
  const int bins = 130 + below(random, 60);
  for (int bin = 0; bin < bins; ++bin) {
    const int dice = below(random, 40);
    const plan::BinState state = dice == 0   ? plan::BinState::kClosed
                                 : dice == 1 ? plan::BinState::kFrozen
                                             : plan::BinState::kOpen;
    model.add_bin(supply(100 + 50 * below(random, 2), 16000), state, bin % 20);
  }
  for (int g = 0; g < 20; ++g) model.add_group({"anti-affinity", 1, 0});
  std::vector<plan::Amount> used(at(bins), 0);
  int made = 0;
  for (int i = 0; i < 8 * bins; ++i) {
    const int crowded = below(random, 3) == 0 ? below(random, bins / 10) : below(random, bins);
    plan::Item next = item(2 + below(random, 10), 100 + below(random, 1500), crowded);
    if (below(random, 5) == 0) next.groups.push_back(below(random, 20));
    next.move_cost = 0.06 / bins;
    const plan::Amount memory = next.demands[0].peak;
    if (used[at(crowded)] + memory > model.capacity(crowded, 0)) continue;
    used[at(crowded)] += memory;
    if (starts != nullptr) next.start = (*starts)[at(made)];
    ++made;
    model.add_item(next);
  }
  return model;
}

TEST(PlanScale, ManyBinsAreEvenedOutByAllowedStepsAndOnce) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const plan::Model model = large_model(seed);
    plan::State state(model);
    const double before = state.score_of_imbalance();
    plan::SearchLimits limits;
    limits.swap_only_overloaded = true;  // as the planner does
    std::vector<plan::Step> steps;
    for (bool progress = true; progress;) {
      const auto more = improve(state, limits);
      steps.insert(steps.end(), more.begin(), more.end());
      progress = !more.empty();
    }
    EXPECT_LT(state.score_of_imbalance(), before / 2) << "seed " << seed;
    EXPECT_GE(state.score(), plan::lower_bound(state) - 1e-9);
    plan::State played(model);
    for (const plan::Step& step : steps) {
      ASSERT_TRUE(played.admits(step.item, step.to)) << "seed " << seed;
      played.move(step.item, step.to);
    }
    std::vector<int> where;
    for (int i = 0; i < model.items(); ++i) where.push_back(state.where(i));
    const plan::Model after = large_model(seed, &where);
    plan::State again(after);
    EXPECT_TRUE(improve(again, limits).empty()) << "seed " << seed;
  }
}

// First fit decreasing for every bin, without any shortcut.
int without_spare(const plan::State& state) {
  const plan::Model& model = state.model();
  int without = 0;
  for (int failed = 0; failed < model.bins(); ++failed) {
    if (model.state(failed) != plan::BinState::kOpen && model.state(failed) != plan::BinState::kClosed)
      continue;
    std::vector<plan::Amount> sizes;
    for (const int item : state.items_on(failed)) {
      if (!state.in_flight(item)) sizes.push_back(model.demand(item, 0).peak);
    }
    std::sort(sizes.rbegin(), sizes.rend());
    std::vector<plan::Amount> room(at(model.bins()), 0);
    for (int bin = 0; bin < model.bins(); ++bin) {
      if (bin != failed && model.state(bin) == plan::BinState::kOpen) {
        room[at(bin)] = model.capacity(bin, 0) - state.used(bin, 0);
      }
    }
    for (const plan::Amount size : sizes) {
      const auto found = std::find_if(room.begin(), room.end(), [size](plan::Amount r) { return r >= size; });
      if (found == room.end()) {
        ++without;
        break;
      }
      *found -= size;
    }
  }
  return without;
}

TEST(PlanScale, SpareIsTheSameByShortcutsAsWithout) {
  int some = 0;
  int none = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const plan::Model model = random_model(seed);
    if (model.items() == 0) continue;
    plan::State state(model);
    std::mt19937_64 random(seed);
    for (int i = 0; i < 60; ++i) {
      const int item = below(random, model.items());
      const int bin = below(random, model.bins());
      if (state.in_flight(item)) {
        (i % 2 == 0) ? state.arrive(item) : state.recall(item);
      } else if (bin != state.where(item)) {
        (i % 3 == 0) ? state.depart(item, bin) : state.move(item, bin);
      }
      const int expected = without_spare(state);
      ASSERT_EQ(state.bins_without_spare(), expected) << "seed " << seed;
      (expected > 0 ? some : none) += 1;
    }
  }
  EXPECT_GT(some, 100);
  EXPECT_GT(none, 100);
}

}  // namespace
}  // namespace rackline::capacity
