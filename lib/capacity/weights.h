// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "capacity/cluster.h"

namespace rackline::capacity {

// Sets weights of the policy's objective from "cpu=1,memory=0.5". Throws Error(kUsage) for a part that the
// objective has not, and for a weight that is no number from 0 on.
void set_weights(Policy& policy, const std::string& text);

}  // namespace rackline::capacity
