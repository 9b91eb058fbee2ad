// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cli/options.h"

namespace rackline::cli {

// What is known of the declared options and commands beside what CLI11 keeps.
struct Declared {
  std::map<const CLI::Option*, std::vector<std::string>> words;
  std::map<const CLI::Option*, Values> values;
  std::map<const CLI::App*, std::function<Status()>> bodies;
  std::set<const CLI::App*> optional_commands;  // programs that do something without a command, too
};

}  // namespace rackline::cli
