// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_capacity.h"

#include "record/describe.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

constexpr Field kHostSampleFields[] = {
    HEAD(HostSample),
    FIELD(HostSample, host, "name of the host", "HOST"),
    FIELD(HostSample, state, "up; unreachable: no connection; timeout: no answer in time", "STATE"),
    FIELD(HostSample, error, "why it is not up", "WHY", kSeldom),
    FIELD(HostSample, cpus, "logical CPUs", "CPUS"),
    FIELD(HostSample, cpu_percent, "share of all its CPUs that was busy in the window, 0 to 100", "CPU%"),
    FIELD(HostSample, cpu_steal_percent,
          "time for which its virtual servers' CPUs were ready and waited for one of the host, as a share of "
          "all its CPUs: demand that was not met",
          "STEAL%"),
    FIELD(HostSample, cpu_pressure_percent,
          "share of the window in which some work waited for a CPU (PSI); known of the local host only"),
    FIELD(HostSample, memory_pressure_percent,
          "the same for memory: it waited to be reclaimed or swapped in"),
    FIELD(HostSample, io_pressure_percent, "the same for input and output"),
    FIELD(HostSample, vcpus_allocated, "sum of the virtual CPUs of its running virtual servers", "VCPUS"),
    FIELD(HostSample, memory_bytes, "memory of the host", "MEMORY"),
    FIELD(HostSample, memory_used_bytes, "memory in use, caches not counted", "USED"),
    FIELD(HostSample, memory_free_bytes,
          "memory that a new virtual server could have, caches counted as free"),
    FIELD(HostSample, memory_allocated_bytes, "sum of the memory of its running virtual servers",
          "ALLOCATED"),
    FIELD(HostSample, memory_ballooned_bytes,
          "memory that balloons have taken back from its virtual servers"),
    FIELD(HostSample, vms_running,
          "virtual servers that run; where vms_paused is left out, those that are paused too", "VMS"),
    FIELD(HostSample, vms_paused, "virtual servers that hold their memory and do not run", {}, kOmitted),
    FIELD(HostSample, vms_stopped, "virtual servers that are only defined"),
    FIELD(HostSample, disk_read_bytes_per_second, "read by its virtual servers", "READ/S"),
    FIELD(HostSample, disk_write_bytes_per_second, "written by its virtual servers", "WRITE/S"),
    FIELD(HostSample, net_rx_bytes_per_second, "received by its virtual servers", "RX/S"),
    FIELD(HostSample, net_tx_bytes_per_second, "sent by its virtual servers", "TX/S"),
    FIELD(HostSample, arch, "machine architecture"),
    FIELD(HostSample, cpu_model, "CPU model as libvirt names it"),
    FIELD(HostSample, cpu_mhz,
          "clock of its CPUs: the nominal one, where libvirt tells it, else that of the moment"),
    FIELD(HostSample, failure_domain, "from the inventory", {}, kOmitted),
    FIELD(HostSample, neighbourhood, "from the inventory", {}, kOmitted),
    FIELD(HostSample, drained, "from the inventory", {}, kOmitted),
    FIELD(
        HostSample, cluster_state,
        "serving; or draining, maintenance, fenced, returning or unknown: nothing may be placed there; null: "
        "no program has left a mark about any host",
        {}, kOmitted),
    FIELD(HostSample, cluster_since, "since when it does not serve", {}, kOmitted),
    FIELD(HostSample, cluster_by, "who says so", {}, kOmitted),
    FIELD(HostSample, cluster_reason, "why", {}, kOmitted),
    FIELD(HostSample, cpu_overcommit, "from the inventory", {}, kOmitted),
    FIELD(HostSample, memory_reserve_bytes, "from the inventory", {}, kOmitted),
    FIELD(HostSample, shared_storage, "from the inventory", {}, kOmitted),
    FIELD(HostSample, networks, "active networks of its libvirtd; left out: not known", {}, kOmitted),
    FIELD(HostSample, interfaces,
          "its interfaces and bridges, without those of virtual servers; left out: its libvirtd knows none",
          {}, kOmitted),
    FIELD(HostSample, storage_pools,
          "NAME=PATH of each active storage pool of its libvirtd; left out: it knows none", {}, kOmitted),
    FIELD(HostSample, hugepage_pools,
          "its pools of huge pages, SIZE=BYTES each: the size of a page and of the pool, which is a part of "
          "memory_bytes and memory_used_bytes; left out: not known",
          {}, kOmitted),
    FIELD(HostSample, hugepage_pools_free, "SIZE=BYTES of those pools that no virtual server has yet", {},
          kOmitted),
    FIELD(HostSample, window_ms, "time over which the rates were measured; null: no rates yet"),
    FIELD(HostSample, elapsed_ms, "time that the host took to answer"),
    FIELD(HostSample, imported,
          "ganeti or csv: read from a saved cluster, where null tells of the file and not of the host", {},
          kOmitted),
};

constexpr Field kVmSampleFields[] = {
    HEAD(VmSample),
    FIELD(VmSample, vm, "name of the virtual server", "VM"),
    FIELD(VmSample, host, "host on which it is", "HOST"),
    FIELD(VmSample, state, "running, paused, shutoff, crashed, suspended or unknown", "STATE"),
    FIELD(VmSample, uuid, "its UUID, the same on every host"),
    FIELD(VmSample, domain_id,
          "libvirt's number of this run on this host: with the UUID, its incarnation; null: not running"),
    FIELD(VmSample, vcpus, "virtual CPUs", "VCPUS"),
    FIELD(VmSample, cpu_cores, "CPU seconds used per second", "CPU"),
    FIELD(VmSample, cpu_percent, "share of its own virtual CPUs that was busy, 0 to 100", "CPU%"),
    FIELD(VmSample, cpu_steal_percent,
          "share of the time of its virtual CPUs for which they were ready and waited for a CPU of the host",
          "STEAL%"),
    FIELD(VmSample, memory_bytes, "memory given to it", "MEMORY"),
    FIELD(VmSample, memory_used_bytes, "memory of the host that it really occupies", "USED"),
    FIELD(VmSample, memory_max_bytes, "memory that it may have at most, where a balloon has taken some back",
          {}, kOmitted),
    FIELD(VmSample, hugepages,
          "whether its memory is huge pages, which memory_used_bytes does not count; left out: not known", {},
          kOmitted),
    FIELD(VmSample, hugepage_pools,
          "SIZE=BYTES for each size of huge pages that its memory is in; the size is default where its "
          "definition does not say it",
          {}, kOmitted),
    FIELD(VmSample, memory_usable_bytes, "memory that the guest says it can still use without swapping", {},
          kOmitted),
    FIELD(VmSample, swap_in_bytes_per_second, "read from its swap, as the guest says", {}, kOmitted),
    FIELD(VmSample, swap_out_bytes_per_second, "written to its swap", {}, kOmitted),
    FIELD(VmSample, disk_capacity_bytes, "sum of its disks' sizes"),
    FIELD(VmSample, disk_allocation_bytes, "sum of what its disks occupy"),
    FIELD(VmSample, disk_read_bytes_per_second, "read", "READ/S"),
    FIELD(VmSample, disk_write_bytes_per_second, "written", "WRITE/S"),
    FIELD(VmSample, net_rx_bytes_per_second, "received", "RX/S"),
    FIELD(VmSample, net_tx_bytes_per_second, "sent", "TX/S"),
    FIELD(VmSample, anti_affinity, "group of which no two may share a host", "GROUP"),
    FIELD(VmSample, priority, "restart priority, higher first", {}, kOmitted),
    FIELD(VmSample, persistent, "its definition survives a stop"),
    FIELD(VmSample, bound_by,
          "why it cannot leave its host, whichever the target is: a device or a directory of it, storage "
          "that no other host has, its TPM, snapshots, checkpoints; empty: nothing binds it; left out: not "
          "known",
          {}, kOmitted),
    FIELD(VmSample, disks, "paths of its disks that only some of the other hosts have in shared_storage", {},
          kOmitted),
    FIELD(VmSample, networks, "network NAME and interface NAME for each that it is plugged into", {},
          kOmitted),
    FIELD(VmSample, storage_pools, "NAME=PATH of each storage pool of which it has a volume", {}, kOmitted),
    FIELD(
        VmSample, migrating,
        "true: paused here by a live migration that is under way, and running on the other host or about to",
        {}, kOmitted),
    FIELD(
        VmSample, state_reason,
        "of one that is off, how it ended: shutdown, destroyed, crashed, migrated, saved, failed, "
        "from_snapshot, daemon or unknown; of one that is paused, why: user, migration, save, dump, ioerror, "
        "watchdog, from_snapshot, shutting_down, snapshot, crashed, starting_up, postcopy, postcopy_failed "
        "or unknown",
        {}, kOmitted),
};

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
    FIELD(Fluctuation, object, "host, vm, array or lun", "OBJECT"),
    FIELD(Fluctuation, host, "the host, or the one that the virtual server is on", "HOST", kSeldom),
    FIELD(Fluctuation, vm, "the virtual server, if it is one", "VM", kOmitted),
    FIELD(Fluctuation, uuid, "its UUID", {}, kOmitted),
    FIELD(Fluctuation, array, "the array, or the one that the LUN is on", "ARRAY", kSeldom),
    FIELD(Fluctuation, lun, "the LUN, if it is one", "LUN", kSeldom),
    FIELD(Fluctuation, resource,
          "of hosts and virtual servers cpu; memory; steal: time for which virtual CPUs waited for a CPU; "
          "pressure: time for which work "
          "waited for memory; swap: swapping of the guest; of arrays and LUNs space; latency; iops; bytes",
          "RESOURCE"),
    FIELD(Fluctuation, direction, "above or below: it has left its band there; back: it is in it again",
          "DIRECTION"),
    FIELD(Fluctuation, value, "smoothed usage; of a way back null if it is not known any more", "VALUE"),
    FIELD(Fluctuation, unit,
          "percent, bytes_per_second, ms or iops: the unit of value, threshold, release and the percentiles",
          "UNIT"),
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

constexpr Field kWatchSummaryFields[] = {
    HEAD(WatchSummary),
    FIELD(WatchSummary, rounds, "rounds written"),
    FIELD(WatchSummary, hosts, "hosts asked in the last of them"),
    FIELD(WatchSummary, hosts_up, "hosts that answered then"),
    FIELD(WatchSummary, vms, "virtual servers seen then"),
    FIELD(WatchSummary, fluctuations, "times that usage left its band; left out: nobody watched",
          "FLUCTUATIONS", kOmitted),
};

constexpr const Kind* kSeen[] = {&HostSample::kKind, &VmSample::kKind, &HostUsage::kKind, &VmUsage::kKind,
                                 &Fluctuation::kKind};
constexpr const Kind* kStream[] = {&WatchSummary::kKind};

}  // namespace

const Kind HostSample::kKind{
    "host_sample", Role::kFact, "What a host has, has given away and uses. What is not known is null.",
    "capwatch",    "capplan",   kHostSampleFields};
const Kind VmSample::kKind{"vm_sample", Role::kFact, "What a virtual server has and uses.",
                           "capwatch",  "capplan",   kVmSampleFields};
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
    "capwatch --follow, lunwatch --follow",
    "capplan, people",
    kFluctuationFields};
const Kind WatchSummary::kKind{"watch_summary", Role::kSummary, "What capwatch has counted.",
                               "capwatch",      "people",       kWatchSummaryFields};

const Subject kCapacityKinds{.seen = kSeen, .stream = kStream};

}  // namespace rackline::record
