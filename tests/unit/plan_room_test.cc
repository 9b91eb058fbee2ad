// SPDX-License-Identifier: Apache-2.0
#include "plan/headroom.h"
#include "plan/room.h"
#include "plan_support.h"

namespace rackline::plan {
namespace {

using namespace test;

Model bins_of(std::initializer_list<Amount> memories) {
  Model model(memory_and_cpu());
  int domain = 0;
  for (const Amount memory : memories) model.add_bin(supply(memory, 100000), BinState::kOpen, domain++);
  return model;
}

// --- making room ---

TEST(PlanRoom, WhatHasAPlaceMovesNobody) {
  Model model = bins_of({10, 10});
  model.add_item(item(8, 1, 0));
  model.add_item(item(5, 1, kNowhere));
  State state(model);
  Room room(state, {.keep_spare = false, .most_load = 1});
  EXPECT_TRUE(room.settle(1, Step::Why::kRepair));
  EXPECT_EQ(state.where(1), 1);
  EXPECT_EQ(room.steps().size(), 1u);
}

TEST(PlanRoom, TheSmallestThatWillDoMovesAside) {
  Model model = bins_of({10, 10, 10});
  model.add_item(item(5, 1, 0));
  model.add_item(item(3, 1, 0));
  model.add_item(item(6, 1, 1));
  model.add_item(item(6, 1, 2));
  model.add_item(item(5, 1, kNowhere));
  State state(model);
  Room room(state, {.keep_spare = false, .most_load = 1});
  ASSERT_TRUE(room.settle(4, Step::Why::kRepair));
  ASSERT_EQ(room.steps().size(), 2u);
  EXPECT_EQ(room.steps()[0].item, 1);
  EXPECT_EQ(room.steps()[0].because, 4);
  EXPECT_EQ(state.where(4), 0);
}

TEST(PlanRoom, SeveralMoveAsideWhereOneIsNotEnough) {
  Model model = bins_of({10, 6, 6});
  for (int i = 0; i < 4; ++i) model.add_item(item(2, 1, 0));
  model.add_item(item(4, 1, 1));
  model.add_item(item(4, 1, 2));
  model.add_item(item(6, 1, kNowhere));
  State state(model);
  Room room(state, {.keep_spare = false, .most_load = 1});
  ASSERT_TRUE(room.settle(6, Step::Why::kRepair));
  EXPECT_EQ(room.steps().size(), 3u);
  EXPECT_EQ(state.where(6), 0);
}

TEST(PlanRoom, AFailureLeavesEverythingWhereItWas) {
  Model model = bins_of({10, 10});
  model.add_item(item(8, 1, 0));
  model.add_item(item(8, 1, 1));
  model.add_item(item(5, 1, kNowhere));
  State state(model);
  Room room(state, {.keep_spare = false, .most_load = 1});
  EXPECT_FALSE(room.settle(2, Step::Why::kRepair));
  EXPECT_TRUE(room.steps().empty());
  EXPECT_EQ(state.where(0), 0);
  EXPECT_EQ(state.where(1), 1);
  EXPECT_EQ(state.where(2), kNowhere);
}

TEST(PlanRoom, APartnerMovesAsideForAPartner) {
  Model model = bins_of({10, 10});
  model.add_group({"apart", 1, 0});
  std::vector<bool> first{true, false};
  const int pinned = model.add_class(first);
  model.add_item(item(2, 1, 0, {0}));
  Item wanted = item(2, 1, kNowhere, {0});
  wanted.item_class = pinned;
  model.add_item(wanted);
  State state(model);
  Room room(state, {.keep_spare = false, .most_load = 1});
  ASSERT_TRUE(room.settle(1, Step::Why::kRepair));
  EXPECT_EQ(state.where(0), 1);
  EXPECT_EQ(state.where(1), 0);
}

TEST(PlanRoom, EmptyingIsAllOrNothing) {
  Model model = bins_of({20, 10, 6});
  model.add_item(item(8, 1, 0));
  model.add_item(item(7, 1, 0));
  State state(model);
  Room room(state, {.keep_spare = false, .most_load = 1});
  int stuck = kNowhere;
  EXPECT_FALSE(room.empty(0, stuck));
  EXPECT_EQ(stuck, 1);
  EXPECT_EQ(state.where(0), 0);
  EXPECT_FALSE(room.is_out(0));
}

TEST(PlanRoom, WhatIsOutOfUseGivesNoSpare) {
  Model model = bins_of({10, 10, 10});
  model.add_item(item(6, 1, 0));
  model.add_item(item(6, 1, 1));
  const State state(model);
  EXPECT_EQ(state.bins_without_spare({false, false, false}), 0);
  EXPECT_EQ(state.bins_without_spare({false, false, true}), 2);
  EXPECT_EQ(state.first_without_spare({false, false, true}), 0);
  EXPECT_EQ(state.bins_without_spare({false, false, false}), state.bins_without_spare());
}

// --- headroom ---

TEST(PlanHeadroom, CountsByTheScarcestResource) {
  Model model = bins_of({10, 14});
  model.add_item(item(4, 1, 0));
  model.add_item(item(3, 1, kNowhere));
  const HeadroomAnswer answer = headroom(State(model), 1, false, false);
  EXPECT_EQ(answer.fits, 2 + 4);
  EXPECT_EQ(answer.bins[0].fits, 2);
  EXPECT_EQ(answer.bins[0].next.kind, Obstacle::Kind::kCapacity);
  EXPECT_EQ(answer.bins[0].next.missing, 3) << "nothing is left of 10 - 4 - 2 * 3";
}

TEST(PlanHeadroom, SpareIsKeptForTheOldAndTheNew) {
  Model model = bins_of({10, 10, 10});
  model.add_item(item(2, 1, kNowhere));
  const HeadroomAnswer all = headroom(State(model), 0, false, false);
  EXPECT_EQ(all.fits, 15);
  const HeadroomAnswer spare = headroom(State(model), 0, true, false);
  EXPECT_EQ(spare.fits, 10) << "what is on any one of three has to fit on two";
  EXPECT_EQ(
      std::count_if(spare.bins.begin(), spare.bins.end(),
                    [](const auto& bin) { return bin.next.kind == Obstacle::Kind::kSpare; }),
      3 - std::count_if(spare.bins.begin(), spare.bins.end(), [](const auto& bin) { return bin.fits == 5; }));
}

TEST(PlanHeadroom, ABinLargerThanAllOthersStaysEmptyRatherThanUncovered) {
  Model model = bins_of({100, 10, 10});
  model.add_item(item(2, 1, kNowhere));
  const HeadroomAnswer answer = headroom(State(model), 0, true, false);
  EXPECT_EQ(answer.fits, 10)
      << "the two small ones full, and the large one covers them; or the other way round";
}

TEST(PlanHeadroom, PartnersAreOneToABin) {
  Model model = bins_of({10, 10, 10});
  model.add_group({"apart", 1, 0});
  model.add_item(item(1, 1, 0, {0}));
  model.add_item(item(1, 1, kNowhere, {0}));
  EXPECT_EQ(headroom(State(model), 1, false, false).fits, 2);
}

TEST(PlanHeadroom, LoadCountsOnDemand) {
  Model model = bins_of({10, 10});
  Item probe = item(1, 1, kNowhere);
  probe.demands[1] = {0, 30000};
  model.add_item(probe);
  EXPECT_EQ(headroom(State(model), 0, false, false).fits, 20);
  const HeadroomAnswer answer = headroom(State(model), 0, false, true);
  EXPECT_EQ(answer.fits, 4) << "75% of 100 CPUs, 30 each";
  EXPECT_TRUE(answer.bins[0].load);
}

}  // namespace
}  // namespace rackline::plan
