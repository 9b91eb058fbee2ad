// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "observe/rounds.h"

namespace rackline::observe {
namespace {

using Times = std::vector<std::int64_t>;

// An observer in simulated time: each look takes as long as it is told.
struct Observed {
  void run(const Pace& pace) {
    rounds(clock, pace,
           {.look =
                [this](record::RoundEnd& end) {
                  began.push_back(clock.monotonic().count());
                  clock.advance(end.round <= static_cast<std::int64_t>(durations.size())
                                    ? durations[static_cast<std::size_t>(end.round - 1)]
                                    : Milliseconds{10});
                  return end.round != interrupted;
                },
            .close =
                [this](const record::RoundEnd& end, Milliseconds at) {
                  ends.push_back(end);
                  ats.push_back(at.count());
                },
            .wait =
                [this](Milliseconds until) {
                  EXPECT_GT(until, clock.monotonic()) << "the next round is in the future";
                  clock.advance(until - clock.monotonic() + late);
                  return static_cast<std::int64_t>(ends.size()) != stopped;
                }});
  }

  FakeClock clock;
  std::vector<Milliseconds> durations;
  Milliseconds late{0};  // of waking up
  std::int64_t interrupted = 0, stopped = 0;
  Times began, ats;
  std::vector<record::RoundEnd> ends;
};

TEST(Rounds, OneWithoutAnInterval) {
  Observed observed;
  observed.durations = {Milliseconds{250}};
  observed.run({});
  ASSERT_EQ(observed.ends.size(), 1U);
  EXPECT_EQ(observed.ends[0].round, 1);
  EXPECT_EQ(observed.ends[0].elapsed_ms, 250);
  EXPECT_EQ(observed.ends[0].at_ms, std::nullopt);
  EXPECT_EQ(observed.ends[0].time, observed.clock.wall());
}

TEST(Rounds, BeginOnTheGridOfTheFirstAndDoNotDrift) {
  Observed observed;
  observed.clock.advance(Milliseconds{12'345});
  observed.late = Milliseconds{7};
  observed.run({.repeats = true, .interval = Milliseconds{1000}, .count = 4});
  EXPECT_EQ(observed.began, (Times{12'345, 13'352, 14'352, 15'352}));
  EXPECT_EQ(observed.ats, (Times{0, 1007, 2007, 3007}));
  ASSERT_EQ(observed.ends.size(), 4U);
  EXPECT_EQ(observed.ends[3].round, 4);
  EXPECT_EQ(observed.ends[3].at_ms, 3007);
}

TEST(Rounds, ASlowOneLeavesBeatsOut) {
  Observed observed;
  observed.durations = {Milliseconds{2500}, Milliseconds{1000}, Milliseconds{999}};
  observed.run({.repeats = true, .interval = Milliseconds{1000}, .count = 4});
  EXPECT_EQ(observed.began, (Times{0, 3000, 5000, 6000})) << "one that takes a whole interval misses a beat";
}

TEST(Rounds, OneThatIsInterruptedHasNoEnd) {
  Observed observed;
  observed.interrupted = 3;
  observed.run({.repeats = true, .interval = Milliseconds{1000}});
  EXPECT_EQ(observed.began.size(), 3U);
  EXPECT_EQ(observed.ends.size(), 2U);
}

TEST(Rounds, GoOnUntilAStopIsAskedFor) {
  Observed observed;
  observed.stopped = 5;
  observed.run({.repeats = true, .interval = Milliseconds{1000}});
  EXPECT_EQ(observed.ends.size(), 5U);
  EXPECT_EQ(observed.began.size(), 5U);
}

TEST(Rounds, AStreamHasEachAsItAnswersAndATableTheOrderOfTheQuestion) {
  struct Seen {
    std::size_t index;
    std::string name;
  };
  for (const bool table : {false, true}) {
    std::string written;
    InOrder<Seen> order(table, [&](Seen& seen) { written += seen.name; });
    order.add({2, "c"});
    order.add({0, "a"});
    EXPECT_EQ(written, table ? "" : "ca");
    order.add({1, "b"});
    order.finish();
    EXPECT_EQ(written, table ? "abc" : "cab");
  }
}

}  // namespace
}  // namespace rackline::observe
