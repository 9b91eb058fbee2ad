// SPDX-License-Identifier: Apache-2.0
#include "net/udp.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "net/address.h"

namespace rackline::net {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kLongest = 512;

struct Buffers {
  std::array<std::array<std::uint8_t, kLongest + 1>, kBatch> bytes;
  std::array<Endpoint, kBatch> from;
  std::array<iovec, kBatch> parts{};
  std::array<mmsghdr, kBatch> headers{};
};

}  // namespace

bool operator==(const Endpoint& a, const Endpoint& b) {
  return a.length == b.length && std::memcmp(&a.address, &b.address, a.length) == 0;
}

std::string Endpoint::text() const {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  return address.ss_family == AF_INET6 ? "[" + std::string(host) + "]:" + port
                                       : std::string(host) + ":" + port;
}

Endpoint resolve(std::string_view text, std::uint16_t port) {
  const auto address = parse_address(text);
  if (!address || address->misleads())
    throw Error(Status::kUsage, "read the address", std::string(text),
                "expected ADDRESS[:PORT], an IPv6 address in brackets");
  const std::string service = address->port_or(std::to_string(port));
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(address->host.c_str(), service.c_str(), &hints, &found); code != 0)
    throw Error(Status::kUnreachable, "resolve", std::string(text), gai_strerror(code));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  Endpoint endpoint;
  endpoint.length = found->ai_addrlen;
  std::memcpy(&endpoint.address, found->ai_addr, found->ai_addrlen);
  return endpoint;
}

UdpSocket::UdpSocket(const Endpoint& local, int buffer_bytes)
    : fd_(socket(local.address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  if (!fd_) throw system_error(Status::kUnreachable, "open a UDP socket", local.text());
  // The first needs a privilege and has no limit, the second has one and needs none.
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes) != 0)
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  if (bind(fd_.get(), reinterpret_cast<const sockaddr*>(&local.address), local.length) != 0) {
    const int number = errno;
    const Error error = system_error(Status::kUnreachable, "listen on UDP", local.text(), number);
    if (number != EADDRINUSE) throw error;
    throw Error(error.status(), "listen on UDP", local.text(), error.why(),
                "ss -ulnp tells who has it; a watcher that stands already tells in its records who is well");
  }
}

Endpoint UdpSocket::local() const {
  Endpoint endpoint;
  endpoint.length = sizeof endpoint.address;
  if (getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&endpoint.address), &endpoint.length) != 0)
    endpoint.length = 0;
  return endpoint;
}

bool UdpSocket::send(const Endpoint& to, std::span<const std::uint8_t> bytes) {
  return sendto(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL,
                reinterpret_cast<const sockaddr*>(&to.address),
                to.length) == static_cast<ssize_t>(bytes.size());
}

std::size_t UdpSocket::receive(
    std::size_t most, const std::function<void(std::span<const std::uint8_t>, const Endpoint&)>& each) {
  static thread_local const auto buffers = std::make_unique<Buffers>();
  std::size_t received = 0;
  while (received < most) {
    const std::size_t room = std::min(kBatch, most - received);
    for (std::size_t i = 0; i < room; ++i) {
      buffers->parts[i] = {buffers->bytes[i].data(), buffers->bytes[i].size()};
      msghdr& header = buffers->headers[i].msg_hdr;
      header = {};
      header.msg_name = &buffers->from[i].address;
      header.msg_namelen = sizeof buffers->from[i].address;
      header.msg_iov = &buffers->parts[i];
      header.msg_iovlen = 1;
    }
    // An error here is that of a datagram sent earlier (a port that nobody has), and is taken away by being
    // told.
    const int count =
        recvmmsg(fd_.get(), buffers->headers.data(), static_cast<unsigned>(room), MSG_DONTWAIT, nullptr);
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) {
      ++received;
      continue;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const std::size_t length = buffers->headers[i].msg_len;
      buffers->from[i].length = buffers->headers[i].msg_hdr.msg_namelen;
      if (length <= kLongest) each({buffers->bytes[i].data(), length}, buffers->from[i]);
    }
    received += static_cast<std::size_t>(count);
    if (static_cast<std::size_t>(count) < room) break;
  }
  return received;
}

}  // namespace rackline::net
