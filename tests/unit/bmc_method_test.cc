// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "bmc/agent.h"
#include "store_urls.h"

namespace rackline::bmc {
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
  // The agent for Redfish makes a URL of it.
  EXPECT_EQ(of_bmc("redfish://[fe80::1]:8443").option("ip"), "[fe80::1]");
}

TEST(FenceMethods, CertificateAndCipherAreThoseOfTheHost) {
  auto record = host("h1", "redfish://x");
  const auto made = [&] { return fence_methods({record}, {}, {}).at("h1").at(0).at(0); };
  EXPECT_EQ(made().option("ssl_insecure"), "");
  record.bmc_ca_file = "/etc/ca.pem";
  EXPECT_EQ(made().ca_file, "/etc/ca.pem");
  record.bmc_tls = "insecure";
  EXPECT_THROW(made(), Error);
  record.bmc_ca_file.reset();
  EXPECT_EQ(made().option("ssl_insecure"), "1");
  record.bmc_tls = "maybe";
  EXPECT_THROW(made(), Error);
  record = host("h1", "ipmi://x");
  record.bmc_cipher = 17;
  EXPECT_EQ(made().option("cipher"), "17");
  record.bmc_cipher = 18;
  EXPECT_THROW(made(), Error);
}

TEST(FenceMethods, ABmcIsNeverRepeated) {
  try {
    of_bmc("ipmi://admin:s3cretpw@10.9.0.1");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUsage);
    EXPECT_EQ((std::string(error.what()) + error.hint()).find("s3cretpw"), std::string::npos);
  }
}

TEST(FenceMethods, NoControlCharacterReachesAnAgent) {
  for (const char* bad : {"a\nb", "a\rb", "a\tb", "a\x7f", "a\x01"}) {
    EXPECT_THROW(of_bmc("ipmi://10.0.0.1", {bad, "", 3}), Error);
    EXPECT_THROW(of_bmc("ipmi://10.0.0.1", {"u", bad, 3}), Error);
    EXPECT_THROW(of_bmc(std::string("ipmi://10.0.0.1") + bad), Error);
    auto record = method("h1", 1, "x");
    record.options = {std::string("username=") + bad};
    EXPECT_THROW(fence_methods({host("h1")}, {record}, {}), Error);
    FenceMethod made;
    made.agent = "x";
    EXPECT_THROW(agent_input(made, PowerAction::kStatus, bad), Error);
    made.options = {std::string("username=") + bad};
    EXPECT_THROW(agent_input(made, PowerAction::kStatus, ""), Error);
  }
}

// Two hosts, each with one method; whether that is refused.
bool shared(const std::string& agent, const record::List& one, const std::string& other_agent,
            const record::List& other) {
  auto first = method("h1", 1, agent);
  auto second = method("h2", 1, other_agent);
  first.options = one;
  second.options = other;
  try {
    fence_methods({host("h1"), host("h2")}, {first, second}, {});
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("h1 and h2"), std::string::npos) << what;
    return true;
  }
  return false;
}

TEST(FenceMethods, OneSwitchBelongsToOneHost) {
  using List = std::vector<std::string>;
  const List bmc{"ip=10.0.0.1"};
  EXPECT_TRUE(shared("fence_ipmilan", bmc, "fence_ipmilan", bmc));
  EXPECT_TRUE(
      shared("fence_ipmilan", bmc, "/usr/sbin/fence_ilo4", List{"ipaddr=::ffff:10.0.0.1", "ipport=0623"}));
  EXPECT_TRUE(shared("fence_ipmilan", bmc, "fence_ipmilanplus", List{" ip=\"10.0.0.01\" "}));
  for (const char* spelling : {"ip=10.0.0.1:443", "ip=10.0.0.1:"})
    EXPECT_TRUE(shared("fence_ipmilan", bmc, "fence_redfish", List{spelling})) << spelling;
  EXPECT_TRUE(shared("fence_redfish", List{"ip=10.0.0.1:8443", "ipport=443"}, "fence_redfish",
                     List{"ip=10.0.0.1:8443"}));
  EXPECT_TRUE(shared("fence_redfish", List{"ip=[2001:db8::1]"}, "fence_redfish", List{"ip=2001:DB8:0::1"}));
  EXPECT_TRUE(shared("fence_ipmilan", List{"ip=bmc.example"}, "fence_idrac", List{"ip=BMC.example."}));
  EXPECT_FALSE(shared("fence_ipmilan", bmc, "fence_ipmilan", List{"ip=10.0.0.2"}));
  EXPECT_FALSE(shared("fence_ipmilan", bmc, "fence_ipmilan", List{"ip=10.0.0.1", "ipport=6230"}));

  EXPECT_FALSE(shared("fence_apc", List{"ip=pdu", "plug=1"}, "fence_apc", List{"ip=pdu", "plug=2"}));
  EXPECT_TRUE(shared("fence_apc", List{"ip=pdu", "plug=1"}, "fence_apc", List{"ip=pdu", "port=01"}));
  EXPECT_TRUE(shared("fence_apc", List{"ip=pdu", "plug=1"}, "fence_apc_snmp", List{"ip=PDU", "plug=1"}));
  EXPECT_TRUE(shared("fence_apc", List{"ip=pdu", "plug=1,4"}, "fence_apc", List{"ip=pdu", "plug=4"}));
  EXPECT_TRUE(
      shared("fence_apc", List{"ip=pdu", "plug=2:4"}, "fence_apc", List{"ip=pdu", "switch=2", "plug=4"}));
  EXPECT_TRUE(shared("fence_apc", List{"ip=pdu"}, "fence_apc", List{"ip=pdu", "plug=4"}));
  // What has no plugs ignores them, and what chooses among several systems has several spellings.
  EXPECT_TRUE(shared("fence_ipmilan", List{"ip=10.0.0.1", "plug=h1"}, "fence_ipmilan",
                     List{"ip=10.0.0.1", "plug=h2"}));
  EXPECT_TRUE(shared("fence_redfish", List{"ip=b", "plug=h1", "uuid=1"}, "fence_redfish",
                     List{"ip=b", "plug=h2", "uuid=2"}));
  EXPECT_TRUE(shared("fence_drac5", List{"ip=b", "plug=1"}, "fence_drac5", List{"ip=b", "plug=2"}));
  EXPECT_FALSE(shared("fence_drac5", List{"ip=b", "plug=1", "drac_version=DRAC CMC"}, "fence_drac5",
                      List{"ip=b", "plug=2", "drac_version=DRAC CMC"}));
  EXPECT_TRUE(
      shared("fence_ipmilan", List{"ip=b", "target=0x82"}, "fence_ipmilan", List{"ip=b", "target=130"}));
  EXPECT_TRUE(shared("fence_redfish", List{"ip=b", "systems_uri=/redfish/v1//Systems/1"}, "fence_redfish",
                     List{"ip=b", "systems_uri=/redfish/v1/Systems/1/"}));
  EXPECT_TRUE(shared("mine", List{"verbose=1", "power_timeout=3", "plug=h1"}, "mine",
                     List{"delay=1", "retry_on=2", "plug=h1"}));
  EXPECT_FALSE(shared("fence_apc", List{"ip=pdu", "plug=1"}, "fence_wti", List{"ip=pdu", "plug=1"}));

  EXPECT_TRUE(shared("mine", List{"plug=h1"}, "mine", List{"plug=h1"}));
  EXPECT_FALSE(shared("mine", List{"plug=h1"}, "mine", List{"plug=h2"}));
  EXPECT_FALSE(shared("self", {}, "self", {}));
  // By bmc as well, and for one host it is nobody's business.
  EXPECT_THROW(fence_methods({host("h1", "ipmi://10.0.0.1"), host("h2", "ipmi://10.0.0.1:623/")}, {}, {}),
               Error);
  EXPECT_NO_THROW(fence_methods({host("h1")}, {method("h1", 1, "a"), method("h1", 2, "a")}, {}));
}

// A program with these words, as a file that only we may write.
std::string program(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
  chmod(path.c_str(), 0755);
  return path;
}

TEST(FenceMethods, AnAgentByAnotherNameIsTheSame) {
  using List = std::vector<std::string>;
  const store::ScratchDirectory scratch;
  const auto directory = std::filesystem::canonical(scratch.path());
  const auto agent = program(directory / "fence_ipmilan", "#!/bin/sh\n");
  const std::string link = directory / "fence_bmc";
  std::filesystem::create_symlink(agent, link);
  const auto copy = program(directory / "fence_mine", "from fencing import *\nx = '--ipmitool-path'\n");
  const auto own = program(directory / "own", "#!/bin/sh\n# ours\n");
  const auto owns = program(directory / "owns", "#!/bin/sh\n# ours\n");
  const auto snmp = program(directory / "fence_s", "from fencing import *\nfrom fencing_snmp import x\n");
  const List bmc{"ip=10.0.0.1"};
  const std::string before = getenv("PATH");
  setenv("PATH", (directory.string() + ":" + before).c_str(), 1);
  EXPECT_TRUE(shared("fence_bmc", bmc, "fence_redfish", bmc));
  EXPECT_TRUE(shared("fence_mine", List{"ip=10.0.0.1", "plug=1"}, "fence_ipmilan", bmc));
  EXPECT_TRUE(shared(own, List{"ip=10.0.0.1", "plug=1"}, owns, List{"ip=10.0.0.1", "plug=1"}));
  EXPECT_TRUE(shared(own, List{"plug=1"}, "owns", List{"plug=1"}));
  FenceMethod method;
  method.password_file = "/pw";
  for (const std::string& name : {link, copy, std::string("fence_bmc"), std::string("fence_mine")}) {
    method.agent = name;
    EXPECT_EQ(agent_input(method, PowerAction::kStatus, "secret").find("secret"), std::string::npos) << name;
  }
  method.agent = snmp;
  EXPECT_THROW(agent_input(method, PowerAction::kStatus, "secret"), Error);
  setenv("PATH", before.c_str(), 1);
}

TEST(FenceMethods, AnAgentThatOthersMayReplaceIsRefused) {
  const store::ScratchDirectory scratch;
  const auto directory = std::filesystem::canonical(scratch.path()) / "d";
  std::filesystem::create_directory(directory);
  const auto agent = program(directory / "fence_own", "#!/bin/sh\n");
  const std::string link = std::filesystem::canonical(scratch.path()) / "link";
  std::filesystem::create_symlink(agent, link);
  const auto refused = [&](const std::string& name) {
    try {
      fence_methods({host("h1")}, {method("h1", 1, name)}, {});
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kUsage);
      return true;
    }
    return false;
  };
  EXPECT_FALSE(refused(agent) || refused(link));
  chmod(agent.c_str(), 0777);
  EXPECT_TRUE(refused(agent) && refused(link));
  chmod(agent.c_str(), 0755);
  chmod(directory.c_str(), 0777);
  EXPECT_TRUE(refused(agent) && refused(link));
  chmod(directory.c_str(), 0755);
}

bool refuses(const std::string& agent, const std::string& option) {
  auto record = method("h1", 1, agent);
  record.options = {option};
  try {
    fence_methods({host("h1")}, {record}, {});
  } catch (const Error& error) {
    const auto value = option.substr(option.find('=') + 1);
    EXPECT_EQ((std::string(error.what()) + error.hint()).find(value), std::string::npos) << option;
    return true;
  }
  return false;
}

TEST(FenceMethods, WhatMakesOffOfWhatIsMissingIsRefused) {
  for (const char* option : {"missing_as_off=1x", "missing-as-off=yes!", "warntimeout=77", "port_as_ip=1x"})
    EXPECT_TRUE(refuses("fence_virsh", option)) << option;
}

TEST(FenceMethods, SecretsAndFilesToWriteAreRefused) {
  for (const char* option : {"community=s3cret", "secret_key=s3cret", "access_key=s3cret", "apikey=s3cret",
                             "token=s3cret", "api-password=s3cret", "logfile=/victim", "debug_file=/victim",
                             "token_file=/victim", "cookie-file=/victim", "status_file=/victim"})
    EXPECT_TRUE(refuses("fence_x", option)) << option;
}

TEST(FenceMethods, ValuesThatWouldLeaveTheirPlaceInACommandLineAreRefused) {
  for (const char* agent : {"fence_ipmilan", "fence_virsh", "fence_apc_snmp", "fence_own"}) {
    for (const char* name : {"plug", "switch", "username", "login_timeout", "cipher", "target", "own"}) {
      for (const char* value : {"a b c", "-oProxy", "a'b", "a\"b", "$(x)", "a;b", "a|b", "a`b"})
        EXPECT_TRUE(refuses(agent, std::string(name) + "=" + value)) << agent << " " << name << " " << value;
      EXPECT_FALSE(refuses(agent, std::string(name) + "=a-1_b.c:d,e@f")) << agent << " " << name;
    }
  }
  EXPECT_TRUE(refuses("fence_ipmilan", "ipmitool_path=/bin/true -E"));
  // Names of virtual servers have blanks, and these run nothing.
  EXPECT_FALSE(refuses("fence_vmware_rest", "plug=My server"));
  EXPECT_FALSE(refuses("fence_vmware_soap", "username=DOMAIN\\admin"));
  EXPECT_FALSE(refuses("fence_apc", "command_prompt=[$>] "));
  EXPECT_FALSE(refuses("fence_ironic", "auth_url=https://x:5000/v3?a=b&c=d"));
}

TEST(FenceMethods, OptionsThatRunSomethingAreRefused) {
  const store::ScratchDirectory scratch;
  const std::string tool = scratch.path() / "tool";
  std::ofstream(tool) << "x";
  chmod(tool.c_str(), 0755);
  const auto refused = [](const std::string& agent, const std::string& option) {
    auto record = method("h1", 1, agent);
    record.options = {option};
    try {
      fence_methods({host("h1")}, {record}, {});
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kUsage);
      return true;
    }
    return false;
  };
  for (const char* option :
       {" action=off", "action =off", "option=off", "passwd-script=x", "password_script=x",
        "passwd_script=/x", "snmp-priv-passwd-script=x", "ssh-options=-oProxyCommand=x", "runonfail=x",
        "Action=off", "sudo_path=x", "#ip=x", "=x", "ip=$(x)", "ip=-E", "ip=a b", "hexadecimal_kg=00",
        "debug=/tmp/x"})
    EXPECT_TRUE(refused("fence_x", option)) << option;
  EXPECT_TRUE(refused("fence_ipmilan", "ipmitool_timeout=2 -P x"));
  EXPECT_TRUE(refused("fence_ilo4", "privlvl=user -H y"));
  EXPECT_FALSE(refused("fence_ipmilan", "ipmitool_path=" + tool));
  chmod(tool.c_str(), 0777);
  EXPECT_TRUE(refused("fence_ipmilan", "ipmitool_path=" + tool));
  auto twice = method("h1", 1, "fence_x");
  twice.options = {"ip=a", "ipaddr=b"};
  EXPECT_THROW(fence_methods({host("h1")}, {twice}, {}), Error);
}

TEST(FenceAgentInput, ATokenGoesByItsOwnName) {
  FenceMethod method;
  method.agent = "fence_ibm_vpc";
  method.password_file = "/pw";
  EXPECT_EQ(agent_input(method, PowerAction::kOn, "secret"), "apikey=secret\naction=on\n");
}

TEST(FenceMethods, AnAgentThatCannotKeepAPasswordGetsNone) {
  auto record = method("h1", 1, "fence_apc_snmp");
  EXPECT_NO_THROW(fence_methods({host("h1")}, {record}, {}));
  record.password_file = "/etc/pw";
  for (const char* agent : {"fence_apc_snmp", "/usr/sbin/fence_eaton_snmp", "fence_vmware"}) {
    record.agent = agent;
    EXPECT_THROW(fence_methods({host("h1")}, {record}, {}), Error) << agent;
    FenceMethod made;
    made.agent = agent;
    EXPECT_THROW(agent_input(made, PowerAction::kStatus, "secret"), Error) << agent;
  }
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
            "ipmitool_timeout=2 -f '/etc/it'\"'\"'s'\naction=off\n");
  method.options = {"ip=x", "ipmitool_timeout=7"};
  EXPECT_EQ(agent_input(method, PowerAction::kStatus, "secret"),
            "ip=x\nipmitool_timeout=7 -f '/etc/it'\"'\"'s'\naction=status\n");
  for (const char* sister :
       {"fence_ipmilanplus", "fence_ilo3", "fence_ilo4", "fence_ilo5", "fence_idrac", "fence_imm"}) {
    method.agent = sister;
    EXPECT_EQ(agent_input(method, PowerAction::kStatus, "secret").find("secret"), std::string::npos)
        << sister;
  }
  method.agent = "fence_redfish";
  EXPECT_EQ(agent_input(method, PowerAction::kStatus, "secret"),
            "ip=x\nipmitool_timeout=7\npassword=secret\naction=status\n");
}

TEST(FenceAgentComplaint, IsOneLineWithoutSecrets) {
  EXPECT_EQ(agent_complaint("first\nlogin secret failed for secret\n\n", "secret"),
            "login *** failed for ***");
  EXPECT_EQ(agent_complaint("a\x1b[2Jb", ""), "a [2Jb");
  EXPECT_EQ(agent_complaint("", "secret"), "");
  EXPECT_LT(agent_complaint(std::string(100'000, 'x'), "").size(), 300U);
  // What the agents say at the end of every failure is no reason.
  EXPECT_EQ(agent_complaint("2026-11-29 08:00:00,123 ERROR: Failed: certificate verify failed\n\n"
                            "2026-11-29 08:00:00,124 ERROR: Please use '-h' for usage\n\n",
                            ""),
            "Failed: certificate verify failed");
  EXPECT_EQ(agent_complaint("ERROR: Please use '-h' for usage\n", ""), "ERROR: Please use '-h' for usage");
  const std::string both_ends =
      agent_complaint("begin " + std::string(1000, 'x') + " self-signed certificate", "");
  EXPECT_TRUE(both_ends.starts_with("begin ") && both_ends.ends_with("self-signed certificate"));
  // Where the secret spans lines or repeats itself.
  EXPECT_EQ(agent_complaint("aaaa", "aa"), "******");
}

TEST(FenceAgentComplaint, IsWithoutSecretsInWhateverForm) {
  for (const char* said :
       {"s3cr&t+pw x", "s3cr%26t%2Bpw", "s3cr%26t%2bpw", "s3cr\\&t+pw", "czNjciZ0K3B3",
        "Basic YWRtOnMzY3ImdCtwdw==", "czNjciZ0K3B3Cg==", "Basic dTpzM2NyJnQrcHc=", "eHg6czNjciZ0K3B3"}) {
    const auto told = agent_complaint(std::string("it is ") + said, "s3cr&t+pw");
    EXPECT_NE(told.find("***"), std::string::npos) << said;
    for (const char* part : {"3cr", "NjciZ0", "M2NyJn", "zY3Imd"})
      EXPECT_EQ(told.find(part), std::string::npos) << told;
  }
  EXPECT_EQ(agent_complaint("nothing of it", "s3cr&t+pw"), "nothing of it");
}

// An agent that prints these words and ends with this status.
Power power_of(const std::string& script) {
  const store::ScratchDirectory scratch;
  FenceMethod method;
  method.agent = program(std::filesystem::canonical(scratch.path()) / "agent", "#!/bin/sh\n" + script);
  return FenceAgents().call(method, PowerAction::kStatus, Milliseconds{10'000}).power;
}

TEST(FenceAgentStatus, IsALineOfItsOwn) {
  EXPECT_EQ(power_of("echo 'Status: OFF'; exit 2"), Power::kOff);
  EXPECT_EQ(power_of("echo 'Status: ON'"), Power::kOn);
  EXPECT_EQ(power_of("echo 'error: Status: OFFLINE'; exit 2"), Power::kUnknown);
  EXPECT_EQ(power_of("echo 'Status: OFFLINE'; exit 2"), Power::kUnknown);
  EXPECT_EQ(power_of("echo 'no Status: OFF'; exit 2"), Power::kUnknown);
  EXPECT_EQ(power_of("echo 'Status: OFF'; echo 'Status: ON' >&2; exit 2"), Power::kUnknown);
  EXPECT_EQ(power_of("echo 'Status: OFF'"), Power::kUnknown);
  EXPECT_EQ(power_of("exit 2"), Power::kUnknown);
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
}  // namespace rackline::bmc
