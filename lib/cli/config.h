// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace rackline::cli {

// Where configuration is looked for, the user's own first: $XDG_CONFIG_HOME/rackline (~/.config/rackline),
// /etc/rackline.
std::vector<std::filesystem::path> config_directories();

// The inventory of the user, else of the machine: inventory.jsonl in the first of those directories that has
// one; empty when none has.
std::string default_inventory();

// Makes what config.toml says of `program` the defaults of its options, so that the environment and the
// command line still win (CLI11's own configuration file would win over the environment). A key outside any
// section holds for every program that has such an option; a key in the program's own section must be one of
// its options, and there are no sections but those of programs. Throws Error(kUsage) naming file, key and
// line.
void apply_config(CLI::App& app, const std::string& program);

}  // namespace rackline::cli
