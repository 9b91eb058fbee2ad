// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace rackline::cli {

// The word that was probably meant: one that begins with it, or else differs by few letters. Empty: none.
std::string nearest(const std::string& word, const std::vector<std::string>& words);

// What is wrong where a command was expected: "dran: there is no such command; did you mean drain?". CLI11
// says no more than that one is required. Empty when `error` is about something else.
std::string wrong_command(const CLI::App& app, const CLI::ParseError& error);

// The help of each command names the options of the program, which may stand behind a command as well.
void name_common_options(CLI::App& app);

}  // namespace rackline::cli
