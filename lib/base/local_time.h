// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace rackline {

// What people write for a time in their own zone (TZ, /etc/localtime): "2026-11-25 21:00", "2026-11-25" (its
// midnight), "21:00" (today), "today", "tomorrow 8:00". Nothing when it is none of these.
std::optional<std::chrono::sys_seconds> parse_local_time(std::string_view text, std::chrono::sys_seconds now);

}  // namespace rackline
