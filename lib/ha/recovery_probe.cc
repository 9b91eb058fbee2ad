// SPDX-License-Identifier: Apache-2.0
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/fd.h"
#include "base/time.h"
#include "ha/recovery_start.h"

namespace rackline::ha {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// True when the descriptor is ready for `events` in time.
bool ready(const Fd& fd, short events, Milliseconds deadline) {
  for (;;) {
    const auto left = std::max(deadline - system_clock().monotonic(), Milliseconds{0});
    pollfd watched{fd.get(), events, 0};
    const int count = poll(&watched, 1, static_cast<int>(left.count()));
    if (count >= 0 || errno != EINTR) return count > 0;
  }
}

bool serves(const addrinfo& address, Milliseconds deadline) {
  const Fd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol));
  if (!fd) return false;
  if (connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS || !ready(fd, POLLOUT, deadline)) return false;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) return false;
  }
  // Most protocols let the client speak first; a proxy in front of nothing hangs up at once.
  constexpr Milliseconds kGreeting{200};
  if (!ready(fd, POLLIN, system_clock().monotonic() + kGreeting)) return true;
  char byte = 0;
  return recv(fd.get(), &byte, 1, 0) == 1;
}

}  // namespace

bool probe_tcp(const TcpCheck& check, Milliseconds timeout) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(check.address.c_str(), check.port.c_str(), &hints, &found) != 0) return false;
  const Addresses addresses(found, freeaddrinfo);
  const auto deadline = system_clock().monotonic() + timeout;
  for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
    if (serves(*address, deadline)) return true;
  }
  return false;
}

}  // namespace rackline::ha
