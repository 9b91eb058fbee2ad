// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "act/outcome.h"
#include "fence/answer.h"
#include "fence/engine.h"

namespace rackline::fence {

// What a person does to hosts by name.

// Both wait for the lock for as long as one try of a pipeline may take, and ask the pipeline to hurry; that
// they wait is told by world.warn. A mark of the host that cannot be read is taken for none where a person
// says so: confirm_off writes its own over it, and unfence does with `force`.

// The person has seen that the host is off. Refused when its power reads on or the host answers, unless
// `force`. Throws Error(kUsage) for a host that is not in the inventory, Error(kBusy) without the lock.
FenceReport confirm_off(FenceEngine::World& world, const FencePolicy& policy, const std::string& host,
                        const std::string& person, const HostAnswer& ask);

struct UnfenceReport {
  act::Outcome outcome = act::Outcome::kFailed;
  std::string host, id, cause, reason;
  bmc::PowerReport power;
  bool planned = false;
  Milliseconds elapsed{0};
};
// Switches a fenced host on again and marks it as returning. With a host that has no mark there is nothing to
// do. Throws as confirm_off.
UnfenceReport unfence(FenceEngine::World& world, const FencePolicy& policy, const std::string& host);

struct HostPowerReport {
  std::string host;
  bmc::PowerReading reading;
  std::optional<cluster::FenceMark> mark;
  std::string broken;  // why its mark cannot be read
  Milliseconds elapsed{0};
};
// All hosts at the same time, in the given order.
std::vector<HostPowerReport> host_power(FenceEngine::World& world, const std::vector<std::string>& hosts,
                                        Milliseconds patience);

}  // namespace rackline::fence
