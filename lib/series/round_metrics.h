// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "record/kinds_stream.h"
#include "series/metrics.h"

namespace rackline::series {

// Of the rounds themselves: how many, how long the last one took and when it ended; and which version serves
// the page.
class RoundMetrics {
 public:
  explicit RoundMetrics(Metrics& page);

  // Into the page of the present round, which ends with this.
  void sample(const record::RoundEnd& end);

 private:
  Metrics& page_;
  Metrics::Id rounds_, duration_, timestamp_, build_;
  std::int64_t count_ = 0;
};

}  // namespace rackline::series
