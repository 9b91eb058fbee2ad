// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"

namespace rackline::ha {

// What the programs of a cluster that heals itself leave each other in the store: two kinds of marks on
// hosts.

// Set by fence, before its host_fenced record is written, and taken away by failover clear alone. While a
// host has it, nothing may be started or placed there, and its virtual servers may be started elsewhere.
struct FenceMark {
  enum class State {
    kFenced,     // proven to be off
    kReturning,  // switched on again by fence unfence; what it still believes about its virtual servers is
                 // stale
  };
  std::string host;
  std::string id;     // of the host_fenced record
  std::string cause;  // the incident; may be empty
  std::string method;
  std::chrono::sys_seconds time{};
  State state = State::kFenced;
  std::int64_t version = 0;  // of the store's entry; 0: not stored yet
};

// All of these throw Error(kUnreachable) for a store that does not answer or a mark that cannot be read: a
// mark that cannot be read is never taken for none.
std::optional<FenceMark> fence_mark(store::Store& store, const std::string& host);
std::vector<FenceMark> fence_marks(store::Store& store);
// Durable when it returns. False when the mark was changed by somebody else since `mark.version` was read (0:
// when there is one by now); nothing is written then.
bool put(store::Store& store, const FenceMark& mark);
// Takes away exactly this mark; false when it is another one by now.
bool remove(store::Store& store, const FenceMark& mark);

// A host whose silence is planned: it is not declared dead, nothing is placed there, and no protected virtual
// server may be on it. Set by heartbeat maintenance.
struct MaintenanceMark {
  std::string host;
  std::string reason;
  std::chrono::sys_seconds time{};
};
std::optional<MaintenanceMark> maintenance_mark(store::Store& store, const std::string& host);
std::vector<MaintenanceMark> maintenance_marks(store::Store& store);
void put(store::Store& store, const MaintenanceMark& mark);
// False when there was none.
bool remove_maintenance(store::Store& store, const std::string& host);

}  // namespace rackline::ha
