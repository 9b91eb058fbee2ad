// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_failover.h"

#include "record/describe.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

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
    FIELD(VmProtected, check, "how it proves that it serves: tcp:ADDRESS:PORT, or a URL of http or https",
          "CHECK"),
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

constexpr const Kind* kSeen[] = {&VmProtected::kKind, &VmUnprotected::kKind, &ProtectionRule::kKind,
                                 &HostDrill::kKind};
constexpr const Kind* kDone[] = {&VmRestarted::kKind, &VmNotRestarted::kKind, &HostCleared::kKind};

}  // namespace

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

const Subject kFailoverKinds{.seen = kSeen, .done = kDone};

}  // namespace rackline::record
