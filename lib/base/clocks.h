// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace rackline {

// The clocks of two machines differ, and that of one machine is set back a little now and then. So a time
// that was written elsewhere, or earlier, is surely before or after another one only when they are further
// apart than this.
inline constexpr std::chrono::seconds kClocksDiffer{60};

}  // namespace rackline
