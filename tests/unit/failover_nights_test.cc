// SPDX-License-Identifier: Apache-2.0
// Nights of a cluster in simulated time: hosts die, hang and come back, controllers are slow, wrong or deaf,
// the storage pauses, the programs are killed. Afterwards each server that is wanted runs exactly once, or a
// person was called; and at no moment did one run twice.
//
// RACKLINE_NIGHTS=1000 runs so many; RACKLINE_NIGHT=17 runs that one and tells its story.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "failover_nights_night.h"

namespace rackline::failover::nights {
namespace {

unsigned number_of(const char* variable, unsigned otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::atoi(text));
}

TEST(Nights, EveryServerRunsExactlyOnceOrAPersonWasCalled) {
  const unsigned one = number_of("RACKLINE_NIGHT", 0);
  const unsigned first = one != 0 ? one : 1;
  const unsigned last = one != 0 ? one : number_of("RACKLINE_NIGHTS", 200);
  unsigned in_order = 0, undetectable = 0;
  for (unsigned seed = first; seed <= last; ++seed) {
    Night night(seed);
    night.run();
    for (const auto& what : night.verdict()) ADD_FAILURE() << what << "\n  RACKLINE_NIGHT=" << seed;
    if (one != 0) std::cerr << night.story();
    in_order += night.all_in_order() ? 1 : 0;
    undetectable += night.was_undetectable() ? 1 : 0;
  }
  std::cerr << in_order << " of " << last - first + 1 << " nights needed no person; in " << undetectable
            << " two controllers were in each other's place and nobody had looked\n";
  // The nights are about something, and most of them heal.
  if (last - first < 100) return;
  EXPECT_GT(in_order * 2, last - first);
  EXPECT_LT(in_order, last - first);
}

TEST(Nights, OneSeedIsOneNight) {
  for (const unsigned seed : {3U, 13U, 197U}) {
    Night once(seed), again(seed);
    once.run();
    again.run();
    EXPECT_EQ(once.story(), again.story());
  }
}

}  // namespace
}  // namespace rackline::failover::nights
