// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "record/kinds_capacity.h"
#include "series/band.h"
#include "series/metrics.h"

namespace rackline::series {

// Fluctuations as a counter, and who is out of which band as a gauge.
class BandMetrics {
 public:
  explicit BandMetrics(Metrics& page);

  // Bands that objects of this kind have: counters of what may come begin at 0, since one that begins at 1
  // has no increase to whoever asks for its rate.
  void begin(const char* object, std::span<const std::string_view> resources, std::span<const Edges> bands);
  // In the present round there is such an object. `who`: its labels.
  void see(const char* object, const std::string& who, std::span<const std::string_view> resources,
           std::span<const Edges> bands);
  void add(const record::Fluctuation& fluctuation, const std::string& who);
  // Into the page of the present round.
  void sample();

 private:
  Metrics& page_;
  Metrics::Id fluctuations_, outside_;
  std::map<std::string, std::int64_t> counted_;  // by their labels
  std::map<std::string, std::string> out_;       // labels of those that last, by id
  std::set<std::string> inside_;                 // labels of those that could be out, of the present round
};

}  // namespace rackline::series
