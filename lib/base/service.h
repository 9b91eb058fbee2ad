// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace rackline {

// Tells systemd how a service is, sd_notify(3): "READY=1", "WATCHDOG=1", "STATUS=...". Does nothing where
// there is no NOTIFY_SOCKET.
void notify_service(std::string_view state);

// For a program of which lateness is a false alarm elsewhere: no page of it is swapped out, and it goes
// before others on the CPU: real-time class, as corosync is, where that is permitted, else the least nice.
// What it has no privilege for is left undone.
void be_prompt();

}  // namespace rackline
