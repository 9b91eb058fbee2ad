// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "record/kind.h"

namespace rackline::record {

// The records of a storage capacity monitor. Written by lunwatch.

struct ArraySample : Head {
  std::string array, state;
  Text error, driver;
  Integer size_bytes, used_bytes, free_bytes, promised_bytes, luns;
  Number probe_p50_ms, probe_p95_ms;
  Number read_iops, write_iops, read_bytes_per_second, write_bytes_per_second;
  Integer outstanding;
  Number own_iops;
  Text failure_domain, tier;
  Flag encrypted, drained;
  Integer block_bytes;
  Integer window_ms, elapsed_ms;
  static const Kind kKind;
};

struct LunSample : Head {
  std::string lun, array, iqn;
  std::int64_t lun_number = 0;
  Text error;
  Text serial, naa;
  Integer size_bytes, block_bytes, physical_block_bytes, allocated_bytes;
  Flag thin, read_only;
  Text discard;
  Integer reservation_keys;
  Flag reserved;
  List consumers;
  std::string in_use;
  Number read_iops, write_iops, read_bytes_per_second, write_bytes_per_second;
  Integer outstanding;
  List sources;
  static const Kind kKind;
};

// The window of an array.
struct ArrayUsage : Head {
  std::string array;
  std::int64_t samples = 0, span_ms = 0;
  Number space_ewma_percent, used_trend_bytes_per_hour, days_to_full, days_to_full_soonest,
      days_to_full_latest;
  Number latency_ewma_ms, latency_p50_ms, latency_p95_ms;
  Number iops_ewma, iops_p50, iops_p90, iops_p95, iops_trend_per_hour;
  Number bytes_ewma_per_second, bytes_p50_per_second, bytes_p95_per_second;
  static const Kind kKind;
};

// The window of a LUN on its array.
struct LunUsage : Head {
  std::string lun, array, iqn;
  std::int64_t lun_number = 0, samples = 0, span_ms = 0;
  Number allocated_trend_bytes_per_hour;
  Number iops_ewma, iops_p50, iops_p90, iops_p95, iops_trend_per_hour;
  Number bytes_ewma_per_second, bytes_p50_per_second, bytes_p95_per_second;
  static const Kind kKind;
};

// Two LUNs that a client would take for one.
struct IdentityConflict : Head {
  std::string identity;  // serial or naa
  std::string value;
  std::vector<std::string> luns;  // ARRAY/LUN
  static const Kind kKind;
};

struct StorageSummary : Head {
  Integer rounds, arrays, arrays_up, luns, fluctuations;
  static const Kind kKind;
};

}  // namespace rackline::record
