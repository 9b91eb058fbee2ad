// SPDX-License-Identifier: Apache-2.0
#include "cli/config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "base/error.h"

namespace rackline::cli {
namespace fs = std::filesystem;

std::vector<fs::path> config_directories() {
  std::vector<fs::path> found;
  if (const char* xdg = std::getenv("XDG_CONFIG_HOME"); xdg != nullptr && *xdg != '\0') {
    found.push_back(fs::path(xdg) / "rackline");
  } else if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    found.push_back(fs::path(home) / ".config" / "rackline");
  }
  found.emplace_back("/etc/rackline");
  return found;
}

std::string default_inventory() {
  for (const auto& directory : config_directories()) {
    const auto path = directory / "inventory.jsonl";
    if (std::error_code none; fs::exists(path, none)) return path.string();
  }
  return {};
}

void apply_config(CLI::App& app, const std::string& program) {
  auto directories = config_directories();
  std::reverse(directories.begin(),
               directories.end());  // the machine's first, so that the user's overrides it
  for (const auto& directory : directories) {
    const std::string file = (directory / "config.toml").string();
    if (std::error_code none; !fs::exists(file, none)) continue;
    try {
      for (const auto& item : CLI::ConfigTOML().from_file(file)) {
        if (item.name == "++" || item.name == "--") continue;  // CLI11's marks of a section's begin and end
        if (!item.parents.empty() && item.parents.front() != program) continue;
        auto* option = item.parents.size() <= 1 ? app.get_option_no_throw("--" + item.name) : nullptr;
        if (option == nullptr) {
          if (item.parents.empty()) continue;
          throw Error(Status::kUsage, "read the configuration", file + ": " + item.fullname(),
                      program + " has no option --" + item.name);
        }
        if (item.inputs.empty()) continue;
        try {
          option->default_val(item.inputs.size() == 1 ? item.inputs.front()
                                                      : CLI::detail::join(item.inputs, ","));
        } catch (const CLI::Error& error) {
          throw Error(Status::kUsage, "read the configuration", file + ": " + item.fullname(), error.what());
        }
      }
    } catch (const CLI::Error& error) {
      throw Error(Status::kUsage, "read the configuration", file, error.what());
    }
  }
}

}  // namespace rackline::cli
