// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bmc/agent_kind.h"

namespace rackline::bmc {

// What an inventory must not tell an agent, by the name of the option and by its value. Each gives a reason
// that can follow the name, and nothing for what may be told.

// A secret, a command, a file that is written, or an option by which what is not there counts as off.
std::string doubt_about_option(const std::string& name);
// Agents paste values into the command lines of ipmitool, ssh and others, and into those of shells on the
// other end. Only the agents that run nothing, and prompts, get values with blanks and the like.
std::string doubt_about_value(const AgentKind& kind, const std::string& name, const std::string& value);
// What the path names could be another program tomorrow: another user, or everybody, may write it or put
// something else into its place.
std::string doubt_about_program(const std::string& path);

}  // namespace rackline::bmc
