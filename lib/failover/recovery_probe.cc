// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <sys/socket.h>

#include "failover/recovery_start.h"
#include "net/tcp.h"

namespace rackline::failover {

bool probe_tcp(const TcpCheck& check, Milliseconds timeout) {
  return net::try_tcp(check.address, check.port, timeout, [](const Fd& fd) {
    // Most protocols let the client speak first; a proxy in front of nothing hangs up at once.
    constexpr Milliseconds kGreeting{200};
    if (!net::ready(fd, POLLIN, system_clock().monotonic() + kGreeting)) return true;
    char byte = 0;
    return recv(fd.get(), &byte, 1, 0) == 1;
  });
}

}  // namespace rackline::failover
