// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/error.h"
#include "net/address.h"
#include "net/udp.h"

namespace rackline::net {
namespace {

std::string read(std::string_view text) {
  const auto address = parse_address(text);
  return address ? address->host + " " + address->port_or("-") : "none";
}

TEST(Address, IsAHostAndMayHaveAPort) {
  EXPECT_EQ(read("h1"), "h1 -");
  EXPECT_EQ(read("h1.example:80"), "h1.example 80");
  EXPECT_EQ(read("10.0.0.1:00080"), "10.0.0.1 80");
  EXPECT_EQ(read("h1:0"), "h1 0");
}

TEST(Address, OfIPv6HasBracketsWhenItHasAPort) {
  EXPECT_EQ(read("::1"), "::1 -");
  EXPECT_EQ(read("[::1]"), "::1 -");
  EXPECT_EQ(read("[fe80::1%eth0]:80"), "fe80::1%eth0 80");
  EXPECT_EQ(parse_address("[::1]:80")->text(), "[::1]:80");
  EXPECT_EQ(parse_address("::1")->text(), "[::1]");
  EXPECT_EQ(parse_address("h1:80")->text(), "h1:80");
}

TEST(Address, OfAPortAloneOrOfNoPortIsNone) {
  for (const char* text : {"", ":80", "[]:80", "h1:", "h1:x", "h1:-1", "h1:65536", "h1:80x", "[::1",
                           "[::1]80", "a:b:c", "[a:b]:80", "::1:80:"})
    EXPECT_EQ(read(text), "none") << text;
}

TEST(Address, OfTheOneWhoConnectsIsLoopback) {
  for (const char* host : {"localhost",
                           "LocalHost.",
                           "localhost.localdomain",
                           "localhost6",
                           "ip6-loopback",
                           "db.localhost",
                           "127.0.0.1",
                           "127.1",
                           "127.255.3.4",
                           "0x7f.1",
                           "2130706433",
                           "0177.0.0.1",
                           "0.0.0.0",
                           "0",
                           "::1",
                           "[::1]",
                           "0:0:0:0:0:0:0:1",
                           "::1%lo",
                           "::",
                           "::ffff:127.0.0.1",
                           "::ffff:0.0.0.0"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"h1", "localhosts", "mylocalhost", "127.example", "128.0.0.1", "10.127.0.1", "::2",
                           "fe80::1", "::ffff:10.0.0.1", "1.127", ""})
    EXPECT_FALSE(is_loopback(host)) << host;
}

TEST(Address, OfNumbersMisleadsUnlessItIsFourOfThemAsAPersonReadsThem) {
  for (const char* text :
       {"9750", "10.1", "127.1:80", "0177.0.0.1", "10.79.0.010", "0x7f.0.0.1:80", "2130706433"}) {
    EXPECT_TRUE(parse_address(text)->misleads()) << text;
    EXPECT_THROW(resolve(text, 80), Error) << text;
  }
  for (const char* text : {"0.0.0.0:80", "10.79.0.10", "[::1]:80", "9750.example", "10.0.0.256"})
    EXPECT_FALSE(parse_address(text)->misleads()) << text;
}

}  // namespace
}  // namespace rackline::net
