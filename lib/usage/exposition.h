// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "record/kinds_capacity.h"
#include "record/kinds_stream.h"
#include "series/band_metrics.h"
#include "series/metrics.h"
#include "series/round_metrics.h"
#include "usage/watch.h"

namespace rackline::usage {

// Rounds of hosts and VMs as a page for Prometheus.
class Exposition {
 public:
  explicit Exposition(const WatchPolicy& policy = {});

  // Records of the present round.
  void add(const record::HostSample& host);
  void add(const record::VmSample& vm);
  void add(const record::HostUsage& usage);
  void add(const record::VmUsage& usage);
  void add(const record::Fluctuation& fluctuation);
  // Closes the round: its page.
  std::string page(const record::RoundEnd& end);

 private:
  WatchPolicy policy_;
  series::Metrics page_;
  series::Metrics::Table host_, vm_, host_usage_, vm_usage_;
  series::Metrics::Id up_, info_, running_;
  series::BandMetrics bands_;
  series::RoundMetrics rounds_;
};

}  // namespace rackline::usage
