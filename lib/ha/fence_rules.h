// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/time.h"
#include "record/kinds_availability.h"
#include "record/reader.h"

namespace rackline::ha {

// What decides, without touching anything, whether a host may be fenced.

struct FencePolicy {
  bool fence_isolated = false;
  bool fence_partitioned = false;
  bool fence_hypervisor_down = false;
  bool fence_living_store = false;  // also hosts that still write to the shared storage
  bool trust_self_fence = false;    // also of hosts without a hardware watchdog
  bool force = false;               // also more than half of all hosts
  bool dry_run = false;
  Milliseconds max_age{60'000};   // of a request
  Milliseconds takeover{60'000};  // silence after which a host that fences itself has done so
  Milliseconds deadline{45'000};  // of one host
  Milliseconds loop_window{3'600'000};
  int loop_limit = 3;  // fencings of one host within the window
  Milliseconds lock_patience{10'000};
  // A fencing that failed is repeated for so long while the host stays down; pauses double up to the longest.
  Milliseconds retry_for{3'600'000};
  Milliseconds retry_first{5'000};
  Milliseconds retry_longest{60'000};
};

struct FenceRequest {
  enum class Kind { kDown, kIsolated, kPartitioned, kHypervisorDown };
  Kind kind = Kind::kDown;
  record::HostState state;
  Milliseconds read_at{0};  // monotonic

  const std::string& host() const { return state.host; }
  // What the results refer to: the record's incident, else the record.
  const std::string& cause() const { return state.cause ? *state.cause : state.id; }
};

// The request that the reader's present record is; nothing for a record that is none, or that cannot be read,
// which has then been reported. `now` is monotonic.
bool is_request(const record::Reader& reader);
std::optional<FenceRequest> read_request(record::Reader& reader, Milliseconds now);

struct FenceRuling {
  enum class Verdict { kFence, kLeave, kRefuse };
  Verdict verdict = Verdict::kFence;
  std::string reason;
};

FenceRuling rule_on(const FenceRequest& request, const FencePolicy& policy, std::chrono::sys_seconds now);

// The host of the reader's present record, when that is a word of heartbeat by which the host lives again, in
// whatever bad state. Such a host hears its watcher or writes to its storage, and so fences itself no more.
std::optional<std::string> sign_of_life(record::Reader& reader);
// The host of the reader's present record, when that says that the host is marked as fenced and shows life.
std::optional<std::string> contradiction(record::Reader& reader);
// The same as sign_of_life of a record that was read: of host_down it is never one.
bool shows_life(FenceRequest::Kind kind, const record::HostState& state);

// Why the host cannot be trusted to have stopped its own virtual servers by then; empty when it can.
std::string self_fence_objection(const FenceRequest& request, const FencePolicy& policy);
// When a host that fences itself has done so, on the monotonic clock.
Milliseconds self_fenced_at(const FenceRequest& request, const FencePolicy& policy);

// More than half of the hosts gone is more likely to be a fault of the watcher. Exactly half is allowed: the
// other one of two.
constexpr bool too_many(std::size_t fenced, std::size_t hosts) {
  return fenced * 2 > hosts;
}

}  // namespace rackline::ha
