// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/time.h"
#include "record/kinds_heartbeat.h"
#include "record/reader.h"

namespace rackline::fence {

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
  bool planned = false;     // it only says what would be said

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
  bool contradicts = false;  // itself: what it says of the host's channels is not what its verdict says
};

FenceRuling rule_on(const FenceRequest& request, const FencePolicy& policy, std::chrono::sys_seconds now);

struct LifeSign {
  std::string host;
  std::chrono::sys_seconds time{};
  std::string fence{};  // id of the fence that it contradicts; empty where the record does not say
};
// The reader's present record, when that is a word of heartbeat by which the host lives again, in whatever
// bad state. Such a host hears its watcher or writes to its storage, and so fences itself no more.
std::optional<LifeSign> sign_of_life(record::Reader& reader);
// The reader's present record, when that says that the host is marked as fenced and shows life.
std::optional<LifeSign> contradiction(record::Reader& reader);
// Which of `hosts` may live by a line that cannot be read. Life that is told is told once: if it is lost in a
// broken line, nothing comes after it that would spare the host. So a line that may have told it counts as a
// sign of life of the host that it names, and of all if it is a piece of a record that names none. What is no
// piece of a record, and a host_down, count for nothing.
std::set<std::string> maybe_alive(std::string_view line, const std::set<std::string>& hosts);
// The same as sign_of_life of a record that was read: of host_down it is never one.
bool shows_life(FenceRequest::Kind kind, const record::HostState& state);

// Why the host cannot be trusted to have stopped its own VMs by then; empty when it can.
std::string self_fence_objection(const FenceRequest& request, const FencePolicy& policy);
// When a host that fences itself has done so, on the monotonic clock.
Milliseconds self_fenced_at(const FenceRequest& request, const FencePolicy& policy);

// More than half of the hosts gone is more likely to be a fault of the watcher. Exactly half is allowed: the
// other one of two.
constexpr bool too_many(std::size_t fenced, std::size_t hosts) {
  return fenced * 2 > hosts;
}

}  // namespace rackline::fence
