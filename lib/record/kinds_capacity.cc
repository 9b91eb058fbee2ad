// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_capacity.h"

#include "record/describe.h"

namespace rackline::record {
namespace {

constexpr Field kHostUsageFields[] = {
    HEAD(HostUsage),
    FIELD(HostUsage, host, "name of the host", "HOST"),
    FIELD(HostUsage, samples, "samples in the window", "SAMPLES"),
    FIELD(HostUsage, span_ms, "time from the oldest of them to the newest", "SPAN"),
    FIELD(HostUsage, cpu_ewma_percent,
          "cpu_percent, smoothed: the average in which older samples weigh exponentially less", "CPU%"),
    FIELD(HostUsage, cpu_p50_percent, "half of the samples of cpu_percent are not above this", "P50"),
    FIELD(HostUsage, cpu_p90_percent, "nor are nine tenths of them above this", "P90"),
    FIELD(HostUsage, cpu_p95_percent, "nor 95 of 100 above this", "P95"),
    FIELD(HostUsage, cpu_trend_percent_per_hour,
          "slope of the straight line that fits them best; null: too few or too close together", "TREND/H"),
    FIELD(HostUsage, memory_ewma_percent, "memory_used_bytes as a share of memory_bytes, smoothed", "MEM%"),
    FIELD(HostUsage, memory_p50_percent, "its percentiles"),
    FIELD(HostUsage, memory_p90_percent, "its percentiles"),
    FIELD(HostUsage, memory_p95_percent, "its percentiles", "MEM-P95"),
    FIELD(HostUsage, memory_trend_percent_per_hour, "its slope"),
    FIELD(HostUsage, steal_ewma_percent, "cpu_steal_percent, smoothed", "STEAL%"),
    FIELD(HostUsage, steal_p95_percent, "its 95th percentile"),
    FIELD(HostUsage, pressure_ewma_percent, "memory_pressure_percent, smoothed", "PRESSURE%"),
    FIELD(HostUsage, pressure_p95_percent, "its 95th percentile"),
};

constexpr Field kVmUsageFields[] = {
    HEAD(VmUsage),
    FIELD(VmUsage, vm, "name of the virtual server", "VM"),
    FIELD(VmUsage, host, "host on which it is now; the window goes with it", "HOST"),
    FIELD(VmUsage, uuid, "its UUID"),
    FIELD(VmUsage, samples, "samples in the window", "SAMPLES"),
    FIELD(VmUsage, span_ms, "time from the oldest of them to the newest", "SPAN"),
    FIELD(VmUsage, cpu_ewma_cores,
          "cpu_cores, smoothed: the average in which older samples weigh exponentially less", "CPU"),
    FIELD(VmUsage, cpu_p50_cores, "half of the samples of cpu_cores are not above this: its usual need",
          "P50"),
    FIELD(VmUsage, cpu_p90_cores, "nor are nine tenths of them above this", "P90"),
    FIELD(VmUsage, cpu_p95_cores, "nor 95 of 100 above this: its peak need", "P95"),
    FIELD(VmUsage, cpu_trend_cores_per_hour,
          "slope of the straight line that fits them best; null: too few or too close together", "TREND/H"),
    FIELD(VmUsage, memory_ewma_bytes, "memory_used_bytes, smoothed", "MEMORY"),
    FIELD(VmUsage, memory_p50_bytes, "its percentiles"),
    FIELD(VmUsage, memory_p90_bytes, "its percentiles"),
    FIELD(VmUsage, memory_p95_bytes, "its percentiles", "MEM-P95"),
    FIELD(VmUsage, memory_trend_bytes_per_hour, "its slope"),
    FIELD(VmUsage, steal_ewma_percent, "cpu_steal_percent, smoothed", "STEAL%"),
    FIELD(VmUsage, steal_p95_percent, "its 95th percentile"),
    FIELD(VmUsage, swap_ewma_bytes_per_second,
          "swap_in_bytes_per_second and swap_out_bytes_per_second together, smoothed; left out: not known",
          {}, kOmitted),
    FIELD(VmUsage, swap_p95_bytes_per_second, "their 95th percentile", {}, kOmitted),
};

constexpr Field kFluctuationFields[] = {
    HEAD(Fluctuation),
    FIELD(Fluctuation, id, "name of this fluctuation, derived from its facts; a plan made for it cites it"),
    FIELD(Fluctuation, cause, "of a way back: the id of the fluctuation that has ended", {}, kOmitted),
    FIELD(Fluctuation, object, "host or vm", "OBJECT"),
    FIELD(Fluctuation, host, "the host, or the one that the virtual server is on", "HOST"),
    FIELD(Fluctuation, vm, "the virtual server, if it is one", "VM", kOmitted),
    FIELD(Fluctuation, uuid, "its UUID", {}, kOmitted),
    FIELD(Fluctuation, resource,
          "cpu; memory; steal: time for which virtual CPUs waited for a CPU; pressure: time for which work "
          "waited for memory; swap: swapping of the guest",
          "RESOURCE"),
    FIELD(Fluctuation, direction, "above or below: it has left its band there; back: it is in it again",
          "DIRECTION"),
    FIELD(Fluctuation, value, "smoothed usage; of a way back null if it is not known any more", "VALUE"),
    FIELD(Fluctuation, unit,
          "percent or bytes_per_second: the unit of value, threshold, release and the percentiles", "UNIT"),
    FIELD(Fluctuation, threshold, "edge of the band that was crossed", "THRESHOLD"),
    FIELD(Fluctuation, release, "it counts as back only on this side, which is the hysteresis", {}),
    FIELD(Fluctuation, held_ms,
          "how long it had been out, or back, without a break when this was said; of a way back without a "
          "value: since it was seen last",
          "HELD"),
    FIELD(Fluctuation, p50, "percentile of the window"),
    FIELD(Fluctuation, p90, "percentile of the window"),
    FIELD(Fluctuation, p95, "percentile of the window", "P95"),
    FIELD(Fluctuation, trend_per_hour, "slope of the window, in the unit per hour", "TREND/H"),
    FIELD(Fluctuation, samples, "samples in the window"),
    FIELD(Fluctuation, reason, "the same for a person", "REASON"),
};

}  // namespace

const Kind HostUsage::kKind{
    "host_usage",        Role::kFact,       "What the samples of a host over the last while come to.",
    "capwatch --follow", "capplan, people", kHostUsageFields};
const Kind VmUsage::kKind{
    "vm_usage",
    Role::kFact,
    "What the samples of a virtual server over the last while come to, on whatever host "
    "they were taken.",
    "capwatch --follow",
    "capplan, people",
    kVmUsageFields};
const Kind Fluctuation::kKind{
    "fluctuation",
    Role::kFact,
    "Usage has been outside its band for the hold time, or is back in it. A spike is none.",
    "capwatch --follow",
    "capplan, people",
    kFluctuationFields};

}  // namespace rackline::record
