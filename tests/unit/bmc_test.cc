// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "bmc/address.h"
#include "bmc/reply.h"
#include "net/spelling.h"

namespace rackline::bmc {
namespace {

TEST(BmcAddress, IsTakenApart) {
  const auto plain = parse_address("ipmi://10.0.0.1:6230");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "10.0.0.1");
  EXPECT_EQ(plain->port, "6230");
  const auto v6 = parse_address("redfish://[fe80::1%eth0]/");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "fe80::1%eth0");
  EXPECT_EQ(v6->port, "");
  EXPECT_EQ(parse_address("ipmi://x:0623")->port, "623");
  for (const char* bad : {"", "x", "ipmi://", "ssh://x", "ipmi://x:", "ipmi://x:0", "ipmi://x:65536",
                          "ipmi://x:1x", "ipmi://[::1", "ipmi://[x]:1", "ipmi://u:p@x", "ipmi://u@x",
                          "ipmi://x/y", "ipmi://x\ry", "ipmi://-E", "ipmi://x$(y)"})
    EXPECT_FALSE(parse_address(bad)) << bad;
}

TEST(BmcAddress, HasOneSpelling) {
  const auto same = [](const char* one, const char* other) {
    for (const auto& a : net::spellings(one)) {
      for (const auto& b : net::spellings(other)) {
        if (a == b) return true;
      }
    }
    return false;
  };
  EXPECT_TRUE(same("BMC1.example.", "bmc1.Example"));
  EXPECT_TRUE(same("10.79.0.13", "10.79.0.013"));
  EXPECT_TRUE(same("10.79.0.11", "10.79.0.013"));  // as the C library reads it
  EXPECT_TRUE(same("10.79.0.9", "10.079.0.09"));
  EXPECT_TRUE(same("10.1", "10.0.0.1"));
  EXPECT_TRUE(same("0x0a.0.0.1", "10.0.0.1"));
  EXPECT_TRUE(same("::ffff:10.0.0.1", "10.0.0.1"));
  EXPECT_TRUE(same("[::FFFF:0a00:0001]", "10.0.0.1"));
  EXPECT_TRUE(same("2001:DB8:0:0::1", "[2001:db8::1]"));
  EXPECT_TRUE(same("localhost", "127.0.0.1"));
  EXPECT_FALSE(same("10.0.0.1", "10.0.0.2"));
  EXPECT_FALSE(same("bmc1", "bmc2"));
}

TEST(BmcUuid, IsOneInWhateverOrderItsBytesCome) {
  const auto uuid = *parse_uuid("00112233-4455-6677-8899-aabbccddeeff");
  EXPECT_TRUE(same_system(uuid, *parse_uuid("{00112233-4455-6677-8899-AABBCCDDEEFF}")));
  EXPECT_TRUE(same_system(uuid, *parse_uuid("33221100-5544-7766-8899-aabbccddeeff")));
  EXPECT_TRUE(same_system(uuid, *parse_uuid("ffeeddcc-bbaa-9988-7766-554433221100")));
  EXPECT_TRUE(same_system(uuid, *parse_uuid("ffeeddcc-bbaa-9988-6677-445500112233")));
  EXPECT_TRUE(same_system(*parse_uuid("ffeeddcc-bbaa-9988-6677-445500112233"), uuid));
  EXPECT_FALSE(same_system(uuid, *parse_uuid("00112233-4455-6677-8899-aabbccddeefe")));
  for (const char* bad :
       {"", "0011", "00112233-4455-6677-8899-aabbccddeefff", "0x112233445566778899aabbccddeeff", "-"})
    EXPECT_FALSE(parse_uuid(bad)) << bad;
}

TEST(BmcUuid, AFillerIdentifiesNobody) {
  EXPECT_FALSE(is_unique(*parse_uuid("00000000-0000-0000-0000-000000000000")));
  EXPECT_FALSE(is_unique(*parse_uuid("ffffffff-ffff-ffff-ffff-ffffffffffff")));
  EXPECT_FALSE(is_unique(*parse_uuid("03000200-0400-0500-0006-000700080009")));
  EXPECT_TRUE(is_unique(*parse_uuid("00112233-4455-6677-8899-aabbccddeeff")));
}

TEST(BmcReply, IsAUuidOrNothing) {
  const auto uuid = guid_of_ipmitool(" 72 61 63 6b 6c 69 6e 65 00 00 00 00 00 00 00 01\n");
  ASSERT_TRUE(uuid);
  EXPECT_EQ(to_text(*uuid), "7261636b-6c69-6e65-0000-000000000001");
  for (const char* bad : {"", "Unable to send RAW command", " 72 61", "72-61"})
    EXPECT_FALSE(guid_of_ipmitool(bad)) << bad;
  EXPECT_EQ(systems_of_redfish(R"({"Members":[{"@odata.id":"/redfish/v1/Systems/1"},{"@odata.id":"//evil/x"},
                                   {"@odata.id":"@evil"},7,{"@odata.id":"/a b"}]})"),
            std::vector<std::string>{"/redfish/v1/Systems/1"});
  EXPECT_TRUE(uuid_of_redfish(R"({"UUID":"72616b6c-0000-4000-8000-000000000001"})"));
  for (const char* bad : {"", "[]", "{", R"({"UUID":7})", R"({"UUID":"x"})"})
    EXPECT_FALSE(uuid_of_redfish(bad)) << bad;
  EXPECT_FALSE(uuid_of_redfish(std::string(100'000, '[')));
}

}  // namespace
}  // namespace rackline::bmc
