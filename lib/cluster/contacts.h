// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "store/store.h"

namespace rackline::cluster {

// When each host was last heard of, as a watcher left it in the store every minute: the next one, which never
// heard of a host, can say since when it is silent. One entry for all hosts.
using Contacts = std::map<std::string, std::chrono::sys_seconds>;

// Empty where there is none, or none that can be read: nothing is decided on it. Throws Error(kUnreachable).
Contacts contacts(store::Store& store);
void put(store::Store& store, const Contacts& contacts);

}  // namespace rackline::cluster
