// SPDX-License-Identifier: Apache-2.0
// Nights of a cluster in simulated time: hosts die, hang and come back, controllers are slow, wrong or deaf,
// the storage pauses, the programs are killed. Afterwards each server that is wanted runs exactly once, or a
// person was called; and at no moment did one run twice.
//
// RACKLINE_NIGHTS=1000 runs so many; RACKLINE_NIGHT=17 runs that one and tells its story.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "ha_nights_night.h"

namespace rackline::ha::nights {
namespace {

unsigned number_of(const char* variable, unsigned otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::atoi(text));
}

TEST(Nights, EveryServerRunsExactlyOnceOrAPersonWasCalled) {
  const unsigned one = number_of("RACKLINE_NIGHT", 0);
  const unsigned first = one != 0 ? one : 1;
  const unsigned last = one != 0 ? one : number_of("RACKLINE_NIGHTS", 100);
  int in_order = 0, undetectable = 0;
  std::map<std::string, int> words;
  for (unsigned seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("RACKLINE_NIGHT=" + std::to_string(seed));
    Night night(seed);
    night.run();
    const auto wrong = night.verdict();
    for (const auto& what : wrong) ADD_FAILURE() << what;
    if (one != 0) std::cerr << night.story();
    in_order += night.all_in_order() ? 1 : 0;
    undetectable += night.was_undetectable() ? 1 : 0;
    if (night.all_in_order()) continue;
    for (const auto& [vm, why] : night.last_words()) {
      if (!why.empty()) ++words[why.substr(0, 90)];
    }
  }
  std::cerr << in_order << " of " << last - first + 1 << " nights needed no person; " << undetectable
            << " had a controller that nobody could know to be wrong\n";
  for (const auto& [why, count] : words) std::cerr << count << " " << why << "\n";
}

}  // namespace
}  // namespace rackline::ha::nights
