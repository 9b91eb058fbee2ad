// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "decide/relief.h"

namespace rackline::decide {
namespace {

plan::Supply cpus(plan::Amount size) {
  plan::Supply supply;
  supply.size = size;
  supply.overcommit = 8;
  supply.safety = size * 3 / 4;
  return supply;
}

struct Scene {
  plan::Model model{{{.name = "memory", .transient = true}, {.name = "cpu"}}};
  Outlook outlook{.resource = 1, .items = {}, .bins = {}};

  void bin(plan::Amount memory) {
    plan::Supply supply;
    supply.size = memory;
    model.add_bin({supply, cpus(10000)}, plan::BinState::kOpen, model.bins());
    outlook.bins.push_back({});
  }
  void item(int start, double mean, double deviation = 100) {
    plan::Item item;
    item.demands = {{1, 1}, {2000, static_cast<plan::Amount>(mean)}};
    item.start = start;
    model.add_item(item);
    outlook.items.push_back({mean, deviation * deviation});
  }
};

TEST(Relief, GoesToTheCalmestAndNotBeyondASafety) {
  Scene scene;
  for (int i = 0; i < 3; ++i) scene.bin(100);
  for (int i = 0; i < 5; ++i) scene.item(0, 2000);
  scene.item(1, 6500);
  scene.item(2, 3000);
  plan::State state(scene.model);
  const auto steps = relieve(state, scene.outlook, {0}, {}, {.keep_spare = false});
  ASSERT_FALSE(steps.empty());
  for (const plan::Step& step : steps) EXPECT_EQ(step.to, 2);
  const ExpectedLoad expected(state, scene.outlook);
  for (int bin = 0; bin < 3; ++bin) EXPECT_LE(expected.load(bin).mean, 7500) << bin;
}

TEST(Relief, MemoryIsNeverPromisedTwice) {
  Scene scene;
  scene.bin(100);
  scene.bin(1);
  for (int i = 0; i < 5; ++i) scene.item(0, 2000);
  plan::State state(scene.model);
  EXPECT_LE(relieve(state, scene.outlook, {0}, {}, {.keep_spare = false}).size(), 1U);
}

TEST(Relief, MovesGetDearer) {
  Scene scene;
  for (int i = 0; i < 8; ++i) scene.bin(100);
  for (int i = 0; i < 7; ++i) scene.item(0, 1200, 300);
  plan::State state(scene.model);
  const plan::State before = state;
  EXPECT_FALSE(relieve(state, scene.outlook, {0}, {}, {.keep_spare = false}).empty());
  plan::State dear = before;
  MovePrice price;
  price.spent = 1000;
  EXPECT_TRUE(relieve(dear, scene.outlook, {0}, price, {.keep_spare = false}).empty());
  plan::State few = before;
  EXPECT_LE(relieve(few, scene.outlook, {0}, {}, {.max_moves = 1, .keep_spare = false}).size(), 1U);
}

TEST(Relief, NoBinIsFilledUpBecauseItIsLostAnyhow) {
  // Three bins that are above their safety for good: the load of one does not go to another.
  Scene scene;
  for (int i = 0; i < 3; ++i) scene.bin(100);
  for (int bin = 0; bin < 3; ++bin) {
    for (int i = 0; i < 4; ++i) scene.item(bin, 2100);
  }
  plan::State state(scene.model);
  EXPECT_TRUE(relieve(state, scene.outlook, {0, 1, 2}, {}, {.keep_spare = false}).empty());
}

}  // namespace
}  // namespace rackline::decide
