// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_balancing.h"

#include "record/describe.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

constexpr auto kConstraintText =
    "what stands in the way: space, promise (sizes of thin LUNs), load, tier, block, encryption, pin, "
    "exclude, "
    "anti_affinity, affinity, spread, moves (so many moves a day), returned (it came from there), drained or "
    "held (too little is known, or it must not move)";

constexpr Field kLunRequestFields[] = {
    HEAD(LunRequest),
    FIELD(LunRequest, lun, "name of the LUN that is to be placed", "LUN"),
    FIELD(LunRequest, size_bytes, "its size", "SIZE"),
    FIELD(LunRequest, tier, "the tier that it has to be in; left out: any", "TIER", kOmitted),
    FIELD(LunRequest, allocated_bytes, "what it will soon occupy; left out: all of its size", {}, kOmitted),
    FIELD(LunRequest, block_bytes, "its block; left out: whatever the array has", {}, kOmitted),
    FIELD(LunRequest, iops, "commands a second that are expected", "IOPS", kOmitted),
    FIELD(LunRequest, bytes_per_second, "bytes a second that are expected", "BYTES/S", kOmitted),
    FIELD(LunRequest, encrypted, "true: only on an array that encrypts", {}, kOmitted),
};

constexpr Field kLunMoveFields[] = {
    HEAD(LunMove),
    FIELD(LunMove, id, "name of the decision, derived from its facts; a person need not give it one", {},
          kPreset),
    FIELD(LunMove, cause, "the incident that the decision belongs to", {}, kOmitted),
    FIELD(LunMove, stage, "a stage starts when the one before it is done", "STAGE", kPreset),
    FIELD(LunMove, lun, "LUN that is to move", "LUN"),
    FIELD(LunMove, iqn, "name of its target"),
    FIELD(LunMove, lun_number, "its number there"),
    FIELD(LunMove, serial, "its serial number"),
    FIELD(LunMove, from, "source array", "FROM"),
    FIELD(LunMove, to, "target array", "TO"),
    FIELD(LunMove, size_bytes, "its size", "SIZE"),
    FIELD(LunMove, allocated_bytes, "what of that is to be copied", "COPY"),
    FIELD(LunMove, in_use, "yes, no or unknown, which is to be taken for yes, when the plan was made"),
    FIELD(LunMove, way, "copy: proven unused; transit: its consumer goes on meanwhile", "WAY"),
    FIELD(LunMove, reason, "why, for a person", "REASON", kPreset),
    FIELD(LunMove, expires, "from then on the plan is too old to be carried out"),
    FIELD(LunMove, latency_before_ms, "time for which a command waits on the source, as learnt", "MS"),
    FIELD(LunMove, latency_after_ms, "the same on the target when the plan is done", "THEN"),
    FIELD(LunMove, score_before, "imbalance before this move, 0 is perfect", "BEFORE"),
    FIELD(LunMove, score_after, "imbalance after it", "AFTER"),
};

constexpr Field kLunMovedFields[] = {
    HEAD(LunMoved),
    FIELD(LunMoved, id, "the decision that this answers"),
    FIELD(LunMoved, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(LunMoved, lun, "the LUN", "LUN"),
    FIELD(LunMoved, iqn, "name of its target"),
    FIELD(LunMoved, lun_number, "its number there"),
    FIELD(LunMoved, serial, "its serial number"),
    FIELD(LunMoved, from, "source array", "FROM"),
    FIELD(LunMoved, to, "target array", "TO"),
    FIELD(LunMoved, outcome,
          "done; planned: a dry run would do it; already: it was there; refused: a precondition does not "
          "hold; failed; cancelled; unknown: not to be learnt now",
          "OUTCOME"),
    FIELD(LunMoved, reason, "why it is not done", "REASON"),
    FIELD(LunMoved, planned, "true: a dry run, nothing was touched", {}, kOmitted),
    FIELD(LunMoved, way, "how it was moved", "WAY", kOmitted),
};

constexpr Field kLunPlaceFields[] = {
    HEAD(LunPlace),
    FIELD(LunPlace, id, "name of the decision, derived from its facts"),
    FIELD(LunPlace, lun, "LUN that was asked for", "LUN"),
    FIELD(LunPlace, array, "array that should have it", "ARRAY"),
    FIELD(LunPlace, size_bytes, "its size", "SIZE"),
    FIELD(LunPlace, reason, "why there", "REASON"),
};

constexpr Field kLunUnplacedFields[] = {
    HEAD(LunUnplaced),
    FIELD(LunUnplaced, lun, "LUN for which there is no array", "LUN"),
    FIELD(LunUnplaced, array, "array that it is on", "ARRAY"),
    FIELD(LunUnplaced, reason, "what forbids each array", "REASON"),
};

constexpr Field kLunHeadroomFields[] = {
    HEAD(LunHeadroom),
    FIELD(LunHeadroom, lun,
          "the lun_request that the size is from; null: the command line, or the usual size", {}, kOmitted),
    FIELD(LunHeadroom, fits, "how many more there is room for, as things are", "FITS"),
    FIELD(LunHeadroom, size_bytes, "size of each", "SIZE"),
    FIELD(LunHeadroom, tier, "the tier that was asked about; null: all", "TIER"),
    FIELD(LunHeadroom, constraint, kConstraintText),
    FIELD(LunHeadroom, reason, "what blocks the next one", "REASON"),
};

constexpr Field kArrayRoomFields[] = {
    HEAD(ArrayRoom),
    FIELD(ArrayRoom, array, "name of the array", "ARRAY"),
    FIELD(ArrayRoom, fits, "how many of them it would take", "FITS"),
    FIELD(ArrayRoom, free_bytes, "room below its threshold, growth left out, before", "FREE"),
    FIELD(ArrayRoom, constraint, kConstraintText),
    FIELD(ArrayRoom, reason, "why no more", "REASON"),
};

constexpr Field kStorageCheckFields[] = {
    HEAD(StorageCheck),
    FIELD(StorageCheck, balanced, "true: nothing needs to move", "BALANCED"),
    FIELD(StorageCheck, score, "imbalance, 0 is perfect", "SCORE"),
    FIELD(StorageCheck, lower_bound, "no placement can score below this", "BOUND"),
    FIELD(StorageCheck, arrays, "arrays in the last round", "ARRAYS"),
    FIELD(StorageCheck, luns, "LUNs in the last round", "LUNS"),
    FIELD(StorageCheck, arrays_over, "arrays above a threshold", "OVER"),
    FIELD(StorageCheck, reason, "what needs balancing", "REASON"),
};

constexpr Field kLunExplanationFields[] = {
    HEAD(LunExplanation),
    FIELD(LunExplanation, lun, "the LUN that it is about; null: the array itself", "LUN"),
    FIELD(LunExplanation, array, "array that it is on, or that it is about", "ARRAY"),
    FIELD(LunExplanation, target, "the other array; null: the answer as a whole", "TARGET"),
    FIELD(
        LunExplanation, answer,
        "moves or comes: by the plan of balance; stays; forbidden: see constraint; no_gain: the score would "
        "not get better by enough; not_needed: it would, but nothing calls for a plan; not_best: another "
        "array gains more; of an array: gives, takes, gives_and_takes, unchanged or left_out",
        "ANSWER"),
    FIELD(LunExplanation, constraint, kConstraintText, {}, kOmitted),
    FIELD(LunExplanation, gain, "by how much the move would lower the score", "GAIN"),
    FIELD(LunExplanation, gain_needed, "by how much it has to: what its bytes cost", "NEEDED"),
    FIELD(LunExplanation, reason, "the same for a person", "REASON"),
};

constexpr Field kArrayModelFields[] = {
    HEAD(ArrayModel),
    FIELD(ArrayModel, array, "name of the array", "ARRAY"),
    FIELD(ArrayModel, latency_ms, "time for which a command waits when no other does; null: not learnt",
          "MS"),
    FIELD(ArrayModel, latency_per_command_ms, "by how much each that is outstanding delays it", "MS/COMMAND"),
    FIELD(ArrayModel, knee, "outstanding commands at which the load reaches its threshold", "KNEE"),
    FIELD(ArrayModel, spread_percent, "how far samples are from the line, of the latency", "SPREAD%"),
    FIELD(ArrayModel, load_at_knee, "commands a second at the knee, 128 KiB counting as one more", "LOAD"),
    FIELD(ArrayModel, samples, "samples that it rests on", "SAMPLES"),
    FIELD(ArrayModel, reason, "why there is none, or what it says", "REASON"),
};

constexpr const Kind* kWritten[] = {&LunRequest::kKind};
constexpr const Kind* kDecided[] = {&LunMove::kKind,     &LunPlace::kKind,      &LunUnplaced::kKind,
                                    &LunHeadroom::kKind, &ArrayRoom::kKind,     &StorageCheck::kKind,
                                    &ArrayModel::kKind,  &LunExplanation::kKind};
constexpr const Kind* kDone[] = {&LunMoved::kKind};

}  // namespace

const Kind LunRequest::kKind{"lun_request", Role::kConfiguration, "A LUN that wants a place.",
                             "people",      "lunbalance place",   kLunRequestFields};
const Kind LunMove::kKind{"lun_move",   Role::kDecision, "Move this LUN to another array.",
                          "lunbalance", "people",        kLunMoveFields};
const Kind LunMoved::kKind{"lun_moved",         Role::kResult,          "What became of a lun_move.",
                           "who moves the LUN", "lunbalance --history", kLunMovedFields};
const Kind LunPlace::kKind{"lun_place",        Role::kDecision, "Make a requested LUN on this array.",
                           "lunbalance place", "people",        kLunPlaceFields};
const Kind LunUnplaced::kKind{"lun_unplaced", Role::kFact, "There is no array for a LUN, and why.",
                              "lunbalance",   "people",    kLunUnplacedFields};
const Kind LunHeadroom::kKind{
    "lun_headroom",        Role::kFact, "How many more LUNs of a size there is room for.",
    "lunbalance headroom", "people",    kLunHeadroomFields};
const Kind ArrayRoom::kKind{"array_room",          Role::kFact, "What an array gives of a lun_headroom.",
                            "lunbalance headroom", "people",    kArrayRoomFields};
const Kind StorageCheck::kKind{"storage_check",    Role::kFact, "Whether storage needs balancing.",
                               "lunbalance check", "people",    kStorageCheckFields};
const Kind LunExplanation::kKind{
    "lun_explanation",    Role::kFact, "Why a LUN goes to an array, or why it does not.",
    "lunbalance explain", "people",    kLunExplanationFields};
const Kind ArrayModel::kKind{
    "array_model",        Role::kFact, "How the latency of an array follows its load.",
    "lunbalance explain", "people",    kArrayModelFields};

const Subject kBalancingKinds{.written = kWritten, .decided = kDecided, .done = kDone};

}  // namespace rackline::record
