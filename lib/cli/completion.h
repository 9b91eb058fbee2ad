// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace rackline::cli {

// Shell completion asks the program itself, so that what the shell offers and what the program takes are one
// thing: `capplan __complete WORD... CURRENT` prints a candidate per line, a tab and its description, and the
// line "@files" where the shell should offer file names. The scripts in completions/ only carry that to and
// fro.

// Candidates for an option's values, "value" or "value\tdescription" each.
using ValuesOf = std::function<std::vector<std::string>(const CLI::Option&)>;

// `words` are those after the program's name; the last one is being typed and may be empty.
std::vector<std::string> complete(const CLI::App& app, const std::vector<std::string>& words,
                                  const ValuesOf& values);

// What `words` give as the value of `flag` ("--inventory"), the last one if several; empty when they do not.
// The word that is being typed does not count.
std::string value_given(const CLI::App& app, const std::vector<std::string>& words, const std::string& flag);

// What the help and the manual call the option's value: "DURATION", "json|table".
std::string value_name(const CLI::Option& option);

// All options of the program and of its subcommands, a line each: "SUBCOMMAND\tFLAGS\tVALUE\tTEXT" (FLAGS
// joined by commas; SUBCOMMAND empty for the program's own): what the manual pages and the shells'
// completions are checked against. Hidden options are left out.
std::vector<std::string> option_table(const CLI::App& app);

}  // namespace rackline::cli
