// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_heartbeat.h"

#include "record/describe.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

template <class K>
constexpr auto kHostStateFields = std::to_array<Field>({
    HEAD(K),
    FIELD(K, id, "name of this transition"),
    FIELD(K, cause, "the incident: from the first suspicion until the host is up again", {}, kOmitted),
    FIELD(K, host, "name of the host", "HOST"),
    FIELD(K, verdict,
          "alive, suspect, dead, isolated, partitioned, hypervisor_dead, maintenance, "
          "fence_contradicted, or unknown: never heard of since the watcher began, a person is called",
          "VERDICT"),
    FIELD(K, net, "heartbeats over the network: alive, silent or never", "NET"),
    FIELD(K, store,
          "heartbeats on the shared storage: alive, silent, never; unknown: the watcher itself cannot read "
          "them; none: "
          "it was given no place to read",
          "STORE"),
    FIELD(K, libvirt, "a question to libvirtd: answers, refused, timeout or not_asked", "LIBVIRT"),
    FIELD(K, silent_ms, "since the last sign of life in any channel; null: there never was one", "SILENT"),
    FIELD(K, net_silent_ms, "since the last heartbeat over the network"),
    FIELD(K, store_silent_ms, "since its heartbeat on the storage last changed"),
    FIELD(K, peers_asked, "agents of other hosts that were asked to look, and answered", {}, kOmitted),
    FIELD(K, peers_reached, "how many of them reach it", {}, kOmitted),
    FIELD(K, phi, "suspicion of the phi-accrual detector", {}, kOmitted),
    FIELD(K, self_fence_ms,
          "after so long without both channels its agent stops the protected virtual servers; null: it does "
          "not",
          {}, kOmitted),
    FIELD(K, watchdog, "true: a hardware watchdog resets it when its agent hangs", {}, kOmitted),
    FIELD(K, incarnation, "this run of its agent", {}, kOmitted),
    FIELD(K, key_id, "the key that its agent signs with", {}, kOmitted),
    FIELD(K, fence, "id of the fence that its life contradicts", {}, kOmitted),
    FIELD(K, hosts_silent, "hosts that are silent at this time", {}, kOmitted),
    FIELD(K, hosts_watched, "hosts that are watched", {}, kOmitted),
    FIELD(K, watcher_late_ms, "by how much the watcher itself was late of late, which widens its patience",
          {}, kOmitted),
    FIELD(K, snapshot, "true: the state when the watcher began, not a transition", {}, kOmitted),
    FIELD(K, reason, "why, for a person", "REASON"),
});

constexpr Field kWatcherSuspectFields[] = {
    HEAD(WatcherSuspect),
    FIELD(WatcherSuspect, reason, "why the watcher does not trust itself and declares nobody dead", "REASON"),
    FIELD(WatcherSuspect, hosts_silent, "hosts that it does not hear", "SILENT"),
    FIELD(WatcherSuspect, hosts_watched, "hosts that it watches", "WATCHED"),
};

constexpr Field kHeartbeatSeenFields[] = {
    HEAD(HeartbeatSeen),
    FIELD(HeartbeatSeen, host, "host whose heartbeat arrived", "HOST"),
    FIELD(HeartbeatSeen, at_ms, "when it arrived, on a clock that never steps", "AT"),
    FIELD(HeartbeatSeen, seq, "its number", "SEQ"),
};

constexpr Field kHostDiedFields[] = {
    HEAD(HostDied),
    FIELD(HostDied, host, "host that really died", "HOST"),
    FIELD(HostDied, at_ms, "when, on the clock of the trace", "AT"),
};

constexpr Field kDetectorScoreFields[] = {
    HEAD(DetectorScore),
    FIELD(DetectorScore, detector, "fixed or phi", "DETECTOR"),
    FIELD(DetectorScore, parameter, "its timeout in milliseconds, or its threshold", "PARAMETER"),
    FIELD(DetectorScore, deaths, "deaths in the trace", "DEATHS"),
    FIELD(DetectorScore, detected, "how many of them it found", "FOUND"),
    FIELD(DetectorScore, detection_ms, "from death to verdict, median", "DETECTION"),
    FIELD(DetectorScore, detection_p95_ms, "the same, 95th percentile", "P95"),
    FIELD(DetectorScore, detection_max_ms, "the same, longest", "MAX"),
    FIELD(DetectorScore, false_positives, "living hosts that it declared dead", "FALSE"),
    FIELD(DetectorScore, false_positives_per_host_hour, "the same, per hour that a host was watched",
          "FALSE/H"),
};

constexpr Field kHostSelfFencedFields[] = {
    HEAD(HostSelfFenced),
    FIELD(HostSelfFenced, id, "name of this event"),
    FIELD(HostSelfFenced, host, "host that stopped its own virtual servers", "HOST"),
    FIELD(HostSelfFenced, complete, "true: none of them runs any more", "COMPLETE"),
    FIELD(HostSelfFenced, stopped, "those that libvirtd stopped", "STOPPED"),
    FIELD(HostSelfFenced, killed, "those of which the QEMU process was killed", "KILLED"),
    FIELD(HostSelfFenced, left, "those that would not end", "LEFT"),
    FIELD(HostSelfFenced, reason, "why", "REASON"),
    FIELD(HostSelfFenced, elapsed_ms, "how long it took", "TIME"),
};

constexpr const Kind* kSeen[] = {
    &HostUp::kKind,          &HostSuspect::kKind,    &HostDown::kKind,          &HostIsolated::kKind,
    &HostPartitioned::kKind, &HypervisorDown::kKind, &FenceContradicted::kKind, &HostMaintenance::kKind,
    &WatcherSuspect::kKind,  &HeartbeatSeen::kKind,  &HostDied::kKind,          &DetectorScore::kKind};
constexpr const Kind* kDone[] = {&HostSelfFenced::kKind};

}  // namespace

const Kind HostUp::kKind{"host_up",   Role::kFact,     "The host lives, and so does its hypervisor.",
                         "heartbeat", "fence, people", kHostStateFields<HostUp>};
const Kind HostSuspect::kKind{
    "host_suspect",
    Role::kFact,
    "Something is wrong with the host, and it is not known what: nothing may be done.",
    "heartbeat",
    "people",
    kHostStateFields<HostSuspect>};
const Kind HostDown::kKind{
    "host_down", Role::kFact, "No channel shows a sign of life. It is not yet proven to be off.",
    "heartbeat", "fence",     kHostStateFields<HostDown>};
const Kind HostIsolated::kKind{
    "host_isolated", Role::kFact, "It writes to the shared storage, and nobody reaches it over the network.",
    "heartbeat",     "fence",     kHostStateFields<HostIsolated>};
const Kind HostPartitioned::kKind{
    "host_partitioned", Role::kFact, "Other hosts reach it, and the watcher does not.",
    "heartbeat",        "fence",     kHostStateFields<HostPartitioned>};
const Kind HypervisorDown::kKind{
    "hypervisor_down", Role::kFact, "The host lives, and its hypervisor does not answer.",
    "heartbeat",       "fence",     kHostStateFields<HypervisorDown>};
const Kind HostMaintenance::kKind{"host_maintenance", Role::kFact, "Its silence is planned.",
                                  "heartbeat",        "people",    kHostStateFields<HostMaintenance>};
const Kind FenceContradicted::kKind{
    "fence_contradicted",
    Role::kFact,
    "A host that is marked as fenced shows life: nothing of it is started any more, and a person is called.",
    "heartbeat",
    "fence, failover",
    kHostStateFields<FenceContradicted>};
const Kind WatcherSuspect::kKind{
    "watcher_suspect",
    Role::kFact,
    "The watcher has reason to doubt itself: it declares nobody dead, and calls a person.",
    "heartbeat",
    "people",
    kWatcherSuspectFields};
const Kind HeartbeatSeen::kKind{"heartbeat_seen",           Role::kFact,        "A heartbeat that arrived.",
                                "heartbeat watch --record", "heartbeat replay", kHeartbeatSeenFields};
const Kind HostDied::kKind{
    "host_died", Role::kConfiguration, "The truth about a host in a trace of heartbeats.",
    "people",    "heartbeat replay",   kHostDiedFields};
const Kind DetectorScore::kKind{"detector_score",   Role::kFact, "How a failure detector does on a trace.",
                                "heartbeat replay", "people",    kDetectorScoreFields};
const Kind HostSelfFenced::kKind{
    "host_self_fenced", Role::kResult, "A host that was cut off from everybody stopped its virtual servers.",
    "heartbeat beat",   "audit",       kHostSelfFencedFields};

const Subject kHeartbeatKinds{.seen = kSeen, .done = kDone};

}  // namespace rackline::record
