// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "record/kind.h"

namespace rackline::record {

// The records of a capacity watchdog: samples, what those of the last while come to, and when usage leaves
// its band. Written by capwatch; all but the samples by --follow and --replay alone, beside the samples of
// the same round.

struct HostSample : Head {
  std::string host, state;
  Text error;
  Integer cpus, cpu_mhz, memory_bytes, memory_used_bytes, memory_free_bytes, memory_allocated_bytes,
      vcpus_allocated, vms_running, vms_paused, vms_stopped;
  Number cpu_percent, cpu_steal_percent, cpu_pressure_percent, memory_pressure_percent, io_pressure_percent;
  Integer memory_ballooned_bytes;
  Number disk_read_bytes_per_second, disk_write_bytes_per_second, net_rx_bytes_per_second,
      net_tx_bytes_per_second;
  Text arch, cpu_model, failure_domain, neighbourhood;
  Flag drained;
  Number cpu_overcommit;
  Integer memory_reserve_bytes, window_ms, elapsed_ms;
  Text imported;
  Text cluster_state, cluster_since, cluster_by, cluster_reason;
  List shared_storage, networks, interfaces, storage_pools, hugepage_pools, hugepage_pools_free;
  static const Kind kKind;
};

struct VmSample : Head {
  std::string vm, host, state;
  Text uuid;
  Integer domain_id, vcpus, memory_bytes, memory_used_bytes;
  Number cpu_cores, cpu_percent, cpu_steal_percent;
  Integer disk_capacity_bytes, disk_allocation_bytes;
  Number disk_read_bytes_per_second, disk_write_bytes_per_second, net_rx_bytes_per_second,
      net_tx_bytes_per_second;
  Integer memory_max_bytes, memory_usable_bytes;
  Number swap_in_bytes_per_second, swap_out_bytes_per_second;
  Text anti_affinity;
  Integer priority;
  Flag persistent, migrating, hugepages;
  Text state_reason;
  List bound_by, disks, networks, storage_pools, hugepage_pools;
  static const Kind kKind;
};

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

// The window of a VM, which goes with it from host to host. CPU in cores, since that is what it
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
  std::string object;  // host, vm, array or lun
  Text host, vm, uuid, array, lun;
  std::string resource;   // cpu, memory, steal, pressure or swap; space, latency, iops or bytes
  std::string direction;  // above, below or back
  Number value;           // in `unit`, as threshold, release, ewma and the percentiles
  std::string unit;       // percent, bytes_per_second, ms or iops
  double threshold = 0;
  Number release;
  std::int64_t held_ms = 0;
  Number p50, p90, p95, trend_per_hour;
  Integer samples;
  std::string reason;
  static const Kind kKind;
};

struct WatchSummary : Head {
  Integer rounds, hosts, hosts_up, vms, fluctuations;
  static const Kind kKind;
};

}  // namespace rackline::record
