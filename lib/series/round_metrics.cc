// SPDX-License-Identifier: Apache-2.0
#include "series/round_metrics.h"

#include "base/version.h"

namespace rackline::series {

RoundMetrics::RoundMetrics(Metrics& page)
    : page_(page),
      rounds_(page_.family("rackline_rounds_total", "rounds that are complete", "counter")),
      duration_(page_.family("rackline_round_duration_seconds", "duration of the last round")),
      timestamp_(page_.family("rackline_round_timestamp_seconds", "when the last round ended, as Unix time")),
      build_(page_.family("rackline_build_info", "which version serves this page, as a label; always 1")) {}

void RoundMetrics::sample(const record::RoundEnd& end) {
  page_.sample(rounds_, {}, static_cast<double>(++count_));
  if (end.elapsed_ms) page_.sample(duration_, {}, static_cast<double>(*end.elapsed_ms) / 1000);
  page_.sample(timestamp_, {}, static_cast<double>(end.time.time_since_epoch().count()));
  page_.sample(build_, label("version", version()), 1);
}

}  // namespace rackline::series
