// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "listener.h"
#include "net/tcp.h"

namespace rackline::net {
namespace {

using namespace std::chrono_literals;

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
