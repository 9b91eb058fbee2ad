// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "record/kinds_cluster.h"
#include "store/document.h"
#include "store/store.h"

namespace rackline::cluster {

// Healing is switched off for the whole cluster, while a person works on its network or its storage: fence
// switches nothing and failover starts nothing by itself. Set by failover disarm; what a person commands by
// name, such as fence --confirm-manual, is done all the same.
struct DisarmMark {
  std::string reason;
  std::chrono::sys_seconds time{};
  std::string by{};                                 // who set it; may be empty
  std::optional<std::chrono::sys_seconds> until{};  // it ends by itself then
  bool holds(std::chrono::sys_seconds now) const { return !until || now < *until; }
  static const store::Fields kFields;
};

// Throws BrokenMark (marks.h) for one that cannot be read, Error(kUnreachable) for a store that does not
// answer.
std::optional<DisarmMark> disarm_mark(store::Store& store);
void put(store::Store& store, const DisarmMark& mark);
// False when there was none. Takes also one away that cannot be read.
bool remove_disarm(store::Store& store);

record::ClusterHealing record_of(const DisarmMark& mark);
// The record of how it is, armed or disarmed.
record::ClusterHealing healing(store::Store& store, std::chrono::sys_seconds now);

// Why nothing may be switched or started by itself: "the cluster is disarmed since 2026-11-29T10:00:00Z (by
// ann) until 2026-11-29T12:00:00Z: new switches". Empty where it is armed. A mark that cannot be read
// disarms. Throws Error(kUnreachable) for a store that does not answer.
std::string disarmed(store::Store& store, std::chrono::sys_seconds now);

}  // namespace rackline::cluster
