// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "migrate/ladder.h"

namespace rackline::migrate {
namespace {

using Step = MigrationLadder::Step;

// A migration whose passes leave `lows` as the least that remained in them, one after the other, a second
// each.
class Passes {
 public:
  explicit Passes(MigrationLadder& ladder) : ladder_(ladder) {}

  // The step that the pass after `low` was seen brings.
  Step pass(std::int64_t low, Milliseconds left = Milliseconds{600'000}) {
    JobStats job;
    job.running = job.migrating_out = true;
    job.iteration = ++iteration_;
    job.total_bytes = 1000;
    job.elapsed = Milliseconds{iteration_ * 1000};
    job.remaining_bytes = low + 500;
    const Step step = ladder_.observe(job, left);
    job.remaining_bytes = low;
    EXPECT_EQ(ladder_.observe(job, left), Step::kNone) << "within a pass nothing is decided";
    return step;
  }
  void restart() { iteration_ = 0; }

 private:
  MigrationLadder& ladder_;
  std::int64_t iteration_ = 0;
};

TEST(MigrationLadder, LeavesAConvergingMigrationAlone) {
  MigrationLadder ladder(Milliseconds{300}, Milliseconds{1000}, true);
  Passes passes(ladder);
  for (std::int64_t low = 1'000'000; low > 10; low = low * 8 / 10) EXPECT_EQ(passes.pass(low), Step::kNone);
  EXPECT_EQ(ladder.downtime(), Milliseconds{300});
  EXPECT_EQ(ladder.stalls(), 0);
}

TEST(MigrationLadder, ClimbsFromDowntimeToAutoConvergeToPostcopy) {
  MigrationLadder ladder(Milliseconds{300}, Milliseconds{1000}, true);
  Passes passes(ladder);
  for (int i = 0; i < 4; ++i) passes.pass(100);
  EXPECT_EQ(ladder.downtime(), Milliseconds{600});
  EXPECT_EQ(passes.pass(100), Step::kRaiseDowntime);
  EXPECT_EQ(ladder.downtime(), Milliseconds{1000});
  EXPECT_FALSE(ladder.auto_converge());
  EXPECT_EQ(passes.pass(100), Step::kAutoConverge);
  EXPECT_TRUE(ladder.auto_converge());
  ladder.restarted();
  passes.restart();
  int until_postcopy = 0;
  while (passes.pass(100) == Step::kNone && until_postcopy < 50) ++until_postcopy;
  EXPECT_GE(until_postcopy, 8) << "auto-converge needs passes to bite";
  EXPECT_LT(until_postcopy, 50);
  EXPECT_EQ(passes.pass(100), Step::kNone) << "there is no rung above post-copy";
}

// Rule 9: post-copy only by explicit consent.
TEST(MigrationLadder, NeverGoesToPostcopyWithoutConsent) {
  MigrationLadder ladder(Milliseconds{300}, Milliseconds{300}, false);
  Passes passes(ladder);
  for (int i = 0; i < 100; ++i) {
    const Step step = passes.pass(100);
    EXPECT_NE(step, Step::kPostcopy);
    if (step != Step::kAutoConverge) continue;
    ladder.restarted();
    passes.restart();
  }
}

TEST(MigrationLadder, NeverPermitsMoreDowntimeThanItsLimit) {
  MigrationLadder ladder(Milliseconds{1}, Milliseconds{7}, false);
  Passes passes(ladder);
  for (int i = 0; i < 50; ++i) {
    passes.pass(100);
    EXPECT_LE(ladder.downtime(), Milliseconds{7});
  }
  EXPECT_EQ(ladder.downtime(), Milliseconds{7});
}

TEST(MigrationLadder, DoesNotBeginAnewWhenThereIsNoTimeForIt) {
  MigrationLadder ladder(Milliseconds{300}, Milliseconds{300}, true);
  Passes passes(ladder);
  for (int i = 0; i < 3; ++i) passes.pass(100, Milliseconds{500});
  EXPECT_EQ(passes.pass(100, Milliseconds{500}), Step::kPostcopy);
  EXPECT_FALSE(ladder.auto_converge());
}

TEST(MigrationLadder, IgnoresAJobThatIsOverOrInPostcopy) {
  MigrationLadder ladder(Milliseconds{300}, Milliseconds{1000}, true);
  for (int i = 1; i < 20; ++i) {
    JobStats job;
    job.iteration = i;
    job.remaining_bytes = 100;
    EXPECT_EQ(ladder.observe(job, Milliseconds{1000}), Step::kNone);
    job.running = job.postcopy = true;
    EXPECT_EQ(ladder.observe(job, Milliseconds{1000}), Step::kNone);
  }
}

}  // namespace
}  // namespace rackline::migrate
