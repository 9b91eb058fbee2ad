// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rackline::bench {

inline constexpr int kStepsOfDay = 48;
inline constexpr int kStepSeconds = 24 * 3600 / kStepsOfDay;
inline constexpr double kThreshold = 0.75;       // of what an array can do: above it, it is overloaded
inline constexpr double kSpaceThreshold = 0.80;  // of its room: no rule goes beyond

// What a disk asks for in half an hour.
struct Demand {
  double iops = 0, bytes_per_second = 0, load = 0;
};

// Recorded disks as LUNs of unequal arrays. Load is in commands a second, of which one of 128 KiB counts
// twice. Arrays answer as a queue does: latency = idle latency / (1 - utilisation). They are so fast together
// that the mean load of the week is `load` of it, and so large that LUNs occupy 60% of them; by the seed, an
// array is once, twice or four times as fast as another, once to three times as large, and LUNs are on any
// that has room.
struct World {
  std::vector<std::vector<Demand>> wanted;  // [step][lun]
  std::vector<std::int64_t> bytes;          // of LUNs
  std::vector<std::string> names;
  std::vector<double> rates;        // of arrays
  std::vector<std::int64_t> sizes;  // likewise
  std::vector<int> start;           // of LUNs

  int luns() const { return static_cast<int>(bytes.size()); }
  int arrays() const { return static_cast<int>(rates.size()); }
  int steps() const { return static_cast<int>(wanted.size()); }
};

// Reads every .csv of the directory. Throws Error(kUsage) for what it cannot read.
World read_world(const std::string& directory, int arrays, int days, double load, std::uint64_t seed);

}  // namespace rackline::bench
