// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "record/kinds.h"

namespace rackline::record {

// The records of a capacity watchdog: what the samples of the last while come to, and when usage leaves its
// band. As in kinds.h, the meaning of each field stands beside its description, in kinds_capacity.cc.

// --- facts: written by capwatch --follow and --replay, beside the samples of the same round ---

// The window of a host. Percent, as in its samples.
struct HostUsage : Head {
  std::string host;
  std::int64_t samples = 0, span_ms = 0;
  Number cpu_ewma_percent, cpu_p50_percent, cpu_p90_percent, cpu_p95_percent, cpu_trend_percent_per_hour;
  Number memory_ewma_percent, memory_p50_percent, memory_p90_percent, memory_p95_percent,
      memory_trend_percent_per_hour;
  Number steal_ewma_percent, steal_p95_percent;
  Number pressure_ewma_percent, pressure_p95_percent;
  static const Kind kKind;
};

// The window of a virtual server, which goes with it from host to host. CPU in cores, since that is what it
// takes along; memory as the host sees it.
struct VmUsage : Head {
  std::string vm, host;
  Text uuid;
  std::int64_t samples = 0, span_ms = 0;
  Number cpu_ewma_cores, cpu_p50_cores, cpu_p90_cores, cpu_p95_cores, cpu_trend_cores_per_hour;
  Integer memory_ewma_bytes, memory_p50_bytes, memory_p90_bytes, memory_p95_bytes;
  Number memory_trend_bytes_per_hour;
  Number steal_ewma_percent, steal_p95_percent;
  Number swap_ewma_bytes_per_second, swap_p95_bytes_per_second;
  static const Kind kKind;
};

// Usage has left its band, or is back in it. A decider that acts on one cites its id as `cause`.
struct Fluctuation : Head {
  std::string id;
  Text cause;          // of the way back: the id of the fluctuation that it ends
  std::string object;  // host or vm
  std::string host;
  Text vm, uuid;
  std::string resource;   // cpu, memory, steal, pressure or swap
  std::string direction;  // above, below or back
  Number value;           // in `unit`, as threshold, release, ewma and the percentiles
  std::string unit;       // percent or bytes_per_second
  double threshold = 0;
  Number release;
  std::int64_t held_ms = 0;
  Number p50, p90, p95, trend_per_hour;
  Integer samples;
  std::string reason;
  static const Kind kKind;
};

}  // namespace rackline::record
