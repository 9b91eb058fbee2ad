// SPDX-License-Identifier: Apache-2.0
#include "cli/config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "cli/command.h"
#include "cli/toml.h"

namespace rackline::cli {
namespace fs = std::filesystem;
namespace {

// A section of another name is a mistake. tests/tools/manual.bats compares them with what is built.
constexpr std::array<std::string_view, 12> kPrograms{"audit",   "capplan",   "capwatch",         "failover",
                                                     "fence",   "heartbeat", "lunbalance",       "lunwatch",
                                                     "migrate", "rackline",  "rackline-records", "reserve"};

}  // namespace

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

namespace {

std::string read_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in.is_open() || in.bad()) throw system_error(Status::kUsage, "read the configuration", file);
  return text;
}

void apply(const Setting& setting, CLI::App& app, const std::string& program, const std::string& file) {
  if (!setting.section.empty() && setting.section.front() != program) return;
  const auto wrong = [&](const std::string& why) {
    return Error(Status::kUsage, "read the configuration", file + ": " + setting.name(),
                 why + " (line " + std::to_string(setting.line) + ")");
  };
  auto* option = setting.section.size() <= 1 ? app.get_option_no_throw("--" + setting.key) : nullptr;
  if (option == nullptr && setting.section.empty()) return;
  if (option == nullptr) throw wrong(program + " has no option --" + setting.key);
  try {
    option->default_val(setting.value);
  } catch (const CLI::Error& error) {
    throw wrong(error.what());
  }
}

void check_sections(const Configuration& configuration, const std::string& program, const std::string& file) {
  const auto check = [&](const std::string& name, std::int64_t line) {
    if (name == program || std::find(kPrograms.begin(), kPrograms.end(), name) != kPrograms.end()) return;
    const auto meant = nearest(name, {kPrograms.begin(), kPrograms.end()});
    throw Error(Status::kUsage, "read the configuration", file + ": line " + std::to_string(line),
                "there is no program " + name + (meant.empty() ? "" : "; did you mean " + meant + "?"));
  };
  for (const auto& section : configuration.sections) check(section.name.front(), section.line);
  for (const auto& setting : configuration.settings) {
    if (!setting.section.empty()) check(setting.section.front(), setting.line);
  }
}

}  // namespace

void apply_config(CLI::App& app, const std::string& program) {
  auto directories = config_directories();
  std::reverse(directories.begin(),
               directories.end());  // the machine's first, so that the user's overrides it
  for (const auto& directory : directories) {
    const std::string file = (directory / "config.toml").string();
    if (std::error_code none; !fs::exists(file, none)) continue;
    const auto configuration = parse_toml(read_file(file), file);
    check_sections(configuration, program, file);
    for (const auto& setting : configuration.settings) apply(setting, app, program, file);
  }
}

}  // namespace rackline::cli
