// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace rackline::net {

// The address and port of a UDP peer.
struct Endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;

  friend bool operator==(const Endpoint& a, const Endpoint& b);
  std::string text() const;  // "10.0.0.1:7788", "[fd00::1]:7788"
};

// "ADDRESS:PORT", "[V6ADDRESS]:PORT", "NAME:PORT" or an address alone, which gets `port`.
// Throws Error(kUsage) for what is neither, Error(kUnreachable) for a name that cannot be resolved.
Endpoint resolve(std::string_view text, std::uint16_t port);

// A UDP socket that never blocks.
class UdpSocket {
 public:
  // Throws Error(kUnreachable) when it cannot be bound. The kernel is asked for `buffer_bytes` of room for
  // what has come and was not read yet, so that a burst is not lost.
  UdpSocket(const Endpoint& local, int buffer_bytes);

  int fd() const { return fd_.get(); }
  Endpoint local() const;

  // Whether the kernel took it. What is lost on the way is not learnt.
  bool send(const Endpoint& to, std::span<const std::uint8_t> bytes);

  // Calls `each` with what has come, at most `most` datagrams. Those longer than 512 bytes are left out.
  std::size_t receive(std::size_t most,
                      const std::function<void(std::span<const std::uint8_t>, const Endpoint&)>& each);

 private:
  Fd fd_;
};

}  // namespace rackline::net
