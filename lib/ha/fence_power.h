// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ha/fence_agent.h"

namespace rackline::ha {

// Time as the engine lives in it; tests have their own.
struct FenceTime {
  const Clock& clock;
  std::function<void(Milliseconds)> sleep;
};

struct PowerReading {
  Power power = Power::kUnknown;
  std::string method;  // that answered, or was asked last
  std::string why;     // why it is unknown
};

struct PowerReport {
  bool proven = false;     // the state was read twice
  bool untouched = false;  // it was in that state already: nobody was told anything
  std::string objection;   // `begin` refused, and nothing was done
  std::string method, evidence;
  std::string why;  // it is not proven, method by method
  std::int64_t level = 0;
  std::int64_t attempts = 0;
  Power before = Power::kUnknown, after = Power::kUnknown;
};

// The wait for a host that fences itself.
struct SelfFence {
  std::string objection;
  Milliseconds at{0};                      // when it is done, monotonic
  std::function<std::string()> cancelled;  // why not to wait any longer; empty: go on
  std::string evidence;
};

// Switches one host, and believes only what it has read twice.
class PowerDriver {
 public:
  PowerDriver(PowerSwitch& power, FenceTime time) : power_(power), time_(std::move(time)) {}

  // Asks level by level until one knows. A host of which any method says on is on.
  PowerReading read(const FenceLevels& levels, Milliseconds patience);

  // Tries level after level until the host is proven to be off (on), or `deadline` (monotonic) has passed.
  // Every level and every attempt gets its share of the time, so that a deaf controller does not use up that
  // of the next. `begin` is called once, before the first command; what it returns is an objection, upon
  // which nothing is done.
  PowerReport off(const FenceLevels& levels, Milliseconds deadline, const std::function<std::string()>& begin,
                  const SelfFence& self);
  PowerReport on(const FenceLevels& levels, Milliseconds deadline);

 private:
  struct Goal {
    PowerAction action;
    Power state;
    const std::function<std::string()>& begin;
  };
  void wait_for_self_fence(const Goal& goal, const SelfFence& self, PowerReport& report);
  void try_level(const FenceLevel& level, Milliseconds limit, const Goal& goal, PowerReport& report);
  void attempt(const FenceLevel& level, Milliseconds until, const Goal& goal, PowerReport& report);
  bool command(const FenceLevel& level, Milliseconds until, const Goal& goal, PowerReport& report);
  bool read_twice(const FenceLevel& level, Milliseconds until, const Goal& goal, PowerReport& report);
  PowerReading read_level(const FenceLevel& level, Milliseconds patience, Power wanted);
  bool begun(const Goal& goal, PowerReport& report);

  PowerSwitch& power_;
  FenceTime time_;
  bool begun_ = false;
};

}  // namespace rackline::ha
