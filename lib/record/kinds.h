// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "record/kind.h"

namespace rackline::record {

// The kinds of one subject, by the chapters of rackline-records(5). The structs stand in kinds_SUBJECT.h and
// what each field means in kinds_SUBJECT.cc. Fields and kinds are only ever added, and an added field is a
// std::optional, so that yesterday's records stay readable; a breaking change gets a new kind.
struct Subject {
  using Kinds = std::span<const Kind* const>;
  Kinds written = {};  // by people
  Kinds seen = {};     // by observers
  Kinds decided = {};  // by deciders, with what they found out
  Kinds done = {};     // by actors and keepers
  Kinds stream = {};   // about the stream itself
};

extern const Subject kInventoryKinds, kCapacityKinds, kStorageKinds, kMigrationKinds, kHeartbeatKinds,
    kFenceKinds, kFailoverKinds, kPlanningKinds, kBalancingKinds, kClusterKinds, kAuditKinds, kReserveKinds,
    kStreamKinds;

// Every kind there is, in the order of rackline-records(5).
std::span<const Kind* const> kinds();
// nullptr when there is no such kind.
const Kind* find_kind(std::string_view name);

}  // namespace rackline::record
