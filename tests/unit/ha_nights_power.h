// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "ha/fence_agent.h"
#include "ha_nights_world.h"

namespace rackline::ha::nights {

// The controllers of the world as fence agents find them.
class NightPower final : public PowerSwitch {
 public:
  struct Hooks {
    std::function<bool(Milliseconds)> sleep;  // on the thread that calls; false: its process was killed
    // Of each command to switch off, before it is carried out, with the host that it is meant for.
    std::function<void(const std::string& host)> off;
  };
  NightPower(World& world, Hooks hooks) : world_(world), hooks_(std::move(hooks)) {}

  AgentReply call(const FenceMethod& method, PowerAction action, Milliseconds timeout) override {
    if (!hooks_.sleep(Milliseconds{1})) return {Power::kUnknown, false, "killed"};
    const std::string address = method.option("ip") + method.option("plug");
    const Controller& controller = world_.controllers.at(address);
    if (action == PowerAction::kOff) hooks_.off(method.host);
    if (world_.now() < controller.deaf || controller.slow > timeout) {
      hooks_.sleep(timeout);
      return {Power::kUnknown, false, "no answer within the time"};
    }
    if (!hooks_.sleep(controller.slow)) return {Power::kUnknown, false, "killed"};
    if (world_.dice.pick(1, 100) <= controller.failing) return {Power::kUnknown, false, "Invalid data field"};
    Machine& m = world_.machines.at(controller.switches);
    if (action == PowerAction::kStatus) return {m.power ? Power::kOn : Power::kOff, true, {}};
    const bool on = action == PowerAction::kOn;
    world_.tell(address + " is told " + (on ? "on" : "off") + " for " + method.host);
    if (!controller.liar) {
      world_.later.push_back({world_.now() + controller.late, controller.switches, on});
      world_.step();
    }
    return {Power::kUnknown, true, {}};
  }

 private:
  World& world_;
  Hooks hooks_;
};

}  // namespace rackline::ha::nights
