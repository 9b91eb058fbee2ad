// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "record/kind.h"

namespace rackline::record {

// The records that the programs exchange. What each field means stands beside its description in kinds.cc and
// so in rackline-records(5); here stand only the members. Fields and kinds are only ever added, and an added
// field is a std::optional, so that yesterday's records stay readable; a breaking change gets a new kind.

using Text = std::optional<std::string>;
using Integer = std::optional<std::int64_t>;
using Number = std::optional<double>;
using Flag = std::optional<bool>;
using List = std::optional<std::vector<std::string>>;

// --- configuration: written by people ---

struct Host : Head {
  std::string host;
  std::string uri;
  Text peer_uri, bmc, failure_domain, neighbourhood;
  List shared_storage;
  Flag drained;
  Number cpu_overcommit;
  Integer memory_reserve_bytes;
  Text bmc_tls, bmc_ca_file;
  Integer bmc_cipher;
  static const Kind kKind;
};

struct PlacementRule : Head {
  std::string rule;
  std::vector<std::string> vms;
  List hosts, on;
  Integer domains;
  static const Kind kKind;
};

struct VmRequest : Head {
  std::string vm;
  std::int64_t memory_bytes = 0;
  Integer vcpus;
  Number cpu_cores;
  Text anti_affinity;
  static const Kind kKind;
};

// --- facts: written by observers ---

struct HostSample : Head {
  std::string host, state;
  Text error;
  Integer cpus, cpu_mhz, memory_bytes, memory_used_bytes, memory_free_bytes, memory_allocated_bytes,
      vcpus_allocated, vms_running, vms_stopped;
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
  Flag persistent, migrating;
  Text state_reason;
  static const Kind kKind;
};

// --- decisions: written by deciders ---

struct VmMove : Head {
  std::string id;
  Text cause;
  std::string vm, from, to;
  Text uuid;
  Integer domain_id;
  std::int64_t stage = 1;
  Integer memory_bytes;
  std::string reason;
  Number score_before, score_after;
  static const Kind kKind;
};

struct VmPlace : Head {
  std::string id;
  std::string vm, host, reason;
  Integer memory_bytes, after_stage;
  static const Kind kKind;
};

struct VmUnplaced : Head {
  std::string vm;
  Text host;
  std::string reason;
  static const Kind kKind;
};

struct NoBeneficialMove : Head {
  std::string reason;
  Number score, lower_bound;
  static const Kind kKind;
};

struct BalanceCheck : Head {
  bool balanced = true;
  Number score, lower_bound;
  std::int64_t hosts = 0, vms = 0, hosts_over = 0;
  Text reason;
  static const Kind kKind;
};

// --- results: written by actors ---

struct VmMoved : Head {
  std::string id;
  Text cause;
  std::string vm, from, to, outcome;
  Text reason;
  Flag planned, live, postcopy;
  Integer stage, attempts, elapsed_ms, downtime_ms, memory_bytes, transferred_bytes, iterations;
  static const Kind kKind;
};

// --- control: about the stream ---

struct Progress : Head {
  Text id;
  std::string object;
  Number percent;
  Integer remaining_bytes, bytes_per_second, eta_ms;
  Text state;
  static const Kind kKind;
};

struct RoundEnd : Head {
  std::int64_t round = 0;
  Integer hosts, hosts_up, vms, elapsed_ms, at_ms;
  static const Kind kKind;
};

struct End : Head {
  std::string outcome;
  Text reason;
  Integer skipped, rounds, hosts, vms, fluctuations, records, moves, done, planned, already, failed, refused,
      cancelled, unplaced;
  Number score_before, score_after, lower_bound;
  Integer elapsed_ms;
  static const Kind kKind;
};

}  // namespace rackline::record
