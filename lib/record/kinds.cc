// SPDX-License-Identifier: Apache-2.0
#include "record/kinds.h"

#include <algorithm>
#include <array>

#include "record/describe.h"
#include "record/kinds_audit.h"
#include "record/kinds_availability.h"
#include "record/kinds_capacity.h"
#include "record/kinds_cluster.h"
#include "record/kinds_planning.h"
#include "record/kinds_reserve.h"

namespace rackline::record {
namespace {

constexpr Field kHostFields[] = {
    HEAD(Host),
    FIELD(Host, host, "name of the host, unique in the inventory", "HOST"),
    FIELD(Host, uri, "libvirt connection URI as seen from the machine that runs the programs", "URI"),
    FIELD(Host, peer_uri,
          "libvirt URI as seen from the other hosts, for peer-to-peer migration; null: same as uri", {},
          kOmitted),
    FIELD(Host, bmc, "its management controller: ipmi://ADDRESS or redfish://ADDRESS", "BMC"),
    FIELD(Host, bmc_tls, "of redfish: verify or insecure, which takes any certificate; null: verify", {},
          kOmitted),
    FIELD(Host, bmc_ca_file,
          "of redfish: file of the authorities that its certificate is of; null: the system's", {}, kOmitted),
    FIELD(Host, bmc_cipher, "of ipmi: its cipher suite; null: that of --bmc-cipher", {}, kOmitted),
    FIELD(Host, failure_domain, "what fails together with it: a rack, a room, a power feed", "DOMAIN",
          kOmitted),
    FIELD(Host, neighbourhood, "hosts of one are near enough to each other for what depends on the other", {},
          kOmitted),
    FIELD(Host, shared_storage,
          "directories below which it sees the same files as every host that names them", {}, kOmitted),
    FIELD(Host, drained, "true: nothing may be placed there", {}, kOmitted),
    FIELD(Host, cpu_overcommit, "virtual CPUs allowed for each CPU", {}, kOmitted),
    FIELD(Host, memory_reserve_bytes, "memory kept for the host itself", {}, kOmitted),
};

constexpr Field kPlacementRuleFields[] = {
    HEAD(PlacementRule),
    FIELD(PlacementRule, rule,
          "anti_affinity: no two of vms on one host; spread: no two in one failure domain, or with domains "
          "in at least so many; pin: vms only on hosts; exclude: vms not on hosts; depends: each of vms in a "
          "neighbourhood where one of on is; compatible: between hosts vms may move live whatever their CPU "
          "models are",
          "RULE"),
    FIELD(PlacementRule, vms, "the virtual servers it binds; of compatible: none means all", "VMS"),
    FIELD(PlacementRule, hosts, "the hosts that pin, exclude and compatible speak of", "HOSTS"),
    FIELD(PlacementRule, on, "the virtual servers that those of depends need", {}, kOmitted),
    FIELD(PlacementRule, domains, "failure domains that spread asks for; null: one for each of vms", {},
          kOmitted),
};

constexpr Field kVmRequestFields[] = {
    HEAD(VmRequest),
    FIELD(VmRequest, vm, "name of the virtual server that is to be placed", "VM"),
    FIELD(VmRequest, memory_bytes, "its memory", "MEMORY"),
    FIELD(VmRequest, vcpus, "its virtual CPUs; null: 1", "VCPUS"),
    FIELD(VmRequest, cpu_cores, "CPUs that it is expected to keep busy; null: all of its virtual CPUs",
          "CPU"),
    FIELD(VmRequest, anti_affinity, "group of which no two may share a host", "GROUP"),
};

constexpr Field kHostSampleFields[] = {
    HEAD(HostSample),
    FIELD(HostSample, host, "name of the host", "HOST"),
    FIELD(HostSample, state, "up; unreachable: no connection; timeout: no answer in time", "STATE"),
    FIELD(HostSample, error, "why it is not up", {}, kOmitted),
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
    FIELD(HostSample, vms_running, "running or paused virtual servers", "VMS"),
    FIELD(HostSample, vms_stopped, "virtual servers that are only defined"),
    FIELD(HostSample, disk_read_bytes_per_second, "read by its virtual servers", "READ/S"),
    FIELD(HostSample, disk_write_bytes_per_second, "written by its virtual servers", "WRITE/S"),
    FIELD(HostSample, net_rx_bytes_per_second, "received by its virtual servers", "RX/S"),
    FIELD(HostSample, net_tx_bytes_per_second, "sent by its virtual servers", "TX/S"),
    FIELD(HostSample, arch, "machine architecture"),
    FIELD(HostSample, cpu_model, "CPU model as libvirt names it"),
    FIELD(HostSample, cpu_mhz, "clock of its CPUs"),
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
    FIELD(
        VmSample, migrating,
        "true: paused here by a live migration that is under way, and running on the other host or about to",
        {}, kOmitted),
    FIELD(VmSample, state_reason,
          "of one that is off, how it ended: shutdown, destroyed, crashed, migrated, saved, failed, "
          "from_snapshot, daemon or unknown",
          {}, kOmitted),
};

constexpr Field kVmMoveFields[] = {
    HEAD(VmMove),
    FIELD(VmMove, id, "name of the decision, derived from its facts"),
    FIELD(VmMove, cause, "the incident that the decision belongs to", {}, kOmitted),
    FIELD(VmMove, stage, "a stage starts when the one before it is done", "STAGE"),
    FIELD(VmMove, vm, "virtual server that is to move", "VM"),
    FIELD(VmMove, uuid, "its UUID"),
    FIELD(VmMove, domain_id,
          "its incarnation on the source when the plan was made; null: it was not running"),
    FIELD(VmMove, from, "source host", "FROM"),
    FIELD(VmMove, to, "target host", "TO"),
    FIELD(VmMove, memory_bytes, "memory that it takes on both hosts during the move", "MEMORY"),
    FIELD(VmMove, reason, "why, for a person", "REASON"),
    FIELD(VmMove, score_before, "imbalance before this move, 0 is perfect", "BEFORE"),
    FIELD(VmMove, score_after, "imbalance after it", "AFTER"),
};

constexpr Field kVmPlaceFields[] = {
    HEAD(VmPlace),
    FIELD(VmPlace, id, "name of the decision, derived from its facts"),
    FIELD(VmPlace, vm, "virtual server that was asked for", "VM"),
    FIELD(VmPlace, host, "host that should run it", "HOST"),
    FIELD(VmPlace, memory_bytes, "its memory", "MEMORY"),
    FIELD(VmPlace, after_stage, "there is room when this stage of the moves is done; left out: there is now",
          "STAGE", kOmitted),
    FIELD(VmPlace, reason, "why there", "REASON"),
};

constexpr Field kVmUnplacedFields[] = {
    HEAD(VmUnplaced),
    FIELD(VmUnplaced, vm, "virtual server for which there is no host", "VM"),
    FIELD(VmUnplaced, host, "host that it is on", "HOST"),
    FIELD(VmUnplaced, reason, "what forbids each host", "REASON"),
};

constexpr Field kNoBeneficialMoveFields[] = {
    HEAD(NoBeneficialMove),
    FIELD(NoBeneficialMove, reason, "why nothing is to be moved", "REASON"),
    FIELD(NoBeneficialMove, score, "imbalance as it is, 0 is perfect", "SCORE"),
    FIELD(NoBeneficialMove, lower_bound, "no placement can score below this", "BOUND"),
};

constexpr Field kBalanceCheckFields[] = {
    HEAD(BalanceCheck),
    FIELD(BalanceCheck, balanced, "true: nothing needs to move", "BALANCED"),
    FIELD(BalanceCheck, score, "imbalance, 0 is perfect", "SCORE"),
    FIELD(BalanceCheck, lower_bound, "no placement can score below this", "BOUND"),
    FIELD(BalanceCheck, hosts, "hosts in the last round", "HOSTS"),
    FIELD(BalanceCheck, vms, "virtual servers in the last round", "VMS"),
    FIELD(BalanceCheck, hosts_over, "hosts above the threshold", "OVER"),
    FIELD(BalanceCheck, reason, "what needs balancing", "REASON"),
};

constexpr Field kVmMovedFields[] = {
    HEAD(VmMoved),
    FIELD(VmMoved, id, "the decision that this answers"),
    FIELD(VmMoved, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(VmMoved, vm, "virtual server", "VM"),
    FIELD(VmMoved, from, "source host", "FROM"),
    FIELD(VmMoved, to, "target host", "TO"),
    FIELD(VmMoved, outcome,
          "done; planned: a dry run would do it; already: it was there; refused: a precondition does not "
          "hold; failed; cancelled: by signal or deadline; "
          "unknown: not to be learnt now, repeat the command later",
          "OUTCOME"),
    FIELD(VmMoved, reason, "why it is not done", "REASON"),
    FIELD(VmMoved, planned, "true: a dry run, nothing was touched", {}, kOmitted),
    FIELD(VmMoved, live, "false: it was stopped and moved as a definition"),
    FIELD(VmMoved, postcopy,
          "true: finished in post-copy, during which the loss of either host would have lost the guest"),
    FIELD(VmMoved, stage, "stage of the plan", "STAGE"),
    FIELD(VmMoved, attempts, "migrations begun"),
    FIELD(VmMoved, elapsed_ms, "from the first check to the end", "TIME"),
    FIELD(VmMoved, downtime_ms, "pause of the guest as the hypervisor measured it", "DOWNTIME"),
    FIELD(VmMoved, memory_bytes, "memory of the guest", "MEMORY"),
    FIELD(VmMoved, transferred_bytes, "sent over the network", "SENT"),
    FIELD(VmMoved, iterations, "passes over the guest's memory"),
};

constexpr Field kProgressFields[] = {
    HEAD(Progress),
    FIELD(Progress, id, "the decision that is being carried out"),
    FIELD(Progress, object, "what it is about: a virtual server, a LUN, a server", "OBJECT"),
    FIELD(Progress, percent, "0 to 100", "DONE%"),
    FIELD(Progress, remaining_bytes, "still to be sent", "REMAINING"),
    FIELD(Progress, bytes_per_second, "present rate", "RATE"),
    FIELD(Progress, eta_ms, "expected time to the end", "ETA"),
    FIELD(Progress, state, "what is being done now", "STATE"),
};

constexpr Field kRoundEndFields[] = {
    HEAD(RoundEnd),
    FIELD(RoundEnd, round, "number of the round, from 1", "ROUND"),
    FIELD(RoundEnd, hosts, "hosts asked", "HOSTS"),
    FIELD(RoundEnd, hosts_up, "hosts that answered", "UP"),
    FIELD(RoundEnd, vms, "virtual servers seen", "VMS"),
    FIELD(RoundEnd, elapsed_ms, "duration of the round", "TIME"),
    FIELD(RoundEnd, at_ms,
          "when the round began, on a clock that never steps and begins with the first round; of a recording",
          {}, kOmitted),
};

constexpr Field kEndFields[] = {
    HEAD(End),
    FIELD(End, outcome, "ok, failed, refused or interrupted", "OUTCOME"),
    FIELD(End, reason, "why it is not ok", "REASON", kOmitted),
    FIELD(End, skipped, "lines that could not be read and were left out", "SKIPPED", kOmitted),
    FIELD(End, rounds, "rounds read or written", {}, kOmitted),
    FIELD(End, hosts, "hosts seen", "HOSTS", kOmitted),
    FIELD(End, vms, "virtual servers seen", "VMS", kOmitted),
    FIELD(End, fluctuations, "times that usage left its band", "FLUCTUATIONS", kOmitted),
    FIELD(End, records, "records read", "RECORDS", kOmitted),
    FIELD(End, moves, "moves decided or asked for", "MOVES", kOmitted),
    FIELD(End, done, "done now", "DONE", kOmitted),
    FIELD(End, planned, "what a dry run would have done", "PLANNED", kOmitted),
    FIELD(End, already, "found done", "ALREADY", kOmitted),
    FIELD(End, failed, "failed, or not to be learnt", "FAILED", kOmitted),
    FIELD(End, refused, "refused", "REFUSED", kOmitted),
    FIELD(End, cancelled, "cancelled", "CANCELLED", kOmitted),
    FIELD(End, unplaced, "virtual servers for which there was no host", "UNPLACED", kOmitted),
    FIELD(End, score_before, "imbalance before the plan, 0 is perfect", "BEFORE", kOmitted),
    FIELD(End, score_after, "imbalance after it", "AFTER", kOmitted),
    FIELD(End, lower_bound, "no placement can score below this", "BOUND", kOmitted),
    FIELD(End, elapsed_ms, "duration of the whole run", "TIME", kOmitted),
};

}  // namespace

const Kind Host::kKind{"host",
                       Role::kConfiguration,
                       "A hypervisor host: one line of the inventory.",
                       "people, lab inventory",
                       "every program that takes an inventory",
                       kHostFields};
const Kind PlacementRule::kKind{
    "placement_rule", Role::kConfiguration, "A rule that every placement must obey.", "people",
    "capplan",        kPlacementRuleFields};
const Kind VmRequest::kKind{"vm_request", Role::kConfiguration, "A virtual server that wants a place.",
                            "people",     "capplan place",      kVmRequestFields};
const Kind HostSample::kKind{
    "host_sample", Role::kFact, "What a host has, has given away and uses. What is not known is null.",
    "capwatch",    "capplan",   kHostSampleFields};
const Kind VmSample::kKind{"vm_sample", Role::kFact, "What a virtual server has and uses.",
                           "capwatch",  "capplan",   kVmSampleFields};
const Kind VmMove::kKind{"vm_move", Role::kDecision, "Move a virtual server to another host.",
                         "capplan", "migrate",       kVmMoveFields};
const Kind VmPlace::kKind{"vm_place",      Role::kDecision, "Run a requested virtual server on this host.",
                          "capplan place", "people",        kVmPlaceFields};
const Kind VmUnplaced::kKind{"vm_unplaced", Role::kFact, "There is no host for a virtual server, and why.",
                             "capplan",     "people",    kVmUnplacedFields};
const Kind NoBeneficialMove::kKind{"no_beneficial_move",
                                   Role::kFact,
                                   "Nothing is worth moving: the answer of a planner that has no plan.",
                                   "capplan",
                                   "people",
                                   kNoBeneficialMoveFields};
const Kind BalanceCheck::kKind{"balance_check", Role::kFact, "Whether a cluster needs balancing.",
                               "capplan check", "people",    kBalanceCheckFields};
const Kind VmMoved::kKind{
    "vm_moved",    Role::kResult, "What became of a vm_move.", "migrate", "capplan --history, audit",
    kVmMovedFields};
const Kind Progress::kKind{"progress", Role::kControl, "How far a long piece of work is, written sparsely.",
                           "actors",   "people",       kProgressFields};
const Kind RoundEnd::kKind{
    "round_end", Role::kControl, "Closes a round of samples: a decider decides here, never on half a round.",
    "observers", "deciders",     kRoundEndFields};
const Kind End::kKind{"end",
                      Role::kControl,
                      "The last record of every stream. A stream without it was cut off: its producer died.",
                      "every program",
                      "every program",
                      kEndFields};

std::span<const Kind* const> kinds() {
  static constexpr auto kAll = std::to_array<const Kind*>({&Host::kKind,
                                                           &PlacementRule::kKind,
                                                           &FenceMethod::kKind,
                                                           &VmRequest::kKind,
                                                           &ReservationRequest::kKind,
                                                           &HostSample::kKind,
                                                           &VmSample::kKind,
                                                           &HostUsage::kKind,
                                                           &VmUsage::kKind,
                                                           &Fluctuation::kKind,
                                                           &HostUp::kKind,
                                                           &HostSuspect::kKind,
                                                           &HostDown::kKind,
                                                           &HostIsolated::kKind,
                                                           &HostPartitioned::kKind,
                                                           &HypervisorDown::kKind,
                                                           &FenceContradicted::kKind,
                                                           &HostMaintenance::kKind,
                                                           &WatcherSuspect::kKind,
                                                           &HeartbeatSeen::kKind,
                                                           &HostDied::kKind,
                                                           &DetectorScore::kKind,
                                                           &VmProtected::kKind,
                                                           &VmUnprotected::kKind,
                                                           &ProtectionRule::kKind,
                                                           &HostDrill::kKind,
                                                           &VmMove::kKind,
                                                           &VmPlace::kKind,
                                                           &VmUnplaced::kKind,
                                                           &NoBeneficialMove::kKind,
                                                           &BalanceCheck::kKind,
                                                           &HostFreed::kKind,
                                                           &ServiceGroup::kKind,
                                                           &HostUnserviceable::kKind,
                                                           &Headroom::kKind,
                                                           &HostRoom::kKind,
                                                           &Explanation::kKind,
                                                           &VmMoved::kKind,
                                                           &HostSelfFenced::kKind,
                                                           &HostFenced::kKind,
                                                           &HostNotFenced::kKind,
                                                           &HostUnfenced::kKind,
                                                           &HostPower::kKind,
                                                           &HostIdentity::kKind,
                                                           &VmRestarted::kKind,
                                                           &VmNotRestarted::kKind,
                                                           &HostCleared::kKind,
                                                           &HostStatus::kKind,
                                                           &HostDrained::kKind,
                                                           &ClusterHealing::kKind,
                                                           &AuditRecord::kKind,
                                                           &AuditBegin::kKind,
                                                           &AuditClose::kKind,
                                                           &AuditCheckpoint::kKind,
                                                           &AuditRepaired::kKind,
                                                           &AuditRotated::kKind,
                                                           &AuditRedacted::kKind,
                                                           &AuditTruncated::kKind,
                                                           &AuditFinding::kKind,
                                                           &AuditVerified::kKind,
                                                           &AuditStep::kKind,
                                                           &AuditPart::kKind,
                                                           &Reservation::kKind,
                                                           &RequestRefused::kKind,
                                                           &PoolShare::kKind,
                                                           &Loan::kKind,
                                                           &ReclaimHit::kKind,
                                                           &CalendarRow::kKind,
                                                           &LedgerFault::kKind,
                                                           &LedgerCheck::kKind,
                                                           &ReservationApplied::kKind,
                                                           &Progress::kKind,
                                                           &RoundEnd::kKind,
                                                           &End::kKind});
  return kAll;
}

const Kind* find_kind(std::string_view name) {
  const auto all = kinds();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Kind* kind) { return kind->name == name; });
  return found == all.end() ? nullptr : *found;
}

}  // namespace rackline::record
