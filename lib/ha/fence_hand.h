// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ha/fence_engine.h"

namespace rackline::ha {

// What a person does to hosts by name.

// The person has seen that the host is off. Refused when its power reads on, unless `force`.
// Throws Error(kUsage) for a host that is not in the inventory, Error(kBusy) without the lock.
FenceReport confirm_off(FenceEngine::World& world, const FencePolicy& policy, const std::string& host,
                        const std::string& person);

struct UnfenceReport {
  enum class Outcome { kDone, kAlready, kFailed, kRefused };
  Outcome outcome = Outcome::kFailed;
  std::string host, id, cause, reason;
  PowerReport power;
  bool planned = false;
  Milliseconds elapsed{0};
};
// Switches a fenced host on again and marks it as returning. A host without a mark is refused: it was not
// fenced. Throws as confirm_off.
UnfenceReport unfence(FenceEngine::World& world, const FencePolicy& policy, const std::string& host);

struct HostPowerReport {
  std::string host;
  PowerReading reading;
  std::optional<cluster::FenceMark> mark;
  Milliseconds elapsed{0};
};
// All hosts at the same time, in the given order.
std::vector<HostPowerReport> host_power(FenceEngine::World& world, const std::vector<std::string>& hosts,
                                        Milliseconds patience);

}  // namespace rackline::ha
