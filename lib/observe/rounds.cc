// SPDX-License-Identifier: Apache-2.0
#include "observe/rounds.h"

#include "base/interrupt.h"

namespace rackline::observe {

void rounds(const Clock& clock, const Pace& pace, const Observer& observer) {
  const auto first = clock.monotonic();
  auto next = first;
  record::RoundEnd end;
  for (end.round = 1;; ++end.round) {
    const auto started = clock.monotonic();
    if (!observer.look(end)) return;
    end.time = clock.wall();
    end.elapsed_ms = (clock.monotonic() - started).count();
    if (pace.repeats) end.at_ms = (started - first).count();
    observer.close(end, started - first);
    if (!pace.repeats || end.round == pace.count) return;
    const auto now = clock.monotonic();
    next += ((now - next) / pace.interval + 1) * pace.interval;
    const bool goes_on = observer.wait ? observer.wait(next)
                                       : interrupt::wait_until(clock, next, true) == interrupt::Woken::kTime;
    if (!goes_on) return;
  }
}

}  // namespace rackline::observe
