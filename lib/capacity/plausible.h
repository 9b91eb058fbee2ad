// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "record/kinds_capacity.h"
#include "record/kinds_planning.h"

namespace rackline::capacity {

// Figures that no machine has: negative ones, and ones so large that sums of them are no numbers any more. Of
// a sample they are taken for unknown, so that what they concern stays out of the plan; a request that asks
// for them is refused.

void distrust(record::HostSample& host);
void distrust(record::VmSample& vm);

// Throws Error(kUsage).
void require_plausible(const record::VmRequest& request);

}  // namespace rackline::capacity
