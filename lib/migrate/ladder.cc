// SPDX-License-Identifier: Apache-2.0
#include "migrate/ladder.h"

#include <algorithm>

namespace rackline::migrate {

MigrationLadder::Step MigrationLadder::observe(const JobStats& job, Milliseconds left) {
  if (!job.running || job.postcopy || postcopy_ || job.iteration <= 0) return Step::kNone;
  if (job.iteration == iteration_) {
    lowest_ = std::min(lowest_, job.remaining_bytes);
    return Step::kNone;
  }
  const std::int64_t finished = iteration_;
  const std::int64_t lowest = lowest_;
  iteration_ = job.iteration;
  lowest_ = job.remaining_bytes;
  if (finished == 0) return Step::kNone;
  // The first pass sends everything and has nothing before it to be compared with.
  if (finished == 1) {
    first_pass_ = job.elapsed;
    return Step::kNone;
  }
  const bool stalled = best_ && lowest * 10 > *best_ * 9;
  best_ = std::min(best_.value_or(lowest), lowest);
  if (!stalled) return Step::kNone;
  ++stalls_;
  return climb(job, left);
}

MigrationLadder::Step MigrationLadder::climb(const JobStats& job, Milliseconds left) {
  if (downtime_ < limit_) {
    downtime_ = std::min(limit_, downtime_ * 2);
    return Step::kRaiseDowntime;
  }
  const Milliseconds pass = first_pass_.value_or(job.elapsed);
  if (!auto_converge_ && left > 2 * pass) {
    auto_converge_ = true;
    return Step::kAutoConverge;
  }
  constexpr int kThrottledStalls = 8;
  if (auto_converge_ && ++throttled_stalls_ < kThrottledStalls) return Step::kNone;
  if (!allow_postcopy_) return Step::kNone;  // @rule 09-consent
  postcopy_ = true;
  return Step::kPostcopy;
}

void MigrationLadder::restarted() {
  iteration_ = 0;
  best_.reset();
  lowest_ = 0;
  throttled_stalls_ = 0;
}

}  // namespace rackline::migrate
