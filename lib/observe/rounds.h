// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/time.h"
#include "record/kinds_stream.h"

namespace rackline::observe {

struct Pace {
  bool repeats = false;  // false: one round
  Milliseconds interval{10'000};
  std::int64_t count = 0;  // rounds; 0: until a stop is asked for, or nobody reads any more
};

struct Observer {
  // Looks at everything once, writes what it sees and counts it in the record; number and times are filled in
  // by rounds(). False when it was interrupted: then there is no round_end, and nobody decides on half a
  // round.
  std::function<bool(record::RoundEnd&)> look;
  // Ends a whole round, which began at this time from the first.
  std::function<void(const record::RoundEnd&, Milliseconds at)> close;
  // Waits until the clock says so; false: it is over. Empty: as interrupt::wait_until does.
  std::function<bool(Milliseconds)> wait = {};
};

// One round, or rounds that begin on the grid of the first one on a clock that never steps: they do not
// drift, and what a slow one missed is left out.
void rounds(const Clock& clock, const Pace& pace, const Observer& observer);

// What one round sees, each as it answers. A stream has it at once; a table is for people and in the order of
// what was asked for (`index`).
template <class Seen>
class InOrder {
 public:
  InOrder(bool table, std::function<void(Seen&)> write) : table_(table), write_(std::move(write)) {}

  void add(Seen seen) {
    if (table_) {
      held_.push_back(std::move(seen));
    } else {
      write_(seen);
    }
  }
  // After the last.
  void finish() {
    std::sort(held_.begin(), held_.end(), [](const Seen& a, const Seen& b) { return a.index < b.index; });
    for (Seen& seen : held_) write_(seen);
    held_.clear();
  }

 private:
  bool table_;
  std::function<void(Seen&)> write_;
  std::vector<Seen> held_;
};

}  // namespace rackline::observe
