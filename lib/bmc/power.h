// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bmc/agent.h"
#include "bmc/life.h"

namespace rackline::bmc {

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
  bool withdrawn = false;  // it showed life, and nobody was told anything after that
  bool yielded = false;    // ended early, because somebody else is to have his turn
  int signs = 0;           // of life, that came before the readings which prove it
  std::string method, evidence;
  std::string why;   // it is not proven, method by method
  std::string told;  // the methods that were told to switch
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

// What is asked while a host is switched off, beside whether it lives.
struct PowerRules {
  // Why nobody is to be told anything: asked right before each command. Empty: go on.
  std::function<std::string()> forbids = [] { return std::string(); };
  // Whether to end early; `told`: somebody has been told to switch it off.
  std::function<bool(bool told)> yields = [](bool) { return false; };
};

// Switches one host, and believes only what it has read twice. Made for one host and used once.
class PowerDriver {
 public:
  PowerDriver(PowerSwitch& power, FenceTime time) : power_(power), time_(std::move(time)) {}

  // Asks level by level until one knows. A host of which any method says on is on.
  PowerReading read(const FenceLevels& levels, Milliseconds patience);

  // Tries level after level until the host is proven to be off (on), or `deadline` (monotonic) has passed.
  // Every level and every attempt gets its share of the time, so that a deaf controller does not use up that
  // of the next. `begin` is called once, before the first command; what it returns is an objection, upon
  // which nothing is done. The time that it takes does not count.
  //
  // A host that shows life is not told anything any more: `life` is asked before each command, and whenever
  // time has passed. If it had been told before, its power is read for some seconds more, since a controller
  // may take its time: a host that is read off twice after its last sign of life is proven to be off.
  PowerReport off(const FenceLevels& levels, Milliseconds deadline, const std::function<std::string()>& begin,
                  const SelfFence& self, const Life& life, const PowerRules& rules = {});
  PowerReport on(const FenceLevels& levels, Milliseconds deadline);

 private:
  struct Goal {
    PowerAction action;
    Power state;
    const std::function<std::string()>& begin;
    const Life& life;
    const PowerRules& rules;
  };
  Milliseconds now() const { return time_.clock.monotonic() - paused_; }
  static bool lives(const Goal& goal, PowerReport& report);
  static bool yields(const Goal& goal, PowerReport& report);
  static bool over(const Goal& goal, PowerReport& report);
  void wait(Milliseconds time, const Goal& goal, PowerReport& report);
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
  Milliseconds paused_{0};  // how long `begin` took
};

}  // namespace rackline::bmc
