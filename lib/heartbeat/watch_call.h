// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "heartbeat/membership.h"

namespace rackline::heartbeat {

// What a person has to be told about a transition because no program will do anything about it; empty for all
// others.
std::string call_for_person(const Transition& transition);

}  // namespace rackline::heartbeat
