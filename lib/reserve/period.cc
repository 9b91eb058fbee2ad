// SPDX-License-Identifier: Apache-2.0
#include "reserve/period.h"

#include "base/error.h"

namespace rackline::reserve {

Period read_period(const PeriodWords& words, Second now) {
  Period period;
  if (!words.from.empty()) {
    period.from = parse_instant(words.from, now, &period.notes);
    if (words.from != "now" && !words.from.starts_with('+')) period.asked.from = period.from;
  }
  const Second from = period.from.value_or(now);
  if (!words.until.empty()) {
    period.until = parse_end(words.until, now, from, &period.notes);
    if (words.until.starts_with('+')) {
      period.asked.length = *period.until - from;
    } else {
      period.asked.until = period.until;
    }
  }
  if (words.length) {
    if (words.length->count() <= 0)
      throw Error(Status::kUsage, "read times", "its length", "it is no time at all");
    period.length = period.asked.length = whole_seconds(*words.length);
  }
  period.every = words.every;
  return period;
}

}  // namespace rackline::reserve
