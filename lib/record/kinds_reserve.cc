// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_reserve.h"

#include "record/describe.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

#define AMOUNTS(K)                                                                                        \
  FIELD(K, cpu_cores, "CPUs of it; null: none"), FIELD(K, memory_bytes, "memory of it; null: none"),      \
      FIELD(K, disk_bytes, "disk space of it; null: none", {}, kOmitted),                                 \
      FIELD(K, amounts,                                                                                   \
            "all of it, \"cpu=4\" or \"lun=1099511627776\": in cores, bytes, bits per second, or pieces", \
            "AMOUNTS")

constexpr Field kReservationRequestFields[] = {
    HEAD(ReservationRequest),
    FIELD(ReservationRequest, id, "name to be given to it: a repeated request of that id is granted once",
          "ID"),
    FIELD(ReservationRequest, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(ReservationRequest, pool, "pool that it is claimed from", "POOL"),
    FIELD(ReservationRequest, owner, "for whom", "OWNER"),
    FIELD(ReservationRequest, amount, "as on the command line: \"cpu=4,memory=16GiB\"", "AMOUNT"),
    FIELD(ReservationRequest, cpu_cores, "CPUs, beside amount", {}, kOmitted),
    FIELD(ReservationRequest, memory_bytes, "memory, beside amount", {}, kOmitted),
    FIELD(ReservationRequest, disk_bytes, "disk space, beside amount", {}, kOmitted),
    FIELD(ReservationRequest, from,
          "when it begins, as on the command line: \"2026-11-22T12:00:00Z\", \"tomorrow 08:00\"; null: now",
          "FROM"),
    FIELD(ReservationRequest, until,
          "when it ends, as on the command line; null: never, or after duration_ms", "UNTIL"),
    FIELD(ReservationRequest, duration_ms, "how long it lasts, instead of until", {}, kOmitted),
    FIELD(ReservationRequest, every, "when it recurs: \"weekdays 8-18\"", {}, kOmitted),
    FIELD(ReservationRequest, priority, "who is taken back from last when a lender reclaims; null: 0", {},
          kOmitted),
    FIELD(ReservationRequest, tags, "words to find it by", {}, kOmitted),
    FIELD(ReservationRequest, vm, "virtual server that it is for", {}, kOmitted),
    FIELD(ReservationRequest, host, "host that it is held on", {}, kOmitted),
    FIELD(ReservationRequest, limit, "most that the virtual server may use: \"cpu=8\"", {}, kOmitted),
    FIELD(ReservationRequest, headroom, "what must stay free after it: N+1, or amounts", {}, kOmitted),
    FIELD(ReservationRequest, borrow, "true: what the pool lacks may be borrowed", {}, kOmitted),
    FIELD(ReservationRequest, lendable, "true: a failover may use it while its owner does not", {}, kOmitted),
    FIELD(ReservationRequest, preempt, "true: what has a lower priority in the pool ends if there is no room",
          {}, kOmitted),
};

constexpr Field kReservationFields[] = {
    HEAD(Reservation),
    FIELD(Reservation, id, "its name, for release and extend", "ID"),
    FIELD(Reservation, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(Reservation, pool, "pool that it was granted from", "POOL"),
    FIELD(Reservation, owner, "for whom", "OWNER"),
    FIELD(Reservation, state,
          "pending: it begins later; active; idle: between two of its times; ended; released: before its "
          "time; reclaimed: a lender took its own back; changed: it holds other amounts since; "
          "preempted: one of higher priority took its place",
          "STATE"),
    FIELD(Reservation, outcome,
          "granted, extended, changed, released, or already: it was so before; left out where it is listed",
          "OUTCOME", kSeldom),
    FIELD(Reservation, from, "when it begins", "FROM"),
    FIELD(Reservation, until, "when it ends; null: it does not", "UNTIL"),
    FIELD(Reservation, every, "when it recurs", "EVERY", kSeldom),
    FIELD(Reservation, zone, "whose clocks that goes by: \"Europe/Berlin\"", {}, kOmitted),
    FIELD(Reservation, occurrences, "how many times that is", {}, kOmitted),
    FIELD(Reservation, priority, "who is taken back from last when a lender reclaims", "PRIO"),
    AMOUNTS(Reservation),
    FIELD(Reservation, vm, "virtual server that it is for: its use counts as this reservation's", "VM",
          kSeldom),
    FIELD(Reservation, host, "host that it is held on: a plan leaves so much of it alone", "HOST", kSeldom),
    FIELD(Reservation, hosts, "hosts of its pool: it is held on any of them", {}, kOmitted),
    FIELD(Reservation, tags, "words to find it by", {}, kOmitted),
    FIELD(Reservation, limits, "most that the virtual server may use, as amounts", {}, kOmitted),
    FIELD(Reservation, borrowed,
          "what of it is borrowed: \"cpu=2 from web\"; where it is listed, the ids of the loans", "BORROWED",
          kSeldom),
    FIELD(Reservation, lendable, "true: a failover may use it while its owner does not", {}, kOmitted),
    FIELD(Reservation, planned, "true: nothing was changed", "PLANNED", kSeldom),
    FIELD(Reservation, reason, "what its local times were taken for, where the clocks change", {}, kOmitted),
};

constexpr Field kRequestRefusedFields[] = {
    HEAD(RequestRefused),
    FIELD(RequestRefused, id, "name of what was asked for, or asked about", "ID"),
    FIELD(RequestRefused, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(RequestRefused, request, "claim, extend, change, release, borrow, reclaim or pool", "REQUEST"),
    FIELD(RequestRefused, constraint,
          "capacity: the pool has too little; limit, borrow_limit, never_lent or headroom: a rule of a pool; "
          "lent: a lender has to reclaim first; borrowed: a pool that borrows lends nothing; below_grants: "
          "more is granted than would be left; unknown_pool, unknown_resource, unknown_id; ended: it is "
          "over; cycle; "
          "other_tree; "
          "not_empty; duplicate; in_use: what is borrowed is granted; invalid: the request cannot be "
          "understood; batch: another request of the batch was refused",
          "CONSTRAINT"),
    FIELD(RequestRefused, pool, "pool where it does not hold", "POOL"),
    FIELD(RequestRefused, owner, "who asked", "OWNER"),
    FIELD(RequestRefused, resource, "what there is too little of; if it is several, the first of them",
          "RESOURCE"),
    FIELD(RequestRefused, unit, "cores, bytes, bits_per_second or pieces: of the numbers", {}, kOmitted),
    FIELD(RequestRefused, requested, "how much was asked for", "REQUESTED"),
    FIELD(RequestRefused, available, "how much could be had", "AVAILABLE"),
    FIELD(RequestRefused, missing, "how much is missing", "MISSING"),
    FIELD(RequestRefused, conflict_at,
          "when most is missing: what is available and who holds it is of this time", {}, kOmitted),
    FIELD(RequestRefused, fits_at, "when it would fit for as long as was asked; null: never as things are",
          "FITS_AT"),
    FIELD(RequestRefused, held_by, "who holds it then: \"cpu=32 web 5e1f\", the largest first", "HELD_BY",
          kOmitted),
    FIELD(RequestRefused, waits_for, "who of them holds it until fits_at", {}, kOmitted),
    FIELD(RequestRefused, shortages, "all that there is too little of, and how much is missing: \"cpu=10\"",
          {}, kOmitted),
    FIELD(RequestRefused, planned, "true: nothing would have been changed", "PLANNED", kSeldom),
    FIELD(RequestRefused, reason, "why, for a person"),
};

constexpr Field kPoolShareFields[] = {
    HEAD(PoolShare),
    FIELD(PoolShare, pool, "name of the pool", "POOL"),
    FIELD(PoolShare, parent, "pool that it is a part of; null: it is a root", "PARENT"),
    FIELD(PoolShare, outcome, "added, changed, removed or already; left out where it is listed", "OUTCOME",
          kSeldom),
    FIELD(PoolShare, resource, "cpu, memory, disk, lun, network, or any other name", "RESOURCE"),
    FIELD(PoolShare, unit, "cores, bytes, bits_per_second or pieces: of all numbers", "UNIT"),
    FIELD(PoolShare, capacity, "what a root has; of its parent, what a child is guaranteed", "CAPACITY"),
    FIELD(PoolShare, overcommit_ratio, "how many times that may be granted", "RATIO"),
    FIELD(PoolShare, size, "capacity times overcommit: what may be granted", "SIZE"),
    FIELD(PoolShare, reserved, "what of it its children are guaranteed", "RESERVED"),
    FIELD(PoolShare, granted, "what of it is claimed now, children not counted", "GRANTED"),
    FIELD(PoolShare, borrowed, "what it has from other pools now", "BORROWED"),
    FIELD(PoolShare, lent, "what other pools have of it now", "LENT"),
    FIELD(PoolShare, free, "what could be claimed now", "FREE"),
    FIELD(PoolShare, lendable, "what others could borrow now"),
    FIELD(PoolShare, limit, "most that it may have, with what is borrowed", "LIMIT", kOmitted),
    FIELD(PoolShare, borrow_limit, "most that it may borrow", {}, kOmitted),
    FIELD(PoolShare, never_lent, "part of its size that others never get", {}, kOmitted),
    FIELD(PoolShare, headroom, "what every claim has to leave free", {}, kOmitted),
    FIELD(PoolShare, shares, "its weight against its siblings where more is wanted than there is", {},
          kOmitted),
    FIELD(PoolShare, expandable, "true: claims take what its parent has not given away, up to the limit", {},
          kOmitted),
    FIELD(PoolShare, hosts, "hosts that it is made of", {}, kOmitted),
    FIELD(PoolShare, planned, "true: nothing was changed", "PLANNED", kSeldom),
};

constexpr Field kLoanFields[] = {
    HEAD(Loan),
    FIELD(Loan, id, "its name, for release", "ID"),
    FIELD(Loan, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(Loan, lender, "pool that it belongs to", "LENDER"),
    FIELD(Loan, borrower, "pool that has it", "BORROWER"),
    FIELD(Loan, owner, "who asked for it", "OWNER"),
    FIELD(Loan, state,
          "pending, active, idle, ended, released or reclaimed; changed or preempted with its reservation",
          "STATE"),
    FIELD(Loan, outcome, "granted, released, or already; left out where it is listed", "OUTCOME", kSeldom),
    FIELD(Loan, from, "when it begins", "FROM"),
    FIELD(Loan, until, "when it ends; null: when the lender reclaims it", "UNTIL"),
    FIELD(Loan, priority, "which is taken back last", "PRIO"),
    AMOUNTS(Loan),
    FIELD(Loan, reservation, "the reservation that it was borrowed for, and ends with", "RESERVATION",
          kOmitted),
    FIELD(Loan, planned, "true: nothing was changed", "PLANNED", kSeldom),
};

constexpr Field kReclaimHitFields[] = {
    HEAD(ReclaimHit),
    FIELD(ReclaimHit, id, "the loan or the reservation", "ID"),
    FIELD(ReclaimHit, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(ReclaimHit, hit, "loan: it goes back; reservation: it ends, because its pool has no more room",
          "HIT"),
    FIELD(ReclaimHit, lender, "pool that takes its own back; for a claim with preempt, its own pool",
          "LENDER"),
    FIELD(ReclaimHit, pool, "pool that loses it", "POOL"),
    FIELD(ReclaimHit, owner, "who loses it", "OWNER"),
    FIELD(ReclaimHit, priority, "the lowest are hit first", "PRIO"),
    AMOUNTS(ReclaimHit),
    FIELD(ReclaimHit, until_before, "when it would have ended; null: never", "UNTIL_BEFORE"),
    FIELD(ReclaimHit, until, "when it ends now", "UNTIL"),
    FIELD(ReclaimHit, planned, "true: nothing was changed", "PLANNED", kSeldom),
};

constexpr Field kCalendarRowFields[] = {
    HEAD(CalendarRow),
    FIELD(CalendarRow, pool, "name of the pool", "POOL"),
    FIELD(CalendarRow, owner, "for whom; null: a row for the whole pool, or the scale", "OWNER"),
    FIELD(CalendarRow, id, "the reservation", "ID"),
    FIELD(CalendarRow, amounts, "how much", "AMOUNT"),
    FIELD(CalendarRow, from, "when its first character begins"),
    FIELD(CalendarRow, step_ms, "how long a character is"),
    FIELD(CalendarRow, chart,
          "one character for each part of the time: # held, . not; of a pool, how many tenths of it",
          "CHART"),
};

constexpr Field kLedgerFaultFields[] = {
    HEAD(LedgerFault),
    FIELD(LedgerFault, fault, "over_granted, profile, index, loan, tree or unreadable: what does not hold",
          "FAULT"),
    FIELD(LedgerFault, subject, "pool, reservation, loan or key that it is about", "SUBJECT"),
    FIELD(LedgerFault, resource, "resource that it is about", "RESOURCE"),
    FIELD(LedgerFault, at, "when", "AT"),
    FIELD(LedgerFault, expected, "what follows from the reservations and loans", "EXPECTED"),
    FIELD(LedgerFault, found, "what the ledger says", "FOUND"),
    FIELD(LedgerFault, reason, "in words", "REASON"),
};

constexpr Field kLedgerCheckFields[] = {
    HEAD(LedgerCheck),
    FIELD(LedgerCheck, sound, "true: everything holds", "SOUND"),
    FIELD(LedgerCheck, pools, "pools that were looked at", "POOLS"),
    FIELD(LedgerCheck, reservations, "reservations that were looked at", "RESERVATIONS"),
    FIELD(LedgerCheck, loans, "loans that were looked at", "LOANS"),
    FIELD(LedgerCheck, instants, "instants at which a pool's grants change, all of which were added up",
          "INSTANTS"),
    FIELD(LedgerCheck, faults, "what does not hold", "FAULTS"),
};

constexpr Field kReservationAppliedFields[] = {
    HEAD(ReservationApplied),
    FIELD(ReservationApplied, id, "the reservation", "ID"),
    FIELD(ReservationApplied, vm, "virtual server that it is for", "VM"),
    FIELD(ReservationApplied, host, "host that it runs on; null: on none", "HOST"),
    FIELD(ReservationApplied, setting,
          "cpu_shares, vcpu_quota, memory_guarantee, memory_limit, disk_iops, disk_bytes_per_second, "
          "network_average, or vm where none could be touched",
          "SETTING"),
    FIELD(
        ReservationApplied, outcome,
        "applied: it was set and read back; already; drift: it was not as applied, and is again; undone: as "
        "it was before; unsupported: the host offers no such setting; failed",
        "OUTCOME"),
    FIELD(ReservationApplied, wanted, "the value that follows from the reservation", "WANTED"),
    FIELD(ReservationApplied, found, "the value before; of a failure, what was read back", "FOUND"),
    FIELD(ReservationApplied, reason, "why it failed, or why it is not done", "REASON"),
    FIELD(ReservationApplied, planned, "true: nothing was changed", "PLANNED", kSeldom),
};

#undef AMOUNTS

constexpr const Kind* kWritten[] = {&ReservationRequest::kKind};
constexpr const Kind* kDone[] = {&Reservation::kKind, &RequestRefused::kKind, &PoolShare::kKind,
                                 &Loan::kKind,        &ReclaimHit::kKind,     &CalendarRow::kKind,
                                 &LedgerFault::kKind, &LedgerCheck::kKind,    &ReservationApplied::kKind};

}  // namespace

const Kind ReservationRequest::kKind{"reservation_request",
                                     Role::kConfiguration,
                                     "Somebody wants a part of a pool.",
                                     "people",
                                     "reserve claim -",
                                     kReservationRequestFields,
                                     true};
const Kind Reservation::kKind{"reservation",
                              Role::kResult,
                              "A part of a pool that is held for somebody.",
                              "reserve",
                              "capplan, failover, people",
                              kReservationFields};
const Kind RequestRefused::kKind{
    "request_refused", Role::kResult,   "What was asked of the reservation ledger cannot be had, and why.",
    "reserve",         "audit, people", kRequestRefusedFields};
const Kind PoolShare::kKind{"pool_share", Role::kFact, "A pool, as far as one of its resources goes.",
                            "reserve",    "people",    kPoolShareFields};
const Kind Loan::kKind{"loan",    Role::kResult, "A part of one pool that another one has for a time.",
                       "reserve", "people",      kLoanFields};
const Kind ReclaimHit::kKind{
    "reclaim_hit",
    Role::kResult,
    "Who loses something because a lender takes its own back, or a claim of higher priority needs it.",
    "reserve",
    "people",
    kReclaimHitFields};
const Kind CalendarRow::kKind{"calendar_row", Role::kFact, "Who holds what when, drawn.",
                              "reserve list", "people",    kCalendarRowFields};
const Kind LedgerFault::kKind{"ledger_fault",  Role::kFact, "What does not hold in the ledger.",
                              "reserve check", "people",    kLedgerFaultFields};
const Kind LedgerCheck::kKind{"ledger_check",  Role::kFact, "Whether everything holds in the ledger.",
                              "reserve check", "people",    kLedgerCheckFields};
const Kind ReservationApplied::kKind{
    "reservation_applied", Role::kResult,   "What a hypervisor was told because of a reservation.",
    "reserve apply",       "audit, people", kReservationAppliedFields};

const Subject kReserveKinds{.written = kWritten, .done = kDone};

}  // namespace rackline::record
