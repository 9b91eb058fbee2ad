// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_planning.h"

#include "record/describe.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

constexpr auto kConstraintText =
    "what stands in the way: memory, hugepages, vcpus, reservation, cpu_load, memory_load, spare, "
    "anti_affinity, affinity, spread, dependency, pin, exclude, arch, cpu_model, bound (its definition keeps "
    "it on its host), defined "
    "(the host has its name or UUID already), network, storage, drained or held (too little is known, or it "
    "has moved lately)";

constexpr Field kVmRequestFields[] = {
    HEAD(VmRequest),
    FIELD(VmRequest, vm, "name of the virtual server that is to be placed", "VM"),
    FIELD(VmRequest, memory_bytes, "its memory", "MEMORY"),
    FIELD(VmRequest, vcpus, "its virtual CPUs; null: 1", "VCPUS"),
    FIELD(VmRequest, cpu_cores, "CPUs that it is expected to keep busy; null: all of its virtual CPUs",
          "CPU"),
    FIELD(VmRequest, anti_affinity, "group of which no two may share a host", "GROUP"),
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

constexpr Field kHostFreedFields[] = {
    HEAD(HostFreed),
    FIELD(HostFreed, cause, "the incident that the plan belongs to", {}, kOmitted),
    FIELD(HostFreed, host, "host that can be switched off", "HOST"),
    FIELD(HostFreed, moves, "virtual servers that leave it for that", "MOVES"),
    FIELD(HostFreed, after_stage, "it is empty when this stage is done; null: it is empty now", "STAGE"),
    FIELD(HostFreed, reason, "why this one", "REASON"),
};

constexpr Field kServiceGroupFields[] = {
    HEAD(ServiceGroup),
    FIELD(ServiceGroup, group, "its turn, from 1: the groups before it are back in service by then", "GROUP"),
    FIELD(ServiceGroup, hosts, "hosts that can be out of service at the same time", "HOSTS"),
    FIELD(ServiceGroup, vms, "virtual servers that have to leave them", "VMS"),
    FIELD(ServiceGroup, memory_bytes, "their memory", "MEMORY"),
    FIELD(ServiceGroup, reason, "why the next host is not in it as well", "REASON"),
};

constexpr Field kHostUnserviceableFields[] = {
    HEAD(HostUnserviceable),
    FIELD(HostUnserviceable, host, "host that cannot be emptied, not even alone", "HOST"),
    FIELD(HostUnserviceable, vm, "the virtual server that cannot leave", "VM"),
    FIELD(HostUnserviceable, constraint, kConstraintText),
    FIELD(HostUnserviceable, reason, "why", "REASON"),
};

constexpr Field kHeadroomFields[] = {
    HEAD(Headroom),
    FIELD(Headroom, vm, "the vm_request that the size is from; null: the command line, or the usual size", {},
          kOmitted),
    FIELD(Headroom, fits, "how many more there is room for, as things are", "FITS"),
    FIELD(Headroom, memory_bytes, "memory of each", "MEMORY"),
    FIELD(Headroom, vcpus, "virtual CPUs of each", "VCPUS"),
    FIELD(Headroom, cpu_cores, "CPUs that each keeps busy; null: not asked about", "CPU"),
    FIELD(Headroom, spare, "true: with room left for the virtual servers of any one host that fails", "N+1"),
    FIELD(Headroom, constraint, kConstraintText),
    FIELD(Headroom, reason, "what blocks the next one", "REASON"),
};

constexpr Field kHostRoomFields[] = {
    HEAD(HostRoom),
    FIELD(HostRoom, host, "name of the host", "HOST"),
    FIELD(HostRoom, fits, "how many of them it would take", "FITS"),
    FIELD(HostRoom, memory_free_bytes, "memory that is not promised, before", "FREE"),
    FIELD(HostRoom, vcpus_free, "virtual CPUs that may still be promised, before", "VCPUS"),
    FIELD(HostRoom, constraint, kConstraintText),
    FIELD(HostRoom, reason, "why no more", "REASON"),
};

constexpr Field kExplanationFields[] = {
    HEAD(Explanation),
    FIELD(Explanation, vm, "the virtual server that it is about; null: the host itself", "VM"),
    FIELD(Explanation, host, "host that it is on, or that it is about", "HOST"),
    FIELD(Explanation, target, "the other host; null: the answer as a whole", "TARGET"),
    FIELD(
        Explanation, answer,
        "moves or comes: by the plan of balance; stays; forbidden: see constraint; no_gain: the score would "
        "not get better by enough; not_needed: it would, but nothing calls for a plan; not_best: another "
        "host gains more; later: left for another plan; of a host: gives, takes, gives_and_takes, "
        "unchanged or left_out",
        "ANSWER"),
    FIELD(Explanation, constraint, kConstraintText, {}, kOmitted),
    FIELD(Explanation, score_before, "score without the move, 0 is perfect"),
    FIELD(Explanation, score_after, "score with it"),
    FIELD(Explanation, gain, "by how much the move would lower the score", "GAIN"),
    FIELD(Explanation, gain_needed, "by how much it has to", "NEEDED"),
    FIELD(Explanation, reason, "the same for a person", "REASON"),
};

constexpr Field kPlanSummaryFields[] = {
    HEAD(PlanSummary),
    FIELD(PlanSummary, rounds, "rounds read"),
    FIELD(PlanSummary, moves, "moves decided; left out: none was asked for", "MOVES", kOmitted),
    FIELD(PlanSummary, score_before, "imbalance before the first plan, 0 is perfect", "BEFORE", kOmitted),
    FIELD(PlanSummary, score_after, "imbalance after the last", "AFTER", kOmitted),
    FIELD(PlanSummary, lower_bound, "no placement can score below this", "BOUND", kOmitted),
    FIELD(PlanSummary, bytes, "bytes of LUNs that the moves copy", "COPY", kSeldom),
    FIELD(PlanSummary, gain_per_tib, "by how much each TiB that is copied lowers the imbalance", "GAIN/TIB",
          kSeldom),
};

constexpr const Kind* kWritten[] = {&VmRequest::kKind};
constexpr const Kind* kDecided[] = {&VmPlace::kKind,           &VmUnplaced::kKind, &NoBeneficialMove::kKind,
                                    &BalanceCheck::kKind,      &HostFreed::kKind,  &ServiceGroup::kKind,
                                    &HostUnserviceable::kKind, &Headroom::kKind,   &HostRoom::kKind,
                                    &Explanation::kKind};
constexpr const Kind* kStream[] = {&PlanSummary::kKind};

}  // namespace

const Kind VmRequest::kKind{"vm_request", Role::kConfiguration, "A virtual server that wants a place.",
                            "people",     "capplan place",      kVmRequestFields};
const Kind VmPlace::kKind{"vm_place",      Role::kDecision, "Run a requested virtual server on this host.",
                          "capplan place", "people",        kVmPlaceFields};
const Kind VmUnplaced::kKind{"vm_unplaced", Role::kFact, "There is no host for a virtual server, and why.",
                             "capplan",     "people",    kVmUnplacedFields};
const Kind NoBeneficialMove::kKind{
    "no_beneficial_move",  Role::kFact, "Nothing is worth moving: the answer of a planner that has no plan.",
    "capplan, lunbalance", "people",    kNoBeneficialMoveFields};
const Kind BalanceCheck::kKind{"balance_check", Role::kFact, "Whether a cluster needs balancing.",
                               "capplan check", "people",    kBalanceCheckFields};
const Kind HostFreed::kKind{"host_freed",   Role::kFact, "A host that a plan leaves empty.",
                            "capplan pack", "people",    kHostFreedFields};
const Kind ServiceGroup::kKind{"service_group",
                               Role::kFact,
                               "Hosts whose virtual servers all find a place elsewhere at the same time.",
                               "capplan rolling",
                               "people",
                               kServiceGroupFields};
const Kind HostUnserviceable::kKind{
    "host_unserviceable", Role::kFact, "A host that cannot be taken out of service, and why.",
    "capplan rolling",    "people",    kHostUnserviceableFields};
const Kind Headroom::kKind{
    "headroom",         Role::kFact, "How many more virtual servers of a size there is room for.",
    "capplan headroom", "people",    kHeadroomFields};
const Kind HostRoom::kKind{"host_room",        Role::kFact, "What a host gives of a headroom.",
                           "capplan headroom", "people",    kHostRoomFields};
const Kind Explanation::kKind{
    "explanation",     Role::kFact, "Why a virtual server goes to a host, or why it does not.",
    "capplan explain", "people",    kExplanationFields};
const Kind PlanSummary::kKind{"plan_summary",        Role::kSummary, "What the plans of a run come to.",
                              "capplan, lunbalance", "people",       kPlanSummaryFields};

const Subject kPlanningKinds{.written = kWritten, .decided = kDecided, .stream = kStream};

}  // namespace rackline::record
