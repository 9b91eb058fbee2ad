// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/tcp.h"

namespace rackline::net {
namespace {

using namespace std::chrono_literals;

// Something that listens on a port of 127.0.0.1.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_.get(), 4), 0);
    EXPECT_EQ(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = std::to_string(ntohs(address.sin_port));
  }
  const std::string& port() const { return port_; }
  void close() { fd_.reset(); }

 private:
  Fd fd_;
  std::string port_;
};

const auto kAny = [](const Fd&) { return true; };

TEST(Tcp, AKernelThatTakesConnectionsIsSeenAlthoughNobodyAccepts) {
  const Listener listener;
  EXPECT_TRUE(try_tcp("127.0.0.1", listener.port(), 5s, kAny));
  EXPECT_FALSE(try_tcp("127.0.0.1", listener.port(), 5s, [](const Fd&) { return false; }));
}

TEST(Tcp, WhereNobodyListensOrTheNameIsNoneThereIsNoConnection) {
  Listener listener;
  listener.close();
  EXPECT_FALSE(try_tcp("127.0.0.1", listener.port(), 5s, kAny));
  EXPECT_FALSE(try_tcp("no such name", "80", 5s, kAny));
}

}  // namespace
}  // namespace rackline::net
