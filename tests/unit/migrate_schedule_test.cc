// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "migrate/schedule.h"

namespace rackline::migrate {
namespace {

Move move(const std::string& vm, const std::string& from, const std::string& to, std::int64_t stage = 1) {
  Move move;
  move.id = vm + from + to;
  move.vm = vm;
  move.from = from;
  move.to = to;
  move.stage = stage;
  return move;
}

MigrationPolicy policy(int outbound, int inbound, int total) {
  MigrationPolicy policy;
  policy.max_outbound = outbound;
  policy.max_inbound = inbound;
  policy.max_total = total;
  return policy;
}

std::map<std::string, MigrationHost> hosts(const std::map<std::string, std::string>& domains) {
  std::map<std::string, MigrationHost> hosts;
  for (const auto& [name, domain] : domains) {
    hosts[name].host = name;
    if (!domain.empty()) hosts[name].failure_domain = domain;
  }
  return hosts;
}

using Indices = std::vector<std::size_t>;

TEST(MigrationSchedule, StartsAStageWhenTheOneBeforeIsOver) {
  auto schedule = migration_schedule(
      {move("c", "h1", "h2", 3), move("a", "h1", "h2", 1), move("b", "h1", "h3", 1)}, {}, policy(9, 9, 9));
  EXPECT_EQ(schedule.begin(), (Indices{1, 2}));
  schedule.finish(2, true);
  EXPECT_EQ(schedule.begin(), Indices{});
  schedule.finish(1, true);
  EXPECT_EQ(schedule.begin(), Indices{0});
  EXPECT_FALSE(schedule.over());
  schedule.finish(0, true);
  EXPECT_TRUE(schedule.over());
}

TEST(MigrationSchedule, AFullHostDoesNotHoldUpOthers) {
  auto schedule = migration_schedule(
      {move("a", "h1", "h2"), move("b", "h1", "h2"), move("c", "h1", "h3"), move("d", "h4", "h3")}, {},
      policy(1, 9, 9));
  EXPECT_EQ(schedule.begin(), (Indices{0, 3}));
}

// Rule 8: concurrency is capped per host inbound and outbound, and in all; and every move gets its turn.
TEST(MigrationSchedule, KeepsAllLimitsAtEveryMomentOfRandomPlans) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    const auto pick = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
    const auto limits = policy(1 + pick(3), 1 + pick(3), 1 + pick(5));
    std::vector<Move> moves;
    for (int i = 0; i < 20; ++i) {
      const int from = pick(4);
      moves.push_back(move("vm" + std::to_string(i), "h" + std::to_string(from),
                           "h" + std::to_string((from + 1 + pick(3)) % 4), 1 + pick(3)));
    }
    auto schedule = migration_schedule(moves, {}, limits);
    std::vector<std::size_t> running;
    std::size_t finished = 0;
    while (!schedule.over()) {
      for (const std::size_t index : schedule.begin()) running.push_back(index);
      ASSERT_FALSE(running.empty()) << "it stands still";
      std::map<std::string, int> out;
      std::map<std::string, int> in;
      for (const std::size_t index : running) {
        EXPECT_LE(++out[moves[index].from], limits.max_outbound);
        EXPECT_LE(++in[moves[index].to], limits.max_inbound);
        EXPECT_EQ(moves[index].stage, moves[running[0]].stage);
      }
      EXPECT_LE(running.size(), static_cast<std::size_t>(limits.max_total));
      const auto which = running.begin() + pick(static_cast<int>(running.size()));
      schedule.finish(*which, true);
      running.erase(which);
      ++finished;
    }
    EXPECT_EQ(finished, moves.size());
  }
}

TEST(MigrationSchedule, RefusesWhatRestsOnAFailedMoveAndNothingElse) {
  auto schedule = migration_schedule({move("a", "h1", "h2", 1),   // fails: stays on h1
                                      move("b", "h3", "h1", 2),   // wanted its place
                                      move("c", "h2", "h3", 3),   // independent
                                      move("d", "h4", "h3", 3),   // wanted b's place
                                      move("a", "h2", "h4", 3)},  // the same VM
                                     {}, policy(9, 9, 9));
  schedule.begin();
  schedule.finish(0, false);
  const auto refused = schedule.refused();
  ASSERT_EQ(refused.size(), 4U);  // c: to h3, which b did not leave
  EXPECT_EQ(refused[0].item, 1U);
  EXPECT_NE(refused[0].reason.find("a did not leave h1"), std::string::npos);
  EXPECT_TRUE(schedule.over());
  EXPECT_TRUE(schedule.refused().empty());
}

TEST(MigrationSchedule, GoesOnWithWhatDoesNotRestOnAFailedMove) {
  auto schedule = migration_schedule(
      {move("a", "h1", "h2", 1), move("b", "h1", "h3", 1), move("c", "h4", "h3", 2)}, {}, policy(9, 9, 9));
  schedule.begin();
  schedule.finish(0, false);
  EXPECT_TRUE(schedule.refused().empty());
  schedule.finish(1, true);
  EXPECT_EQ(schedule.begin(), Indices{2});
}

TEST(MigrationSchedule, AFailureDomainThatWasNotLeftHoldsBackWhatWasToEnterIt) {
  auto schedule = migration_schedule(
      {move("a", "h1", "h3", 1), move("b", "h4", "h2", 2), move("c", "h3", "h4", 2)},
      hosts({{"h1", "rack1"}, {"h2", "rack1"}, {"h3", "rack2"}, {"h4", ""}}), policy(9, 9, 9));
  schedule.begin();
  schedule.finish(0, false);
  const auto refused = schedule.refused();
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].item, 1U);
  EXPECT_NE(refused[0].reason.find("rack1"), std::string::npos);
}

TEST(MigrationSchedule, AFailureHoldsBackNothingOfItsOwnStage) {
  auto schedule = migration_schedule({move("a", "h1", "h2"), move("b", "h3", "h1")}, {}, policy(1, 1, 1));
  schedule.begin();
  schedule.finish(0, false);
  EXPECT_EQ(schedule.begin(), Indices{1});
}

TEST(MigrationSchedule, GivesUpOnlyWhatHasNotBegun) {
  auto schedule = migration_schedule({move("a", "h1", "h2"), move("b", "h1", "h2"), move("c", "h1", "h2", 2)},
                                     {}, policy(1, 9, 9));
  EXPECT_EQ(schedule.begin(), Indices{0});
  EXPECT_EQ(schedule.give_up(), (Indices{1, 2}));
  EXPECT_FALSE(schedule.over());
  schedule.finish(0, false);
  EXPECT_TRUE(schedule.over());
}

TEST(MigrationSchedule, AtOnePortOneComesInAtATime) {
  auto known = hosts({{"h1", ""}, {"h2", ""}, {"h3", ""}});
  known["h2"].migration_uri = "tcp://[fd00::2]:49200";
  known["h3"].migration_uri = "tcp://[fd00::3]";
  const std::vector<Move> moves{move("a", "h1", "h2"), move("b", "h1", "h2"), move("c", "h1", "h3"),
                                move("d", "h1", "h3")};
  act::Schedule schedule = migration_schedule(moves, known, policy(10, 10, 10));
  EXPECT_EQ(schedule.begin(), (Indices{0, 2, 3}));
}

}  // namespace
}  // namespace rackline::migrate
