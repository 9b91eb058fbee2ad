// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "migrate/fate.h"

namespace rackline::migrate {
namespace {

using Verdict = MoveFate::Verdict;

constexpr VmState kStates[] = {VmState::kAbsent,         VmState::kShutoff,     VmState::kRunning,
                               VmState::kPaused,         VmState::kInMigration, VmState::kPostcopy,
                               VmState::kPostcopyFailed, VmState::kOther};

VmFacts vm(VmState state, bool job = false) {
  VmFacts vm;
  vm.state = state;
  if (state != VmState::kAbsent && state != VmState::kShutoff) vm.domain_id = 3;
  vm.job = vm.migrating_out = job;
  return vm;
}

Move move() {
  Move move;
  move.vm = "db1";
  move.from = "h1";
  move.to = "h2";
  return move;
}

Verdict live(VmState source, VmState target, bool job = false) {
  return judge(move(), true, vm(source, job), vm(target)).verdict;
}
Verdict stopped(VmState source, VmState target) {
  return judge(move(), false, vm(source), vm(target)).verdict;
}

TEST(Recovery, TellsWhatALiveMigrationLeft) {
  EXPECT_EQ(live(VmState::kAbsent, VmState::kRunning), Verdict::kDone);
  EXPECT_EQ(live(VmState::kAbsent, VmState::kPaused), Verdict::kDone);
  EXPECT_EQ(live(VmState::kShutoff, VmState::kRunning), Verdict::kFinish);
  EXPECT_EQ(live(VmState::kRunning, VmState::kInMigration, true), Verdict::kAdopt);
  EXPECT_EQ(live(VmState::kPostcopy, VmState::kPostcopy, true), Verdict::kAdopt);
  EXPECT_EQ(live(VmState::kInMigration, VmState::kInMigration, true), Verdict::kAdopt);
  EXPECT_EQ(live(VmState::kRunning, VmState::kAbsent), Verdict::kSource);
  EXPECT_EQ(live(VmState::kShutoff, VmState::kAbsent), Verdict::kSource);
  EXPECT_EQ(live(VmState::kRunning, VmState::kInMigration), Verdict::kLeftover);
}

TEST(Recovery, ADefinitionOfWhichTheStartFailedMayGoWhereTheSourceRunsAndHasItsOwn) {
  VmFacts source = vm(VmState::kRunning);
  VmFacts target = vm(VmState::kShutoff);
  const auto verdict = [&] { return judge(move(), true, source, target).verdict; };
  source.persistent = true;
  EXPECT_EQ(verdict(), Verdict::kInconsistent);  // it may have run, and stopped
  target.start_failed = true;
  EXPECT_EQ(verdict(), Verdict::kLeftover);
  source.job = true;
  EXPECT_EQ(verdict(), Verdict::kInconsistent);
  source.job = false;
  source.persistent = false;
  EXPECT_EQ(verdict(), Verdict::kInconsistent);
}

TEST(Recovery, CallsAPersonForTwoRunningCopiesAndForNone) {
  EXPECT_EQ(live(VmState::kRunning, VmState::kRunning), Verdict::kInconsistent);
  EXPECT_EQ(live(VmState::kAbsent, VmState::kAbsent), Verdict::kInconsistent);
  EXPECT_EQ(live(VmState::kPostcopyFailed, VmState::kPostcopyFailed), Verdict::kInconsistent);
  EXPECT_EQ(live(VmState::kAbsent, VmState::kInMigration), Verdict::kInconsistent);
  EXPECT_EQ(stopped(VmState::kAbsent, VmState::kAbsent), Verdict::kInconsistent);
  EXPECT_EQ(stopped(VmState::kRunning, VmState::kShutoff), Verdict::kInconsistent);
}

TEST(Recovery, TellsAtWhichPointADefinitionStopped) {
  EXPECT_EQ(stopped(VmState::kShutoff, VmState::kAbsent), Verdict::kSource);
  EXPECT_EQ(stopped(VmState::kShutoff, VmState::kShutoff), Verdict::kFinish);
  EXPECT_EQ(stopped(VmState::kAbsent, VmState::kShutoff), Verdict::kDone);
}

TEST(Recovery, JudgesNothingFromOneHostAlone) {
  for (const bool is_live : {true, false}) {
    for (const VmState state : kStates) {
      EXPECT_EQ(judge(move(), is_live, vm(state), std::nullopt).verdict, Verdict::kUnknown);
      EXPECT_EQ(judge(move(), is_live, std::nullopt, vm(state)).verdict, Verdict::kUnknown);
    }
  }
}

// Rules 10 and 17, over every pair of states: what the verdict lets the mover remove is never the copy that
// counts.
TEST(Recovery, NeverLetsTheOnlyCopyGo) {
  for (const bool is_live : {true, false}) {
    for (const bool job : {true, false}) {
      for (const VmState s : kStates) {
        for (const VmState t : kStates) {
          const VmFacts source = vm(s, job && s != VmState::kAbsent && s != VmState::kShutoff);
          const VmFacts target = vm(t);
          const Verdict verdict = judge(move(), is_live, source, target).verdict;
          if (verdict == Verdict::kFinish) {  // the source's definition goes
            EXPECT_EQ(s, VmState::kShutoff);
            EXPECT_TRUE(target.active() || (!is_live && t == VmState::kShutoff));
          }
          if (verdict == Verdict::kLeftover) {  // the target's copy goes
            EXPECT_TRUE(source.active());
            EXPECT_FALSE(source.job);
            EXPECT_EQ(t, VmState::kInMigration);
          }
          if (verdict == Verdict::kDone) {
            EXPECT_EQ(s, VmState::kAbsent);
            EXPECT_TRUE(target.present());
          }
          if (verdict == Verdict::kSource) {
            EXPECT_EQ(t, VmState::kAbsent);
            EXPECT_TRUE(source.present());
          }
        }
      }
    }
  }
}

TEST(Recovery, WaitsOnlyForStatesThatPass) {
  EXPECT_TRUE(judge(move(), true, vm(VmState::kInMigration), vm(VmState::kInMigration)).passing);
  EXPECT_FALSE(judge(move(), true, vm(VmState::kRunning), vm(VmState::kRunning)).passing);
  EXPECT_FALSE(judge(move(), true, vm(VmState::kAbsent), vm(VmState::kAbsent)).passing);
}

}  // namespace
}  // namespace rackline::migrate
