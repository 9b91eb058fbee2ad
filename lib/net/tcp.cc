// SPDX-License-Identifier: Apache-2.0
#include "net/tcp.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

namespace rackline::net {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Fd connected(const addrinfo& address, Milliseconds deadline) {
  Fd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol));
  if (!fd || connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return fd;
  int error = 0;
  socklen_t size = sizeof error;
  const bool done = errno == EINPROGRESS && ready(fd, POLLOUT, deadline) &&
                    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  return done ? std::move(fd) : Fd();
}

}  // namespace

bool ready(const Fd& fd, short events, Milliseconds deadline) {
  for (;;) {
    const auto left = std::max(deadline - system_clock().monotonic(), Milliseconds{0});
    pollfd watched{fd.get(), events, 0};
    const int count = poll(&watched, 1, static_cast<int>(left.count()));
    if (count >= 0 || errno != EINTR) return count > 0;
  }
}

bool try_tcp(const std::string& host, const std::string& port, Milliseconds timeout,
             const std::function<bool(const Fd& connection)>& content) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return false;
  const Addresses addresses(found, freeaddrinfo);
  const auto deadline = system_clock().monotonic() + timeout;
  for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
    if (const Fd fd = connected(*address, deadline); fd && content(fd)) return true;
  }
  return false;
}

}  // namespace rackline::net
