// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "cluster/marks.h"
#include "record/kinds_inventory.h"

namespace rackline::cluster {

// What every program believes of a host: one state, made of all its marks, the gravest first. Nothing is
// placed on a host that does not serve.
enum class HostState {
  kServing,
  kDraining,     // it is being emptied
  kMaintenance,  // its silence is planned
  kFenced,       // proven to be off
  kReturning,    // switched on again, and not cleared yet
  kUnknown,      // a watcher says that it is not well, or a mark of it cannot be read
};
const char* name_of(HostState state);  // as in host_sample: "serving", "draining" ...

struct HostStatus {
  std::string host;
  HostState state = HostState::kServing;
  std::chrono::sys_seconds since{};                 // 0 where it serves
  std::string by, reason;                           // who says so, and why; may be empty
  std::optional<std::chrono::sys_seconds> until{};  // it serves again from then on
  std::string verdict{};                            // of heartbeat, where it is not well

  bool serves() const { return state == HostState::kServing; }
};

// The host's state at `now`. A mark that cannot be read makes it unknown, and so does one of heartbeat that
// is from the future by more than clocks differ. Throws Error(kUnreachable) for a store that does not answer.
HostStatus host_status(store::Store& store, const std::string& host, std::chrono::sys_seconds now);

// The same of a host of the inventory, which may say itself that the host is drained.
HostStatus host_status(store::Store& store, const record::Host& host, std::chrono::sys_seconds now);

// The same of all hosts that do not serve, in four reads.
std::map<std::string, HostStatus> host_statuses(store::Store& store, std::chrono::sys_seconds now);

// A refusal in words: "h2 is in maintenance since 2026-11-29T10:00:00Z (by ann): new fans". Empty where the
// host serves.
std::string why_not(const HostStatus& status);

}  // namespace rackline::cluster
