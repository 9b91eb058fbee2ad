// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "virt/connection.h"
#include "virt/hugepages.h"
#include "virt/pressure.h"

namespace rackline::virt {

// What libvirt knows of a host and its VMs at one instant: counters since some start, not yet rates. What a
// driver or a VM's monitor does not tell is empty.

struct VmStats {
  std::string name;
  std::string uuid;
  std::optional<std::int64_t> domain_id;  // empty: not running
  int state = VIR_DOMAIN_NOSTATE;         // virDomainState
  std::optional<int> shutoff_reason;      // a virDomainShutoffReason, of one that is off
  std::optional<int> paused_reason;       // a virDomainPausedReason, of one that is paused
  bool migrating = false;                 // paused as the source or the target of a live migration
  std::optional<std::int64_t> vcpus, memory_bytes, memory_used_bytes;
  std::optional<std::int64_t> disk_capacity_bytes, disk_allocation_bytes;
  std::optional<std::int64_t> memory_max_bytes, memory_usable_bytes;
  // Counters since the VM's start, summed over its virtual CPUs, disks and interfaces. `cpu_delay_ns`: its
  // CPUs were ready and waited for one of the host, which the guest sees as steal.
  std::optional<std::int64_t> cpu_time_ns, cpu_delay_ns, disk_read_bytes, disk_written_bytes,
      net_received_bytes, net_sent_bytes, swap_in_bytes, swap_out_bytes;

  bool active() const { return domain_id.has_value(); }
};

struct HostStats {
  std::chrono::steady_clock::time_point taken;  // when the counters were read
  std::optional<std::int64_t> cpus, cpu_mhz, memory_bytes, memory_free_bytes;
  // CPU time of all its CPUs since boot, in the units of the driver: only their ratio means something.
  std::optional<std::uint64_t> cpu_busy, cpu_total;
  Pressure pressure;
  std::optional<PageBytes> free_pages;  // huge ones, by pool
  // Whether memory_free_bytes leaves out shared memory, which cannot be dropped as a cache can: libvirt does
  // not tell of it, the kernel of this machine does.
  bool shared_memory_left_out = false;
  std::vector<VmStats> vms;
};

// The statistics, and the handles of the same VMs in the same order. Handles stay on the thread of the
// connection: freeing the last one may close it, which may block.
struct Reading {
  HostStats stats;
  std::vector<Domain> domains;
};

// Reads them with as few calls as there are (virConnectGetAllDomainStats for all VMs at once). A VM whose
// monitor is busy with another job is not waited for: what only its monitor knows is then empty. Throws
// VirtError(kUnreachable).
Reading read_stats(const Connection& connection);

// Only what is needed to take rates against it later, with fewer calls.
HostStats read_counters(const Connection& connection);

// What changes seldom or never while a host is up.
struct HostModel {
  std::optional<std::string> arch, cpu_model;
  std::optional<std::int64_t> cpu_mhz;  // of its counter of time, which is that of its nominal clock
  std::optional<PagePools> pages;
};
HostModel read_model(const Connection& connection);

// What VMs can be plugged into, and have volumes of; empty where the libvirtd does not know.
struct HostPlugs {
  std::optional<std::vector<std::string>> networks;       // of libvirt, active
  std::optional<std::vector<std::string>> interfaces;     // of the host, its bridges among them
  std::optional<std::vector<std::string>> storage_pools;  // active ones, "NAME=PATH"
};
HostPlugs read_plugs(const Connection& connection);

// Memory that a new VM could have, in bytes, caches counted as free and shared memory not. Throws
// VirtError(kUnreachable).
std::int64_t free_memory_bytes(const Connection& connection);

// The VM's own wishes, kept by libvirt with its definition so that they move with it:
//   <metadata><rackline:vm xmlns:rackline="urn:rackline:vm:1" anti_affinity="db" priority="10"/></metadata>
struct VmWishes {
  std::optional<std::string> anti_affinity;
  std::optional<std::int64_t> priority;
};
inline constexpr const char* kMetadataUri = "urn:rackline:vm:1";

// Empty where there are none, or no number where one is due. `xml` is the element alone, or a whole
// definition.
VmWishes parse_wishes(const std::string& xml);
// Empty when the VM vanished. Any other failure throws VirtError(kUnreachable): a rule that could not be read
// must not pass for one that does not exist.
std::optional<VmWishes> read_wishes(virDomainPtr domain);

// The UUIDs of the VMs that VIR_CONNECT_LIST_DOMAINS_... flags choose; none where the driver does not know
// them.
std::set<std::string> read_chosen(const Connection& connection, unsigned flags);

// The definition as libvirt's XML, without secrets; empty when the VM vanished. Throws
// VirtError(kUnreachable).
std::optional<std::string> read_definition(virDomainPtr domain);

}  // namespace rackline::virt
