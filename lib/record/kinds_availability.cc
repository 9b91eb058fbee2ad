// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_availability.h"

#include "record/describe.h"

namespace rackline::record {
namespace {

constexpr Field kFenceMethodFields[] = {
    HEAD(FenceMethod),
    FIELD(FenceMethod, host, "the host that it switches off", "HOST"),
    FIELD(FenceMethod, level,
          "methods are tried from level 1 upwards, each level after the one before failed", "LEVEL"),
    FIELD(FenceMethod, agent,
          "program of ClusterLabs fence-agents (fence_ipmilan); self: wait for the time in which a cut-off "
          "host has "
          "stopped its own virtual servers",
          "AGENT"),
    FIELD(FenceMethod, options, "lines for the agent's stdin: ip=10.0.0.11, lanplus=1; never a password", {},
          kOmitted),
    FIELD(FenceMethod, password_file, "file that holds the password and that nobody else may read", {},
          kOmitted),
    FIELD(FenceMethod, attempts, "times that it is tried; null: 2", {}, kOmitted),
    FIELD(FenceMethod, timeout_ms, "longest that one call of the agent may take; null: 20000", {}, kOmitted),
    FIELD(FenceMethod, delay_ms, "wait before the first attempt; null: 0", {}, kOmitted),
};

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

constexpr Field kHostFencedFields[] = {
    HEAD(HostFenced),
    FIELD(HostFenced, id, "name of this fencing: virtual servers are restarted because of it"),
    FIELD(HostFenced, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(HostFenced, host, "host that can no longer touch its virtual servers' disks", "HOST"),
    FIELD(HostFenced, method, "the fence agent; self; manual: a person has pulled the plug", "METHOD"),
    FIELD(HostFenced, level, "level of the method that did it", "LEVEL"),
    FIELD(HostFenced, power_before, "on or off, as read", "BEFORE"),
    FIELD(HostFenced, power_after, "on or off, as read back", "AFTER"),
    FIELD(HostFenced, verified, "true: the state was read back, or a person vouches for it", "VERIFIED"),
    FIELD(HostFenced, evidence, "what proves it, for a person", "EVIDENCE"),
    FIELD(HostFenced, identity,
          "confirmed: fence verify found that the switch is the host's own; unknown: nobody could compare; "
          "null: no "
          "switch was asked",
          {}, kOmitted),
    FIELD(HostFenced, already, "true: an earlier run had done it", {}, kOmitted),
    FIELD(HostFenced, planned, "true: a dry run, nothing was touched", "PLANNED", kSeldom),
    FIELD(HostFenced, attempts, "calls of agents that were to switch it off"),
    FIELD(HostFenced, elapsed_ms, "from reading the request to the proof", "TIME"),
};

constexpr Field kHostNotFencedFields[] = {
    HEAD(HostNotFenced),
    FIELD(HostNotFenced, id, "name of the attempt"),
    FIELD(HostNotFenced, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(HostNotFenced, host, "host that may still be running", "HOST"),
    FIELD(HostNotFenced, outcome,
          "failed: a person is needed, unless retry_ms says that it is tried again; refused: a rule forbids "
          "it; left: the policy says so; withdrawn: it showed life after the record that asked for it",
          "OUTCOME"),
    FIELD(HostNotFenced, power_after, "on or off, as last read, where it could be read", "POWER"),
    FIELD(HostNotFenced, reason, "why, method by method", "REASON"),
    FIELD(HostNotFenced, planned, "true: a dry run, nothing was touched", "PLANNED", kSeldom),
    FIELD(HostNotFenced, attempts, "calls of agents that were to switch it off"),
    FIELD(HostNotFenced, retry_ms, "how long until it is tried again; null: it is not", {}, kOmitted),
    FIELD(HostNotFenced, elapsed_ms, "from reading the request to giving up", "TIME"),
};

constexpr Field kHostUnfencedFields[] = {
    HEAD(HostUnfenced),
    FIELD(HostUnfenced, id, "the fencing that this ends"),
    FIELD(HostUnfenced, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(HostUnfenced, host, "name of the host", "HOST"),
    FIELD(HostUnfenced, outcome,
          "done: it is on, and takes no virtual servers before failover clear; planned: a dry run; already; "
          "failed; refused",
          "OUTCOME"),
    FIELD(HostUnfenced, method, "the fence agent that did it", "METHOD"),
    FIELD(HostUnfenced, power_after, "on or off, as read back", "POWER"),
    FIELD(HostUnfenced, reason, "why it is not done", "REASON"),
    FIELD(HostUnfenced, planned, "true: a dry run, nothing was touched", {}, kOmitted),
    FIELD(HostUnfenced, elapsed_ms, "how long it took", "TIME"),
};

constexpr Field kHostPowerFields[] = {
    HEAD(HostPower),
    FIELD(HostPower, host, "name of the host", "HOST"),
    FIELD(HostPower, power, "on or off; null: it cannot be read", "POWER"),
    FIELD(HostPower, mark,
          "fenced: it is off and its virtual servers may run elsewhere; returning: it was switched on again "
          "and "
          "is not cleared yet; null: neither",
          "MARK"),
    FIELD(HostPower, fence, "id of the fencing that the mark is of"),
    FIELD(HostPower, method, "the fence agent that was asked", "METHOD"),
    FIELD(HostPower, reason, "why the power cannot be read", "REASON"),
    FIELD(HostPower, elapsed_ms, "how long reading it took"),
};

constexpr Field kHostIdentityFields[] = {
    HEAD(HostIdentity),
    FIELD(HostIdentity, host, "name of the host", "HOST"),
    FIELD(HostIdentity, method, "the switch that was asked; null: none of its switches can tell", "METHOD"),
    FIELD(HostIdentity, identity,
          "confirmed: it switches this host; mismatch: it switches another one, and fence does not use it; "
          "unknown",
          "IDENTITY"),
    FIELD(HostIdentity, bmc_uuid, "UUID of the system that the controller switches", "BMC UUID"),
    FIELD(HostIdentity, host_uuid, "UUID of the host's system, from its libvirtd", "HOST UUID"),
    FIELD(HostIdentity, reason, "why it is not confirmed", "REASON"),
    FIELD(HostIdentity, elapsed_ms, "how long asking took"),
};

constexpr Field kVmRestartedFields[] = {
    HEAD(VmRestarted),
    FIELD(VmRestarted, id, "name of the restart"),
    FIELD(VmRestarted, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(VmRestarted, fence, "id of the host_fenced record on whose proof it rests"),
    FIELD(VmRestarted, vm, "virtual server", "VM"),
    FIELD(VmRestarted, uuid, "its UUID"),
    FIELD(VmRestarted, from, "host that died", "FROM"),
    FIELD(VmRestarted, to, "host that runs it now", "TO"),
    FIELD(VmRestarted, outcome,
          "done; planned: a dry run or a drill would do it; already: it was running there", "OUTCOME"),
    FIELD(VmRestarted, verified, "domain: the hypervisor runs it; check: it answered its check as well",
          "VERIFIED"),
    FIELD(VmRestarted, reason, "why that host", "REASON"),
    FIELD(VmRestarted, planned, "true: a dry run or a drill, nothing was touched", {}, kOmitted),
    FIELD(VmRestarted, priority, "restart priority, higher first", "PRIORITY"),
    FIELD(VmRestarted, attempts, "starts that were tried"),
    FIELD(VmRestarted, memory_bytes, "its memory", "MEMORY"),
    FIELD(VmRestarted, start_ms, "from the start of the last attempt until libvirt said that it runs"),
    FIELD(VmRestarted, elapsed_ms, "from reading the fence's record to the proof that it runs", "TIME"),
};

constexpr Field kVmNotRestartedFields[] = {
    HEAD(VmNotRestarted),
    FIELD(VmNotRestarted, id, "name of the restart"),
    FIELD(VmNotRestarted, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(VmNotRestarted, fence, "id of the host_fenced record"),
    FIELD(VmNotRestarted, vm, "virtual server that does not run", "VM"),
    FIELD(VmNotRestarted, uuid, "its UUID"),
    FIELD(VmNotRestarted, from, "host that died", "FROM"),
    FIELD(VmNotRestarted, outcome,
          "unplaced: no host has room; refused: it could run somewhere that does not answer; failed: it did "
          "not start; "
          "unknown: not to be learnt now, repeat the command",
          "OUTCOME"),
    FIELD(VmNotRestarted, reason, "why", "REASON"),
    FIELD(VmNotRestarted, planned, "true: a dry run or a drill, nothing was touched", {}, kOmitted),
    FIELD(VmNotRestarted, priority, "restart priority, higher first", "PRIORITY"),
    FIELD(VmNotRestarted, attempts, "starts that were tried"),
    FIELD(VmNotRestarted, memory_bytes, "its memory", "MEMORY"),
    FIELD(VmNotRestarted, elapsed_ms, "from reading the fence's record to giving up", "TIME"),
};

constexpr Field kVmProtectedFields[] = {
    HEAD(VmProtected),
    FIELD(VmProtected, vm, "virtual server that is restarted when its host dies", "VM"),
    FIELD(VmProtected, uuid, "its UUID"),
    FIELD(VmProtected, host, "host on which it was last seen", "HOST"),
    FIELD(VmProtected, seen, "when that was: it may have been moved since", "SEEN"),
    FIELD(VmProtected, state, "running or stopped, as last seen: a stopped one is not started", "STATE"),
    FIELD(VmProtected, want, "stopped: a person wants it to stay off (failover want)", "WANT", kSeldom),
    FIELD(VmProtected, priority, "restart priority, higher first", "PRIORITY"),
    FIELD(VmProtected, after, "virtual servers that have to run before it", "AFTER"),
    FIELD(VmProtected, anti_affinity, "group of which no two may share a host", "GROUP"),
    FIELD(VmProtected, check, "how it proves that it serves: tcp:ADDRESS:PORT", "CHECK"),
    FIELD(VmProtected, prefer, "hosts where it is to be, the best one first", "PREFER", kOmitted),
    FIELD(VmProtected, only, "true: it is started nowhere else", {}, kOmitted),
    FIELD(VmProtected, together, "group of which all run on one host", "TOGETHER", kOmitted),
    FIELD(VmProtected, failback, "true: failover failback moves it back to a better host of prefer", {},
          kOmitted),
    FIELD(VmProtected, memory_bytes, "its memory", "MEMORY"),
    FIELD(VmProtected, vcpus, "its virtual CPUs"),
    FIELD(VmProtected, pinned, "why it can be started on no host but its own; null: it can", "PINNED",
          kSeldom),
    FIELD(VmProtected, refreshed, "when its definition was last read from a hypervisor"),
    FIELD(VmProtected, planned, "true: a dry run, nothing was stored", "PLANNED", kSeldom),
};

constexpr Field kVmUnprotectedFields[] = {
    HEAD(VmUnprotected),
    FIELD(VmUnprotected, vm, "virtual server that runs and is not protected", "VM"),
    FIELD(VmUnprotected, uuid, "its UUID"),
    FIELD(VmUnprotected, host, "host on which it runs, or ran when that was fenced", "HOST"),
    FIELD(VmUnprotected, reason, "why nobody would start it again", "REASON"),
};

constexpr Field kProtectionRuleFields[] = {
    HEAD(ProtectionRule),
    FIELD(ProtectionRule, state, "on: every virtual server that appears is protected; off", "STANDING"),
    FIELD(ProtectionRule, by, "who wants it so", "BY"),
    FIELD(ProtectionRule, since, "since when", "SINCE"),
    FIELD(ProtectionRule, except, "virtual servers that it leaves out", "EXCEPT"),
    FIELD(ProtectionRule, planned, "true: a dry run, nothing was stored", "PLANNED", kSeldom),
};

constexpr Field kHostDrillFields[] = {
    HEAD(HostDrill),
    FIELD(HostDrill, host, "host that is taken for dead", "HOST"),
    FIELD(HostDrill, outcome,
          "ok: all of its protected virtual servers would run elsewhere; hurts: some would not; refused: "
          "nothing would be started, and why; fenced: it is off already",
          "OUTCOME"),
    FIELD(HostDrill, vms, "protected virtual servers that would go down with it", "VMS"),
    FIELD(HostDrill, restarted, "those of them that would be started elsewhere", "RESTARTED"),
    FIELD(HostDrill, unplaced, "those that find no place", "UNPLACED"),
    FIELD(HostDrill, pinned, "those of the others that can be started on no other host, whatever its room",
          "PINNED"),
    FIELD(HostDrill, refused, "those that would be refused", "REFUSED"),
    FIELD(HostDrill, unprotected, "running virtual servers there that nobody protects", "UNPROTECTED"),
    FIELD(HostDrill, without_place, "names of those that would not be started", "WITHOUT_PLACE"),
    FIELD(HostDrill, reason, "why the first of them would not", "REASON"),
    FIELD(HostDrill, planned, "true: nothing was touched", {}, kOmitted),
};

constexpr Field kHostClearedFields[] = {
    HEAD(HostCleared),
    FIELD(HostCleared, id, "the fencing that this closes"),
    FIELD(HostCleared, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(HostCleared, host, "host that may take virtual servers again", "HOST"),
    FIELD(HostCleared, outcome, "done; planned: a dry run; already: it was not fenced; refused; failed",
          "OUTCOME"),
    FIELD(HostCleared, removed, "stale definitions that were removed: their virtual servers run elsewhere",
          "REMOVED"),
    FIELD(HostCleared, reason, "why it is not cleared", "REASON"),
    FIELD(HostCleared, planned, "true: a dry run, nothing was touched", {}, kOmitted),
    FIELD(HostCleared, elapsed_ms, "how long it took", "TIME"),
};

}  // namespace

const Kind FenceMethod::kKind{
    "fence_method", Role::kConfiguration, "How a host is switched off: a line of the inventory.", "people",
    "fence",        kFenceMethodFields};

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
const Kind HostFenced::kKind{"host_fenced",
                             Role::kResult,
                             "The host is proven to be off: its virtual servers may be started elsewhere.",
                             "fence",
                             "failover",
                             kHostFencedFields};
const Kind HostNotFenced::kKind{
    "host_not_fenced", Role::kResult, "The host is not proven to be off: nothing may be started.",
    "fence",           "people",      kHostNotFencedFields};
const Kind HostUnfenced::kKind{
    "host_unfenced", Role::kResult, "What became of switching a fenced host on again.",
    "fence unfence", "people",      kHostUnfencedFields};
const Kind HostPower::kKind{"host_power",   Role::kFact, "Whether a host is on, as its power can be read.",
                            "fence status", "people",    kHostPowerFields};
const Kind HostIdentity::kKind{
    "host_identity", Role::kFact, "Whether a controller switches the host that it is said to switch.",
    "fence verify",  "people",    kHostIdentityFields};
const Kind VmRestarted::kKind{
    "vm_restarted", Role::kResult, "A virtual server of a fenced host runs elsewhere.",
    "failover",     "audit",       kVmRestartedFields};
const Kind VmNotRestarted::kKind{
    "vm_not_restarted", Role::kResult, "A virtual server of a fenced host does not run, and why.",
    "failover",         "people",      kVmNotRestartedFields};
const Kind VmProtected::kKind{
    "vm_protected",  Role::kFact, "What failover keeps of a protected virtual server.",
    "failover list", "people",    kVmProtectedFields};
const Kind VmUnprotected::kKind{
    "vm_unprotected", Role::kFact, "A virtual server that runs and that nobody would start again.",
    "failover",       "people",    kVmUnprotectedFields};
const Kind ProtectionRule::kKind{
    "protection_rule", Role::kFact, "Whether what comes later is protected by itself.",
    "failover",        "people",    kProtectionRuleFields};
const Kind HostDrill::kKind{
    "host_drill",           Role::kFact, "What the death of one host would mean for its virtual servers.",
    "failover drill --all", "people",    kHostDrillFields};
const Kind HostCleared::kKind{"host_cleared",   Role::kResult, "What became of taking a fenced host back.",
                              "failover clear", "people",      kHostClearedFields};

}  // namespace rackline::record
