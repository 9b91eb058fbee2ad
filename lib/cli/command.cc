// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/joined.h"

namespace rackline::cli {
namespace {

// How many letters have to be put in, taken out or changed, or change places with the next.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

std::string nearest(const std::string& word, const std::vector<std::string>& words) {
  const auto begins = [&](const std::string& one) { return one.starts_with(word); };
  if (word.size() > 1) {
    if (const auto found = std::find_if(words.begin(), words.end(), begins); found != words.end())
      return *found;
  }
  std::string best;
  std::size_t least = std::clamp<std::size_t>(word.size() / 2, 1, 3) + 1;
  for (const auto& one : words) {
    const std::size_t steps = distance(word, one);
    if (steps < least) least = steps, best = one;
  }
  return best;
}

std::string wrong_command(const CLI::App& top, const CLI::ParseError& error) {
  // Not by its name, in the place of which an ExtrasError has that of the program.
  const auto code = static_cast<CLI::ExitCodes>(error.get_exit_code());
  if (code != CLI::ExitCodes::RequiredError && code != CLI::ExitCodes::ExtrasError) return {};
  const CLI::App* app = &top;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  std::vector<std::string> names;
  for (const auto* command : app->get_subcommands({})) names.push_back(command->get_name());
  if (names.empty()) return {};
  const auto left = top.remaining(true);
  if (left.empty()) {
    return app->get_require_subcommand_min() > 0 ? "expected a command, one of " + joined(names)
                                                 : std::string();
  }
  const std::string& word = left.front();
  if (word.starts_with('-')) return word + ": there is no such option";
  const auto meant = nearest(word, names);
  return word + ": there is no such command; " +
         (meant.empty() ? "expected one of " + joined(names) : "did you mean " + meant + "?");
}

void name_common_options(CLI::App& app) {
  constexpr std::size_t kColumns = 79;
  std::string text, line = "Options of every command:";
  for (const auto* option : app.get_options()) {
    const std::string names = option->get_name(false, true);
    if (option->get_positional() || option == app.get_help_ptr() || option == app.get_version_ptr()) continue;
    if (line.size() + 1 + names.size() > kColumns) text += line + "\n", line = " ";
    line += " " + names;
  }
  text += line + "\n";
  const std::string ending = text + "  see " + app.get_name() + " --help\n\n";
  std::vector<CLI::App*> commands = app.get_subcommands([](CLI::App*) { return true; });
  for (std::size_t i = 0; i < commands.size(); ++i) {
    commands[i]->footer(ending + commands[i]->get_footer());
    for (auto* inner : commands[i]->get_subcommands([](CLI::App*) { return true; }))
      commands.push_back(inner);
  }
}

}  // namespace rackline::cli
