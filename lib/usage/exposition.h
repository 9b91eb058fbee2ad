// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "record/kinds_capacity.h"
#include "record/kinds_stream.h"
#include "series/metrics.h"

namespace rackline::usage {

// Rounds of hosts and VMs as a page for Prometheus.
class Exposition {
 public:
  Exposition();

  // Records of the present round.
  void add(const record::HostSample& host);
  void add(const record::VmSample& vm);
  void add(const record::HostUsage& usage);
  void add(const record::VmUsage& usage);
  void add(const record::Fluctuation& fluctuation);
  // Closes the round: its page.
  std::string page(const record::RoundEnd& end);

 private:
  series::Metrics page_;
  series::Metrics::Table host_, vm_, host_usage_, vm_usage_;
  series::Metrics::Id up_, info_, running_, fluctuations_, outside_, rounds_, duration_, timestamp_;
  std::map<std::string, std::int64_t> counted_;  // fluctuations, by their labels
  std::map<std::string, std::string> out_;       // labels of those that last, by id
  std::int64_t round_count_ = 0;
};

}  // namespace rackline::usage
