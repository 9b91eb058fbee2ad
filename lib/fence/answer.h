// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "base/time.h"
#include "record/kinds_inventory.h"
#include "store/store.h"

namespace rackline::fence {

// What shows that a host which is said to be off is not: "its libvirtd runs app1". Empty: nothing does.
using HostAnswer = std::function<std::string(const std::string& host)>;

// Asks its libvirtd. A kernel that refuses the connection runs, and VMs run without libvirtd.
std::string answer_of_libvirtd(const record::Host& host, Milliseconds timeout);
// What a watcher has left in the store: its word is younger than a minute.
std::string answer_of_heartbeat(store::Store& store, const std::string& host, std::chrono::sys_seconds now);

}  // namespace rackline::fence
