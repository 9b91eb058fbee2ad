// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "record/kinds_storage.h"
#include "record/kinds_stream.h"
#include "series/band_metrics.h"
#include "series/metrics.h"
#include "series/round_metrics.h"
#include "storage/follow.h"

namespace rackline::storage {

// Rounds of arrays and LUNs as a page for Prometheus.
class Exposition {
 public:
  explicit Exposition(const FollowPolicy& policy);

  // Records of the present round.
  void add(const record::ArraySample& array);
  void add(const record::LunSample& lun);
  void add(const record::ArrayUsage& usage);
  void add(const record::LunUsage& usage);
  void add(const record::Fluctuation& fluctuation);
  // Closes the round: its page.
  std::string page(const record::RoundEnd& end);

 private:
  FollowPolicy policy_;
  series::Metrics page_;
  series::Metrics::Table array_, lun_, array_usage_, lun_usage_;
  series::Metrics::Id up_, in_use_;
  series::BandMetrics bands_;
  series::RoundMetrics rounds_;
};

}  // namespace rackline::storage
