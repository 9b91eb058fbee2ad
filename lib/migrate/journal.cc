// SPDX-License-Identifier: Apache-2.0
#include "migrate/journal.h"

#include "store/describe.h"

namespace rackline::migrate {
namespace {

using store::kLater;

}  // namespace

const store::Fields Medium::kFields{
    FIELD(Medium, target),
    FIELD(Medium, source),
    FIELD(Medium, live),
    FIELD(Medium, persistent),
};
const store::Fields DiskCopy::kFields{
    FIELD(DiskCopy, target),         FIELD(DiskCopy, path),
    FIELD(DiskCopy, format),         FIELD(DiskCopy, pool, store::kOmitted),
    FIELD(DiskCopy, capacity_bytes), FIELD(DiskCopy, allocation_bytes),
    FIELD(DiskCopy, made),
};
const store::Fields MoveIntent::kFields{
    FIELD_AT(MoveIntent, "vm", move.vm),
    FIELD_AT(MoveIntent, "from", move.from),
    FIELD_AT(MoveIntent, "to", move.to),
    FIELD_AT(MoveIntent, "uuid", move.uuid, kLater),
    FIELD_AT(MoveIntent, "domain_id", move.domain_id, kLater),
    FIELD_AT(MoveIntent, "cause", move.cause, kLater),
    FIELD_AT(MoveIntent, "stage", move.stage, kLater),
    FIELD_AT(MoveIntent, "memory_bytes", move.memory_bytes, kLater),
    FIELD(MoveIntent, live),
    FIELD(MoveIntent, autostart, kLater),
    FIELD(MoveIntent, ejected, store::kOmitted),
    FIELD(MoveIntent, copies, store::kOmitted),
};
const store::Fields MoveReport::kFields{
    FIELD(MoveReport, outcome, kLater, store::Words<act::kOutcomeWords>), FIELD(MoveReport, reason, kLater),
    FIELD(MoveReport, attempts, kLater), FIELD_AT(MoveReport, "elapsed_ms", elapsed, kLater)};

MoveIntent intent_of(const MoveJournal::Item& item) {
  MoveIntent intent = item.intent;
  intent.move.id = item.id;
  return intent;
}

bool was_done(const MoveJournal::Item& item) {
  return item.result && item.result->outcome == act::Outcome::kDone;
}

}  // namespace rackline::migrate
