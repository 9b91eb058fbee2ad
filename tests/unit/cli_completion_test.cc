// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "cli/completion.h"

namespace rackline::cli {
namespace {

using Words = std::vector<std::string>;

// tool [-q] [-o json|table] [-i DURATION] [--schema [KIND]] (move HOST... | show) with a hidden option.
class Completion : public testing::Test {
 protected:
  Completion() {
    app.fallthrough();
    app.set_help_flag("-h,--help", "print this help");
    app.add_flag("-q,--quiet", quiet, "say nothing\nat all");
    output = app.add_option("-o,--output", text, "how");
    app.add_option("-i,--interval", text, "how often");
    schema = app.add_option("--schema", text, "print")->expected(0, 1);
    app.add_option("--secret", text, "for tests")->group("");
    auto* move = app.add_subcommand("move", "move hosts");
    hosts = move->add_option("HOST", list, "which");
    move->add_option("--fast", text, "how fast");
    app.add_subcommand("show", "show all");
  }

  Words offered(const Words& words) {
    return complete(app, words, [this](const CLI::Option& option) -> Words {
      if (&option == output) return {"json", "table"};
      if (&option == schema) return {"vm_move"};
      if (&option == hosts) return {"alpha\tup", "beta"};
      return {"@files"};
    });
  }

  CLI::App app{"a tool", "tool"};
  bool quiet = false;
  std::string text;
  Words list;
  const CLI::Option* output = nullptr;
  const CLI::Option* schema = nullptr;
  const CLI::Option* hosts = nullptr;
};

TEST_F(Completion, FirstASubcommandIsOffered) {
  EXPECT_EQ(offered({""}), (Words{"move\tmove hosts", "show\tshow all"}));
  EXPECT_EQ(offered({"m"}), (Words{"move\tmove hosts"}));
  EXPECT_EQ(offered({}), offered({""}));
}

TEST_F(Completion, OptionsAreOfferedWithTheFirstLineOfTheirText) {
  EXPECT_EQ(offered({"--q"}), (Words{"--quiet\tsay nothing"}));
  EXPECT_EQ(offered({"--se"}), Words{});  // hidden
  EXPECT_EQ(offered({"-"}).size(), 9U);
}

TEST_F(Completion, ASubcommandHasItsOwnOptionsAndTheCommonOnes) {
  EXPECT_EQ(offered({"move", "--f"}), (Words{"--fast\thow fast"}));
  EXPECT_EQ(offered({"show", "--f"}), Words{});
  EXPECT_EQ(offered({"move", "--qu"}), (Words{"--quiet\tsay nothing"}));
  EXPECT_EQ(offered({"move", "--he"}).size(), 1U);
}

TEST_F(Completion, ValuesOfOptions) {
  EXPECT_EQ(offered({"-o", ""}), (Words{"json", "table"}));
  EXPECT_EQ(offered({"--output", "t"}), (Words{"table"}));
  EXPECT_EQ(offered({"--output=t"}), (Words{"--output=table"}));
  EXPECT_EQ(offered({"-qo", "t"}), (Words{"table"}));
  EXPECT_EQ(offered({"--interval", "x"}), (Words{"@files"}));
  EXPECT_EQ(offered({"--interval=x"}), (Words{"@files"}));
  EXPECT_EQ(offered({"--no-such=x"}), Words{});
}

TEST_F(Completion, AnOptionalValueMayBeFollowedByAnythingElse) {
  EXPECT_EQ(offered({"--schema", ""}).front(), "vm_move");
  EXPECT_EQ(offered({"--schema", "--q"}), (Words{"--quiet\tsay nothing"}));
  EXPECT_EQ(offered({"--schema", "-o", "j"}), (Words{"json"}));
}

TEST_F(Completion, AValueIsNoSubcommandAndNoOperand) {
  EXPECT_EQ(offered({"-i", "move", "s"}), (Words{"show\tshow all"}));
  EXPECT_EQ(offered({"-imove", "s"}), (Words{"show\tshow all"}));
  EXPECT_EQ(offered({"--interval=move", "s"}), (Words{"show\tshow all"}));
}

TEST_F(Completion, OperandsOfTheSubcommandAsOftenAsItTakesThem) {
  EXPECT_EQ(offered({"move", ""}), (Words{"alpha\tup", "beta"}));
  EXPECT_EQ(offered({"move", "alpha", "-q", "b"}), (Words{"beta"}));
  EXPECT_EQ(offered({"show", ""}), Words{});
}

TEST_F(Completion, AfterTwoDashesNothingIsAnOption) {
  EXPECT_EQ(offered({"move", "--", "--f"}), Words{});
  EXPECT_EQ(offered({"move", "--", "a"}), (Words{"alpha\tup"}));
}

TEST_F(Completion, TellsWhatWasGiven) {
  EXPECT_EQ(value_given(app, {"--output", "x", ""}, "--output"), "x");
  EXPECT_EQ(value_given(app, {"-o", "x", "move", "--output=y", ""}, "--output"), "y");
  EXPECT_EQ(value_given(app, {"-qox", ""}, "--output"), "x");
  EXPECT_EQ(value_given(app, {"--output", "x"}, "--output"), "");  // is being typed
  EXPECT_EQ(value_given(app, {"--", "--output=x", ""}, "--output"), "");
}

TEST_F(Completion, TheOptionTableHasEveryOptionOnce) {
  EXPECT_EQ(option_table(app),
            (Words{"\t-h,--help\t\tprint this help", "\t-q,--quiet\t\tsay nothing",
                   "\t-o,--output\tTEXT\thow", "\t-i,--interval\tTEXT\thow often", "\t--schema\tTEXT\tprint",
                   "move\tHOST\tTEXT\twhich", "move\t--fast\tTEXT\thow fast"}));
}

}  // namespace
}  // namespace rackline::cli
