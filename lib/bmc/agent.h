// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bmc/method.h"

namespace rackline::bmc {

enum class Power { kUnknown, kOn, kOff };
enum class PowerAction { kStatus, kOff, kOn };

const char* name_of(Power power);  // "unknown", "on", "off"
const char* name_of(PowerAction action);

// What one call of an agent came to. For a status `power` is what it says; for off and on it stays unknown,
// since no word of an agent about its own success is believed.
struct AgentReply {
  Power power = Power::kUnknown;
  bool accepted = false;  // it claims success
  std::string why;        // of failure, without secrets, one line
};

// A power switch as the engine sees it; tests have their own. Calls come from several threads.
class PowerSwitch {
 public:
  virtual ~PowerSwitch() = default;
  virtual AgentReply call(const FenceMethod& method, PowerAction action, Milliseconds timeout) = 0;
};

// ClusterLabs fence-agents (FenceAgentAPI): options as lines on stdin. A status is believed when the exit
// status (0 on, 2 off) and a line of the text ("Status: ON") say the same: 2 alone is also what a script that
// fails to parse its options returns.
class FenceAgents final : public PowerSwitch {
 public:
  FenceAgents();
  AgentReply call(const FenceMethod& method, PowerAction action, Milliseconds timeout) override;
};

// The lines for the agent's stdin, the action last. Throws Error(kUsage) for a control character in any of
// them.
std::string agent_input(const FenceMethod& method, PowerAction action, const std::string& password);
// The line of what an agent said that tells why, which is the last one but for hints at its usage; without
// the secret, without what could disturb a terminal, and not longer than a sentence.
std::string agent_complaint(const std::string& text, const std::string& secret);

}  // namespace rackline::bmc
