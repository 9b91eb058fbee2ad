// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "record/kinds_balancing.h"
#include "record/kinds_storage.h"

namespace rackline::storage {

// Commands a second, of which one of 128 KiB counts twice and one of 256 KiB three times: what the seek
// costs, and what the bytes do.
record::Number load_of(const record::ArraySample& array);
record::Number load_of(const record::LunSample& lun);
double load_of(double iops, double bytes_per_second);

// How the latency of an array follows the commands that are outstanding, learnt from its samples.
//
// Latency is a line in outstanding I/O (Gulati et al., BASIL, FAST 2010; Pesto, SOCC 2011):
//
//     latency = intercept + slope * outstanding
//
// By Little's law, outstanding = commands a second * latency, so the inverse of the latency is a line in the
// commands a second, or in load_of() where they differ in size, which falls to 0 at the most that it can do,
// 1 / slope. That line is the one that is fitted: the count of what is outstanding is of one moment, whose
// noise makes the first one too flat, and would promise load that the array cannot bear; a rate is a mean
// over the whole window.
class Device {
 public:
  void add(const record::ArraySample& array);

  struct Fit {
    double intercept_ms = 0;
    double slope_ms = 0;   // for each outstanding command
    double spread = 0;     // standard deviation from the line, as a part of the mean
    double most_load = 0;  // in the unit of load_of()
    std::string why_not;   // too little is known; empty: the others hold

    bool known() const { return why_not.empty(); }
    double latency_ms(double load) const;
    double knee(double utilisation) const;  // outstanding commands there
  };
  Fit fit() const;
  std::int64_t samples() const { return samples_; }
  // Of all samples: the lowest latency, and the most load.
  double least_latency_ms() const { return least_latency_; }
  double most_load() const { return most_load_; }

  record::ArrayModel record(const std::string& array, double utilisation) const;

 private:
  // Sums with exponential weights, the older the less, of load and the inverse of latencies.
  double n_ = 0, commands_ = 0, load_ = 0, inverse_ = 0, load2_ = 0, inverse2_ = 0, product_ = 0;
  std::int64_t samples_ = 0;
  double least_latency_ = 0, most_load_ = 0;
};

}  // namespace rackline::storage
