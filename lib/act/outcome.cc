// SPDX-License-Identifier: Apache-2.0
#include "act/outcome.h"

namespace rackline::act {

Tally& Tally::operator+=(const Tally& more) {
  for (std::size_t i = 0; i < kOutcomes; ++i) counts_[i] += more.counts_[i];
  return *this;
}

Status Tally::status() const {
  const Tally& now = *this;
  if (now[Outcome::kFailed] + now[Outcome::kCancelled] + now[Outcome::kUnknown] > 0) return Status::kNo;
  return now[Outcome::kRefused] > 0 ? Status::kRefused : Status::kDone;
}

void Tally::tell(record::End& end, bool planned) const {
  const Tally& now = *this;
  (planned ? end.planned : end.done) = now[Outcome::kDone];
  end.already = now[Outcome::kAlready];
  end.refused = now[Outcome::kRefused];
  end.failed = now[Outcome::kFailed] + now[Outcome::kUnknown];
  end.cancelled = now[Outcome::kCancelled];
}

}  // namespace rackline::act
