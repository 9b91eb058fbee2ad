// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/error.h"
#include "ha/fence_agent.h"
#include "store_urls.h"

namespace rackline::ha {
namespace {

record::Host host(const std::string& name, const record::Text& bmc = {}) {
  record::Host host;
  host.host = name;
  host.bmc = bmc;
  return host;
}

record::FenceMethod method(const std::string& name, std::int64_t level, const std::string& agent) {
  record::FenceMethod record;
  record.host = name;
  record.level = level;
  record.agent = agent;
  return record;
}

FenceMethod of_bmc(const std::string& bmc, const BmcAccess& access = {}) {
  return fence_methods({host("h1", bmc)}, {}, access).at("h1").at(0).at(0);
}

TEST(FenceMethods, FollowFromTheBmcWhereThereIsNoRecord) {
  const auto ipmi = of_bmc("ipmi://10.0.0.1:6230", {"admin", "/secret", 17});
  EXPECT_EQ(ipmi.agent, "fence_ipmilan");
  EXPECT_EQ(ipmi.option("ip"), "10.0.0.1");
  EXPECT_EQ(ipmi.option("ipport"), "6230");
  EXPECT_EQ(ipmi.option("username"), "admin");
  EXPECT_EQ(ipmi.option("lanplus"), "1");
  EXPECT_EQ(ipmi.option("cipher"), "17");
  EXPECT_EQ(ipmi.password_file, "/secret");
  EXPECT_EQ(of_bmc("redfish://bmc.example").agent, "fence_redfish");
  const auto v6 = of_bmc("ipmi://[fe80::1]:623");
  EXPECT_EQ(v6.option("ip"), "fe80::1");
  EXPECT_EQ(v6.option("ipport"), "623");
  EXPECT_EQ(of_bmc("ipmi://[fe80::1]").option("ipport"), "");
}

TEST(FenceMethods, AnUnknownFormOfBmcIsRefused) {
  for (const char* bmc : {"", "10.0.0.1", "ipmi://", "ssh://x", "ipmi://x:", "ipmi://x:y", "ipmi://a b",
                          "ipmi://[::1", "ipmi://x/y"})
    EXPECT_THROW(of_bmc(bmc), Error) << bmc;
}

TEST(FenceMethods, RecordsTakeThePlaceOfTheBmcAndAreOrderedByLevel) {
  const auto methods = fence_methods({host("h1", "ipmi://x"), host("h2")},
                                     {method("h1", 2, "b"), method("h1", 1, "a"), method("h1", 2, "c")}, {});
  ASSERT_EQ(methods.at("h1").size(), 2U);
  EXPECT_EQ(methods.at("h1")[0][0].agent, "a");
  EXPECT_EQ(methods.at("h1")[1].size(), 2U);
  EXPECT_TRUE(methods.at("h2").empty());
}

TEST(FenceMethods, WhatCannotBeMeantIsRefused) {
  EXPECT_THROW(fence_methods({host("h1")}, {method("h2", 1, "a")}, {}), Error);
  EXPECT_THROW(fence_methods({host("h1")}, {method("h1", 1, "a"), method("h1", 1, "self")}, {}), Error);
  for (const char* option : {"password=x", "passwd=x", "action=on", "noequals", "a=b\naction=on"}) {
    auto record = method("h1", 1, "a");
    record.options = {option};
    EXPECT_THROW(fence_methods({host("h1")}, {record}, {}), Error) << option;
  }
}

TEST(FenceAgentInput, AnAgentThatShowsPasswordsGetsTheFileInstead) {
  FenceMethod method;
  method.agent = "/usr/sbin/fence_ipmilan";
  method.password_file = "/etc/it's";
  EXPECT_EQ(agent_input(method, PowerAction::kOff, "secret"),
            "action=off\nipmitool_timeout=2 -f '/etc/it'\"'\"'s'\n");
  method.options = {"ip=x", "ipmitool_timeout=7"};
  EXPECT_EQ(agent_input(method, PowerAction::kStatus, "secret"),
            "action=status\nip=x\nipmitool_timeout=7 -f '/etc/it'\"'\"'s'\n");
  method.agent = "fence_redfish";
  EXPECT_EQ(agent_input(method, PowerAction::kStatus, "secret"),
            "action=status\nip=x\nipmitool_timeout=7\npassword=secret\n");
}

TEST(FenceAgentComplaint, IsOneLineWithoutSecrets) {
  EXPECT_EQ(agent_complaint("first\nlogin secret failed for secret\n\n", "secret"),
            "login *** failed for ***");
  EXPECT_EQ(agent_complaint("a\x1b[2Jb", ""), "a [2Jb");
  EXPECT_EQ(agent_complaint("", "secret"), "");
  EXPECT_LT(agent_complaint(std::string(100'000, 'x'), "").size(), 300U);
  // Where the secret spans lines or repeats itself.
  EXPECT_EQ(agent_complaint("aaaa", "aa"), "******");
}

TEST(FencePassword, IsReadOnlyFromAFileOfItsOwnersAlone) {
  const store::ScratchDirectory scratch;
  const std::string path = scratch.path() / "password";
  const auto write = [&](const std::string& text) { std::ofstream(path) << text; };
  write("secret\n");
  chmod(path.c_str(), 0600);
  EXPECT_EQ(read_password(path), "secret");
  for (const mode_t mode : {0640U, 0604U, 0660U}) {
    chmod(path.c_str(), mode);
    EXPECT_THROW(read_password(path), Error) << mode;
  }
  chmod(path.c_str(), 0600);
  write("secret\naction=on\n");  // an agent would take it for an option
  EXPECT_THROW(read_password(path), Error);
  write("\n");
  EXPECT_THROW(read_password(path), Error);
  EXPECT_THROW(read_password(scratch.path()), Error);
  EXPECT_THROW(read_password(path + ".none"), Error);
}

}  // namespace
}  // namespace rackline::ha
