// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "cli/command.h"

namespace rackline::cli {
namespace {

TEST(Command, TheNearestWordIsOffered) {
  const std::vector<std::string> words{"beat", "watch", "replay", "maintenance", "key"};
  const std::pair<const char*, const char*> cases[] = {
      {"wacth", "watch"},
      {"wach", "watch"},
      {"wattch", "watch"},
      {"maintainance", "maintenance"},
      {"maint", "maintenance"},
      {"bet", "beat"},
      {"keys", "key"},
      {"status", ""},
      {"x", ""},
      {"", ""},
      {"drain", ""},
  };
  for (const auto& [word, meant] : cases) EXPECT_EQ(nearest(word, words), meant) << word;
}

// tool [--store URL] [-o json|table] (drain HOST | pool (add | list))
class CommandTest : public testing::Test {
 protected:
  CommandTest() {
    app.fallthrough();
    app.name("tool");
    app.add_option("--store", text, "where");
    app.add_option("-o,--output", text, "how");
    app.require_subcommand(1);
    app.add_subcommand("drain", "empty a host")->add_option("HOST", text, "which")->required();
    auto* pool = app.add_subcommand("pool", "pools");
    pool->require_subcommand(1);
    pool->add_subcommand("add", "add one");
    pool->add_subcommand("list", "list all");
  }
  std::string wrong(const std::string& line) {
    try {
      app.parse(line);
    } catch (const CLI::ParseError& error) {
      return wrong_command(app, error);
    }
    return "nothing is wrong";
  }
  std::string text;
  CLI::App app;
};

TEST_F(CommandTest, AWrongOneIsNamed) {
  EXPECT_EQ(wrong("dran h3"), "dran: there is no such command; did you mean drain?");
  EXPECT_EQ(wrong("--store x dran h3"), "dran: there is no such command; did you mean drain?");
  EXPECT_EQ(wrong("status"), "status: there is no such command; expected one of drain, pool");
  EXPECT_EQ(wrong("pool lst"), "lst: there is no such command; did you mean list?");
  EXPECT_EQ(wrong(""), "expected a command, one of drain, pool");
  EXPECT_EQ(wrong("pool"), "expected a command, one of add, list");
  EXPECT_EQ(wrong("--frce"), "--frce: there is no such option");
}

TEST_F(CommandTest, WhatIsWrongOtherwiseIsLeftToTheParser) {
  EXPECT_EQ(wrong("drain"), "");
  EXPECT_EQ(wrong("drain h1 h2"), "");
  EXPECT_EQ(wrong("pool list --all"), "");
  app.require_subcommand(0, 1);
  EXPECT_EQ(wrong("dran"), "dran: there is no such command; did you mean drain?");
  EXPECT_EQ(wrong(""), "nothing is wrong");
}

TEST_F(CommandTest, TheHelpOfEachNamesTheOptionsOfAll) {
  name_common_options(app);
  for (const char* line : {"drain", "pool", "pool add"}) {
    auto* command = app.get_subcommand(std::string(line).substr(0, std::string(line).find(' ')));
    if (std::string(line) == "pool add") command = command->get_subcommand("add");
    EXPECT_NE(command->help().find("Options of every command: --store -o,--output\n  see tool --help\n"),
              std::string::npos)
        << command->help();
  }
}

}  // namespace
}  // namespace rackline::cli
