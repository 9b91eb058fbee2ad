// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "record/kind.h"

namespace rackline::record {

// The records of the reservation ledger.
//
// Amounts are several at once (a claim takes CPU and memory together), and records are flat: `amounts` has
// them all as "name=number" in base units (cores, bytes, bits per second, pieces), never humanised, and the
// three that nearly every claim has stand beside it as numbers.

struct Amounts {
  Number cpu_cores;
  Integer memory_bytes, disk_bytes;
  List amounts;
};

// --- configuration: written by people and programs, carried out by "reserve claim -" ---

struct ReservationRequest : Head {
  Text id, cause;
  std::string pool, owner;
  Text amount;
  Number cpu_cores;
  Integer memory_bytes, disk_bytes;
  Text from, until;
  Integer duration_ms;
  Text every;
  Integer priority;
  List tags;
  Text vm, host, limit, headroom;
  Flag borrow, lendable, preempt;
  static const Kind kKind;
};

// --- results and facts: written by reserve ---

struct Reservation : Head, Amounts {
  std::string id;
  Text cause;
  std::string pool, owner, state;
  Text outcome;
  std::optional<Time> from, until;
  Text every, zone;
  Integer occurrences;
  std::int64_t priority = 0;
  Text vm, host;
  List hosts, tags, limits, borrowed;
  Flag lendable, planned;
  Text reason;
  static const Kind kKind;
};

struct RequestRefused : Head {
  Text id, cause;
  std::string request, constraint;
  Text pool, owner, resource, unit;
  Number requested, available, missing;
  std::optional<Time> conflict_at, fits_at;
  List held_by, waits_for, shortages;
  Flag planned;
  std::string reason;
  static const Kind kKind;
};

// One pool's part in one resource.
struct PoolShare : Head {
  std::string pool;
  Text parent, outcome;
  std::string resource, unit;
  double capacity = 0, overcommit_ratio = 1, size = 0;
  Number reserved, granted, borrowed, lent, free, lendable;
  Number limit, borrow_limit, never_lent, headroom;
  Integer shares;
  Flag expandable;
  List hosts;
  Flag planned;
  static const Kind kKind;
};

// What one pool has lent to another.
struct Loan : Head, Amounts {
  std::string id;
  Text cause;
  std::string lender, borrower;
  Text owner;
  std::string state;
  Text outcome;
  std::optional<Time> from, until;
  std::int64_t priority = 0;
  Text reservation;
  Flag planned;
  static const Kind kKind;
};

// Whom a reclaim hits.
struct ReclaimHit : Head, Amounts {
  std::string id;
  Text cause;
  std::string hit, lender, pool;
  Text owner;
  std::int64_t priority = 0;
  std::optional<Time> until_before, until;
  Flag planned;
  static const Kind kKind;
};

struct CalendarRow : Head {
  std::string pool;
  Text owner, id;
  List amounts;
  std::optional<Time> from;
  Integer step_ms;
  std::string chart;
  static const Kind kKind;
};

struct LedgerFault : Head {
  std::string fault, subject;
  Text resource;
  std::optional<Time> at;
  Number expected, found;
  std::string reason;
  static const Kind kKind;
};

struct LedgerCheck : Head {
  bool sound = true;
  std::int64_t pools = 0, reservations = 0, loans = 0, faults = 0;
  std::int64_t instants = 0;
  static const Kind kKind;
};

// One setting of a hypervisor that carries out what was granted.
struct ReservationApplied : Head {
  std::string id, vm;
  Text host;
  std::string setting, outcome;
  Text wanted, found, reason;
  Flag planned;
  static const Kind kKind;
};

}  // namespace rackline::record
