// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "bmc/agent.h"
#include "failover_nights_world.h"

namespace rackline::failover::nights {

// The controllers of the world as fence agents find them.
class NightPower final : public bmc::PowerSwitch {
 public:
  struct Hooks {
    std::function<bool(Milliseconds)> sleep;  // on the thread that calls; false: its process was killed
    // Of each command to switch off, before it is carried out, with the host that it is meant for.
    std::function<void(const std::string& host)> off;
  };
  NightPower(World& world, Hooks hooks) : world_(world), hooks_(std::move(hooks)) {}

  bmc::AgentReply call(const bmc::FenceMethod& method, bmc::PowerAction action,
                       Milliseconds timeout) override {
    if (!hooks_.sleep(Milliseconds{1})) return {bmc::Power::kUnknown, false, "killed"};
    const std::string address = method.option("ip") + method.option("plug");
    const Controller& controller = world_.controllers.at(address);
    if (action == bmc::PowerAction::kOff) hooks_.off(method.host);
    if (world_.now() < controller.deaf || controller.slow > timeout) {
      hooks_.sleep(timeout);
      return {bmc::Power::kUnknown, false, "no answer within the time"};
    }
    if (!hooks_.sleep(controller.slow)) return {bmc::Power::kUnknown, false, "killed"};
    if (world_.dice.pick(1, 100) <= controller.failing)
      return {bmc::Power::kUnknown, false, "Invalid data field"};
    Machine& m = world_.machines.at(controller.switches);
    if (action == bmc::PowerAction::kStatus) return {m.power ? bmc::Power::kOn : bmc::Power::kOff, true, {}};
    const bool on = action == bmc::PowerAction::kOn;
    world_.tell(address + " is told " + (on ? "on" : "off") + " for " + method.host);
    if (!controller.liar) {
      world_.later.push_back({world_.now() + controller.late, controller.switches, on});
      world_.step();
    }
    return {bmc::Power::kUnknown, true, {}};
  }

 private:
  World& world_;
  Hooks hooks_;
};

}  // namespace rackline::failover::nights
