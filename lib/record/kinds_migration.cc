// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_migration.h"

#include "record/describe.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

constexpr Field kVmMoveFields[] = {
    HEAD(VmMove),
    FIELD(VmMove, id, "name of the decision, derived from its facts; a person need not give it one", {},
          kPreset),
    FIELD(VmMove, cause, "the incident that the decision belongs to", {}, kOmitted),
    FIELD(VmMove, stage, "a stage starts when the one before it is done", "STAGE", kPreset),
    FIELD(VmMove, vm, "virtual server that is to move", "VM"),
    FIELD(VmMove, uuid, "its UUID"),
    FIELD(VmMove, domain_id,
          "its incarnation on the source when the plan was made; null: it was not running"),
    FIELD(VmMove, from, "source host", "FROM"),
    FIELD(VmMove, to, "target host", "TO"),
    FIELD(VmMove, memory_bytes, "memory that it takes on both hosts during the move", "MEMORY"),
    FIELD(VmMove, reason, "why, for a person", "REASON", kPreset),
    FIELD(VmMove, score_before, "imbalance before this move, 0 is perfect", "BEFORE"),
    FIELD(VmMove, score_after, "imbalance after it", "AFTER"),
};

constexpr Field kVmMovedFields[] = {
    HEAD(VmMoved),
    FIELD(VmMoved, id, "the decision that this answers"),
    FIELD(VmMoved, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(VmMoved, vm, "virtual server", "VM"),
    FIELD(VmMoved, uuid, "its UUID, where it is known", {}, kOmitted),
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
    FIELD(VmMoved, memory_bytes, "its memory", "MEMORY"),
    FIELD(VmMoved, transferred_bytes, "sent over the network", "SENT"),
    FIELD(VmMoved, iterations, "passes over the guest's memory"),
    FIELD(VmMoved, ejected, "media that were taken out of its CD-ROM drives and stay on the source",
          "EJECTED", kOmitted),
    FIELD(
        VmMoved, copied,
        "images of its disks of which a copy went along; they stay on the source until somebody removes them",
        "COPIED", kOmitted),
    FIELD(VmMoved, copied_bytes, "sent of these disks, a part of transferred_bytes", {}, kOmitted),
};

constexpr Field kMoveSummaryFields[] = {
    HEAD(MoveSummary),
    FIELD(MoveSummary, moves, "moves asked for"),
    FIELD(MoveSummary, unknown,
          "those of which it is not to be learnt what became; end counts them as failed", "UNKNOWN",
          kOmitted),
};

constexpr const Kind* kDecided[] = {&VmMove::kKind};
constexpr const Kind* kDone[] = {&VmMoved::kKind};
constexpr const Kind* kStream[] = {&MoveSummary::kKind};

}  // namespace

const Kind VmMove::kKind{"vm_move", Role::kDecision, "Move a virtual server to another host.",
                         "capplan", "migrate",       kVmMoveFields};
const Kind VmMoved::kKind{
    "vm_moved",    Role::kResult, "What became of a vm_move.", "migrate", "capplan --history, audit",
    kVmMovedFields};
const Kind MoveSummary::kKind{"move_summary", Role::kSummary, "What migrate has counted beside its end.",
                              "migrate",      "people",       kMoveSummaryFields};

const Subject kMigrationKinds{.decided = kDecided, .done = kDone, .stream = kStream};

}  // namespace rackline::record
