// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "record/kind.h"

namespace rackline::record {

// What heartbeat sees of hosts.

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
// A host that is marked as fenced shows life: the proof that its VMs may be started elsewhere is
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

}  // namespace rackline::record
