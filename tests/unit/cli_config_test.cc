// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <tuple>

#include "base/error.h"
#include "cli/config.h"
#include "cli/program.h"
#include "cluster/inventory.h"

namespace rackline::cli {
namespace {

namespace fs = std::filesystem;

class Config : public testing::Test {
 protected:
  Config() {
    std::string name = (fs::path(testing::TempDir()) / "rackline-config-XXXXXX").string();
    home = mkdtemp(name.data());
    setenv("XDG_CONFIG_HOME", home.c_str(), 1);
    fs::create_directories(home / "rackline");
  }
  ~Config() override {
    unsetenv("XDG_CONFIG_HOME");
    fs::remove_all(home);
  }
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;

  std::string write(const char* name, const std::string& text) const {
    const auto path = home / "rackline" / name;
    std::ofstream(path) << text;
    return path.string();
  }

  // What applying the configuration says; empty: nothing is wrong.
  std::string apply() {
    try {
      apply_config(program.app(), "tool");
      program.app().parse("");
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kUsage);
      return error.what();
    }
    return {};
  }

  fs::path home;
  Program program{{.name = "tool", .summary = "test"}};
};

TEST_F(Config, SetsOptionsOfEveryType) {
  Milliseconds wait{1};
  std::int64_t size = 1;
  double share = 1;
  std::string mode;
  int number = 1;
  bool flag = false;
  auto& at = program.options();
  at.duration("--wait", wait, "");
  at.bytes("--size", size, "");
  at.percent("--share", share, "");
  at.choice("--mode", mode, {"a", "b"}, "");
  at.number("-n,--number", number, "");
  at.flag("--flag", flag, "");
  write("config.toml",
        "wait = \"5s\"\n[tool]\nsize = \"2KiB\"\nshare = \"75%\"\nmode = \"b\"\nnumber = 7\nflag = "
        "true\n[migrate]\nnumber = 9\nnone = 1\n");
  EXPECT_EQ(apply(), "");
  EXPECT_EQ(wait, Milliseconds{5000});
  EXPECT_EQ(size, 2048);
  EXPECT_EQ(share, 75);
  EXPECT_EQ(mode, "b");
  EXPECT_EQ(number, 7);
  EXPECT_TRUE(flag);
}

TEST_F(Config, TheCommandLineWins) {
  Milliseconds wait{1};
  program.options().duration("--wait", wait, "");
  write("config.toml", "wait = \"5s\"\n");
  apply_config(program.app(), "tool");
  program.app().parse("--wait 7s");
  EXPECT_EQ(wait, Milliseconds{7000});
}

TEST_F(Config, TheEnvironmentWins) {
  int number = 1;
  program.options().number("--number", number, "").from("RACKLINE_TEST_NUMBER");
  write("config.toml", "number = 7\n");
  setenv("RACKLINE_TEST_NUMBER", "8", 1);
  EXPECT_EQ(apply(), "");
  unsetenv("RACKLINE_TEST_NUMBER");
  EXPECT_EQ(number, 8);
}

TEST_F(Config, WhatOtherProgramsUnderstandIsNoMistake) {
  write("config.toml", "# all programs\ninventory = \"/x\"\n\n#[tool]\n");
  EXPECT_EQ(apply(), "");
}

TEST_F(Config, AMistakeIsToldWithFileAndKey) {
  write("config.toml", "[tool]\nno-such = 1\n");
  EXPECT_NE(apply().find("config.toml: tool.no-such: tool has no option --no-such"), std::string::npos);
}

TEST_F(Config, WhatIsNoTomlIsToldWithItsLine) {
  for (const auto& [text, line, why] : std::initializer_list<std::tuple<const char*, int, const char*>>{
           {"mode : \"a\"\n", 1, "expected KEY = VALUE"},
           {"\ngarbage line\n", 2, "expected KEY = VALUE"},
           {"[tool\n", 1, "expected ]"},
           {"[[tool]]\n", 1, "no list of them"},
           {"[]\n", 1, "expected KEY"},
           {"mode = a\n", 1, "a is no value: a text stands in \"quotes\""},
           {"mode = \n", 1, "there is no value"},
           {"mode = \"a\" b\n", 1, "something follows the value"},
           {"mode = \"a\nx = 1\n", 1, "a text does not end"},
           {"mode = \"\"\"a\"\"\"\n", 1, "a text of several lines"},
           {"mode = \"\\q\"\n", 1, "an escape that is none"},
           {"mode = \"\\ud800\"\n", 1, "an escape that is none"},
           {"number = 010\n", 1, "010 is no value"},
           {"number = nan\n", 1, "nan is no value"},
           {"mode = {a = 1}\n", 1, "{a is no value"},
           {"list = [\n1,\n2\n", 4, "a list does not end"},
           {"list = [1 2]\n", 1, "expected , or ]"},
           {"mode = \"a\"\nmode = \"b\"\n", 2, "mode stands there twice"},
           {"tool.mode = \"a\"\n[tool]\nmode = \"b\"\n", 3, "tool.mode stands there twice"},
           {"[tool]\n[fence]\n[tool]\n", 3, "the section stands there twice"},
           {"[resreve]\n", 1, "there is no program resreve; did you mean reserve?"}}) {
    write("config.toml", text);
    const std::string said = apply();
    EXPECT_NE(said.find("config.toml: line " + std::to_string(line) + ": "), std::string::npos)
        << text << said;
    EXPECT_NE(said.find(why), std::string::npos) << text << said;
  }
}

TEST_F(Config, WhatTomlTakesForTheSameIsTaken) {
  std::string mode;
  int number = 1;
  std::vector<std::string> list;
  program.options().choice("--mode", mode, {"a", "\xc3\xa4"}, "");
  program.options().number("--number", number, "");
  program.options().texts("--list", list, "", "X");
  write("config.toml",
        "# first\r\n  [ tool ] # blanks\r\n\"mode\" = '\xc3\xa4'# none\n number=1_000\nlist = [ # one a "
        "line\n  \"x\",\n"
        "  'y', ]\n[fence]\n");
  EXPECT_EQ(apply(), "");
  EXPECT_EQ(mode, "\xc3\xa4");
  EXPECT_EQ(number, 1000);
  write("config.toml", "tool.mode = \"\\u00e4\"");
  EXPECT_EQ(apply(), "");
  write("config.toml", "[ tool ]\nmode = \"jsn\"\n");
  EXPECT_NE(apply().find("config.toml: tool.mode: "), std::string::npos);
  EXPECT_NE(apply().find("(line 2)"), std::string::npos);
}

TEST_F(Config, ABadValueIsToldWithFileAndKey) {
  Milliseconds wait{1};
  program.options().duration("--wait", wait, "");
  write("config.toml", "wait = \"5 parsecs\"\n");
  const std::string said = apply();
  EXPECT_NE(said.find("config.toml"), std::string::npos) << said;
  EXPECT_NE(said.find("wait"), std::string::npos) << said;
  EXPECT_NE(said.find("expected a duration"), std::string::npos) << said;
}

TEST_F(Config, TheUsersDirectoryIsLookedAtFirst) {
  EXPECT_EQ(config_directories(), (std::vector<fs::path>{home / "rackline", "/etc/rackline"}));
  unsetenv("XDG_CONFIG_HOME");
  setenv("HOME", "/home/somebody", 1);
  EXPECT_EQ(config_directories().front(), "/home/somebody/.config/rackline");
}

TEST_F(Config, TheUsersInventoryIsTheDefault) {
  const auto path = write("inventory.jsonl", "");
  EXPECT_EQ(default_inventory(), path);
}

std::string refused(const std::string& path) {
  try {
    cluster::load_inventory(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUsage);
    return error.what();
  }
  return "nothing";
}

TEST_F(Config, AnInventoryIsReadInItsOrderAndOtherRecordsAreLeftAlone) {
  const auto path = write("i",
                          "{\"kind\":\"host\",\"host\":\"b\",\"uri\":\"u\"}\n\n{\"kind\":\"rack\",\"x\":1}\n{"
                          "\"kind\":\"host\",\"host\":\"a\",\"uri\":\"u\",\"drained\":true}");
  const auto hosts = cluster::load_inventory(path);
  ASSERT_EQ(hosts.size(), 2U);
  EXPECT_EQ(hosts[0].host, "b");
  EXPECT_EQ(hosts[1].drained, true);
}

TEST_F(Config, TwoHostsWithOneHypervisorAreRefusedInAnySpelling) {
  const auto two = [&](const std::string& a, const std::string& b) {
    return refused(write("i", R"({"kind":"host","host":"a","uri":")" + a +
                                  "\"}\n"
                                  R"({"kind":"host","host":"b","uri":")" +
                                  b + "\"}"));
  };
  for (const auto& [a, b] :
       {std::pair("qemu+tcp://10.0.0.1/system", "qemu+tcp://10.0.0.1/system"),
        std::pair("qemu+ssh://root@H1/system", "qemu+tls://h1./system?no_verify=1"),
        std::pair("qemu+tcp://[::ffff:10.0.0.1]:16509/system", "qemu+tcp://10.0.0.1/system"),
        std::pair("qemu+tcp://h1/system", "qemu+tcp://h%31:016509/system"),
        std::pair("qemu:///system", "qemu+tcp://localhost/system"),
        std::pair("qemu:///system", "qemu+ssh://[::1]/system"),
        std::pair("qemu:///system", "qemu+unix:///system")}) {
    EXPECT_NE(two(a, b).find("hosts a and b have one and the same hypervisor"), std::string::npos) << b;
  }
  for (const auto& [a, b] : {std::pair("qemu+tcp://10.0.0.1/system", "qemu+tcp://10.0.0.2/system"),
                             std::pair("qemu+tcp://h1:1/system", "qemu+tcp://h1:2/system"),
                             std::pair("qemu+unix:///system?socket=/a", "qemu+unix:///system?socket=/b"),
                             std::pair("test:///default", "test:///default")}) {
    EXPECT_EQ(two(a, b), "nothing") << b;
  }
}

TEST_F(Config, AnInventoryThatIsWrongIsRefusedWithLineAndReason) {
  const std::string a = "{\"kind\":\"host\",\"host\":\"a\",\"uri\":\"u\"}\n";
  EXPECT_NE(refused(write("i", a + "\n" + a)).find("line 3: host a stands in line 1 already"),
            std::string::npos);
  EXPECT_NE(refused(write("i", "{\"kind\":\"host\",\"host\":\"a\",\"uri\":\"\"}"))
                .find("line 1: host a has no uri"),
            std::string::npos);
  EXPECT_NE(refused(write("i", "{\"kind\":\"host\",\"host\":\"\",\"uri\":\"u\"}")).find("has no name"),
            std::string::npos);
  EXPECT_NE(refused(write("i", a + "{\"kind\":\"host\"")).find("line 2"), std::string::npos);
  EXPECT_NE(refused(write("i", "{\"kind\":\"host\",\"hots\":\"a\",\"uri\":\"u\"}")).find("no field \"host\""),
            std::string::npos);
  EXPECT_NE(refused(write("i", "")).find("it has no host"), std::string::npos);
  EXPECT_NE(refused("").find("there is none"), std::string::npos);
  EXPECT_NE(refused("/no/such/file").find("/no/such/file: No such file"), std::string::npos);
}

}  // namespace
}  // namespace rackline::cli
