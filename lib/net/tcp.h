// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "base/fd.h"
#include "base/time.h"

namespace rackline::net {

// Whether something can be read from the socket, or written to it (`events` as of poll), before `deadline`.
bool ready(const Fd& fd, short events, Milliseconds deadline);

// Connects to one address of `host` after the other until `content` is so with a connection. False when none
// was within `timeout`, or when the name cannot be resolved.
bool try_tcp(const std::string& host, const std::string& port, Milliseconds timeout,
             const std::function<bool(const Fd& connection)>& content);

}  // namespace rackline::net
