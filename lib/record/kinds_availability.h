// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "record/kinds.h"

namespace rackline::record {

// The records of a cluster that heals itself: what heartbeat sees, what fence proves, what failover does. As
// in kinds.h, the meaning of each field stands beside its description, in kinds_availability.cc.

// --- configuration: written by people ---

struct FenceMethod : Head {
  std::string host;
  std::int64_t level = 1;
  std::string agent;
  List options;
  Text password_file;
  Integer attempts, timeout_ms, delay_ms;
  static const Kind kKind;
};

// --- facts: written by heartbeat ---

// What a watcher knows of a host, with the evidence of each channel. One struct for all transitions; the
// kinds below say which it is.
struct HostState : Head {
  std::string id;
  Text cause;
  std::string host, verdict;
  Text reason;
  Flag snapshot;
  Integer silent_ms;
  std::string net, store, libvirt;
  Integer net_silent_ms, store_silent_ms;
  Integer peers_asked, peers_reached;
  Number phi;
  Integer self_fence_ms;
  Flag watchdog;
  Text incarnation, key_id, fence;
  Integer hosts_silent, hosts_watched, watcher_late_ms;
};
struct HostUp : HostState {
  static const Kind kKind;
};
struct HostSuspect : HostState {
  static const Kind kKind;
};
struct HostDown : HostState {
  static const Kind kKind;
};
struct HostIsolated : HostState {
  static const Kind kKind;
};
struct HostPartitioned : HostState {
  static const Kind kKind;
};
struct HypervisorDown : HostState {
  static const Kind kKind;
};
struct HostMaintenance : HostState {
  static const Kind kKind;
};
// A host that is marked as fenced shows life: the proof that its virtual servers may be started elsewhere is
// wrong.
struct FenceContradicted : HostState {
  static const Kind kKind;
};

struct WatcherSuspect : Head {
  std::string reason;
  Integer hosts_silent, hosts_watched;
  static const Kind kKind;
};

// --- traces of heartbeats: written by heartbeat watch --record, scored by heartbeat replay ---

struct HeartbeatSeen : Head {
  std::string host;
  std::int64_t at_ms = 0;
  Integer seq;
  static const Kind kKind;
};

struct HostDied : Head {
  std::string host;
  std::int64_t at_ms = 0;
  static const Kind kKind;
};

struct DetectorScore : Head {
  std::string detector;
  double parameter = 0;
  std::int64_t deaths = 0, detected = 0;
  Number detection_ms, detection_p95_ms, detection_max_ms;
  std::int64_t false_positives = 0;
  Number false_positives_per_host_hour;
  static const Kind kKind;
};

// --- results: written by heartbeat beat ---

struct HostSelfFenced : Head {
  std::string id, host, reason;
  bool complete = false;
  List stopped, killed, left;
  Integer elapsed_ms;
  static const Kind kKind;
};

// --- results: written by fence ---

struct HostFenced : Head {
  std::string id;
  Text cause;
  std::string host, method;
  Integer level;
  Text power_before, power_after;
  bool verified = false;
  Text evidence;
  Flag already, planned;
  Integer attempts, elapsed_ms;
  Text identity;
  static const Kind kKind;
};

struct HostNotFenced : Head {
  std::string id;
  Text cause;
  std::string host, outcome, reason;
  Text power_after;
  Flag planned;
  Integer attempts, retry_ms, elapsed_ms;
  static const Kind kKind;
};

struct HostUnfenced : Head {
  std::string id;
  Text cause;
  std::string host, outcome;
  Text reason, method, power_after;
  Flag planned;
  Integer elapsed_ms;
  static const Kind kKind;
};

struct HostPower : Head {
  std::string host;
  Text power, mark, fence, method, reason;
  Integer elapsed_ms;
  static const Kind kKind;
};

// --- facts: written by fence verify ---

struct HostIdentity : Head {
  std::string host;
  Text method;
  std::string identity;
  Text bmc_uuid, host_uuid, reason;
  Integer elapsed_ms;
  static const Kind kKind;
};

// --- results: written by failover ---

struct VmRestarted : Head {
  std::string id;
  Text cause;
  std::string fence;
  std::string vm, from, to, outcome;
  Text verified, reason, uuid;
  Flag planned;
  Integer priority, attempts, memory_bytes, start_ms, elapsed_ms;
  static const Kind kKind;
};

struct VmNotRestarted : Head {
  std::string id;
  Text cause;
  std::string fence;
  std::string vm, from, outcome, reason;
  Text uuid;
  Flag planned;
  Integer priority, attempts, memory_bytes, elapsed_ms;
  static const Kind kKind;
};

struct VmProtected : Head {
  std::string vm, uuid;
  Text host, state, want;
  Integer priority;
  List after;
  Text anti_affinity, check;
  List prefer;
  Flag only;
  Text together;
  Flag failback;
  Integer memory_bytes, vcpus;
  Text pinned, seen, refreshed;
  Flag planned;
  static const Kind kKind;
};

// A virtual server that runs and that nobody would start again.
struct VmUnprotected : Head {
  std::string vm, host, reason;
  Text uuid;
  static const Kind kKind;
};

// The rule that protects what comes later.
struct ProtectionRule : Head {
  std::string state;
  Text by, since;
  List except;
  Flag planned;
  static const Kind kKind;
};

// What the death of one host would mean.
struct HostDrill : Head {
  std::string host, outcome;
  Integer vms, restarted, unplaced, pinned, refused, unprotected;
  List without_place;
  Text reason;
  Flag planned;
  static const Kind kKind;
};

struct HostCleared : Head {
  std::string id;
  Text cause;
  std::string host, outcome;
  Text reason;
  List removed;
  Flag planned;
  Integer elapsed_ms;
  static const Kind kKind;
};

}  // namespace rackline::record
