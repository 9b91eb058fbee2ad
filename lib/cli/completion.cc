// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace rackline::cli {
namespace {

std::vector<std::string> flags_of(const CLI::Option& option) {
  std::vector<std::string> flags;
  for (const auto& name : option.get_snames()) flags.push_back("-" + name);
  for (const auto& name : option.get_lnames()) flags.push_back("--" + name);
  return flags;
}

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

bool needs_value(const CLI::Option& option) {
  return option.get_items_expected_min() > 0;
}

// CLI11 hides what belongs to no group.
bool hidden(const CLI::Option& option) {
  return option.get_group().empty();
}

const CLI::Option* find_option(const std::vector<const CLI::App*>& apps, std::string_view flag) {
  for (const auto* app : apps) {
    for (const auto* option : app->get_options()) {
      for (const auto& name : flags_of(*option)) {
        if (name == flag) return option;
      }
    }
  }
  return nullptr;
}

// A word that begins with '-': the option whose value is given by it, and that value; or which waits for the
// next word.
struct Flag {
  const CLI::Option* option = nullptr;
  std::optional<std::string> value;
};

Flag read_flag(const std::vector<const CLI::App*>& apps, const std::string& word) {
  if (word.starts_with("--")) {
    const auto equals = word.find('=');
    const auto* option = find_option(apps, std::string_view(word).substr(0, equals));
    if (option == nullptr || !takes_value(*option)) return {};
    if (equals == std::string::npos) return {option, std::nullopt};
    return {option, word.substr(equals + 1)};
  }
  for (std::size_t i = 1; i < word.size(); ++i) {  // "-qo json", "-qojson"
    const auto* option = find_option(apps, std::string("-") + word[i]);
    if (option == nullptr) return {};
    if (!takes_value(*option)) continue;
    if (i + 1 == word.size()) return {option, std::nullopt};
    return {option, word.substr(i + 1)};
  }
  return {};
}

std::vector<const CLI::App*> subcommands(const CLI::App& app) {
  auto all = app.get_subcommands([](const CLI::App* sub) { return !sub->get_name().empty(); });
  return {all.begin(), all.end()};
}

const CLI::App* find_subcommand(const CLI::App& app, const std::string& name) {
  for (const auto* sub : subcommands(app)) {
    if (sub->check_name(name)) return sub;
  }
  return nullptr;
}

// The text before the first line end, so that one candidate is one line.
std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// Where the words before the current one have led: which subcommand, how many operands, which option waits
// for a value, which values were given.
struct Position {
  std::vector<const CLI::App*> apps;  // the innermost subcommand first
  const CLI::Option* pending = nullptr;
  std::size_t operands = 0;
  bool only_operands = false;  // after "--"
  std::map<const CLI::Option*, std::string> given;
};

Position locate(const CLI::App& app, const std::vector<std::string>& words) {
  Position at;
  at.apps = {&app};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    const bool flag = word.size() > 1 && word.front() == '-' && !at.only_operands;
    if (const auto* option = std::exchange(at.pending, nullptr); option != nullptr) {
      if (needs_value(*option) || !flag) {
        at.given[option] = word;
        continue;
      }
    }
    if (flag && word == "--") {
      at.only_operands = true;
    } else if (flag) {
      const Flag read = read_flag(at.apps, word);
      if (read.value) at.given[read.option] = *read.value;
      if (!read.value) at.pending = read.option;
    } else if (const auto* sub = at.only_operands ? nullptr : find_subcommand(*at.apps.front(), word);
               sub != nullptr) {
      at.apps.insert(at.apps.begin(), sub);
      at.operands = 0;
    } else {
      ++at.operands;
    }
  }
  return at;
}

// The operand that the next word fills; the last one again when it takes several.
const CLI::Option* operand_at(const CLI::App& app, std::size_t index) {
  const CLI::Option* last = nullptr;
  std::size_t count = 0;
  for (const auto* option : app.get_options()) {
    if (!option->get_positional()) continue;
    if (count++ == index) return option;
    last = option;
  }
  return last != nullptr && last->get_expected_max() > 1 ? last : nullptr;
}

}  // namespace

std::vector<std::string> complete(const CLI::App& app, const std::vector<std::string>& words,
                                  const ValuesOf& values) {
  const std::string current = words.empty() ? "" : words.back();
  const Position at = locate(app, words);
  std::vector<std::string> found;
  const auto offer = [&](const std::string& candidate) {
    if (candidate != "@files" && !candidate.starts_with(current)) return;
    // A subcommand repeats --help.
    if (std::find(found.begin(), found.end(), candidate) == found.end()) found.push_back(candidate);
  };
  if (at.pending != nullptr) {
    for (const auto& value : values(*at.pending)) offer(value);
    if (needs_value(*at.pending)) return found;
  }
  const auto equals = current.find('=');
  if (current.starts_with("--") && equals != std::string::npos) {
    const auto* option = find_option(at.apps, current.substr(0, equals));
    if (option == nullptr) return found;
    for (const auto& value : values(*option)) {
      offer(value == "@files" ? value : current.substr(0, equals + 1) + value);
    }
    return found;
  }
  if (!at.only_operands && current.starts_with("-")) {
    for (const auto* level : at.apps) {
      for (const auto* option : level->get_options()) {
        if (hidden(*option)) continue;
        for (const auto& flag : flags_of(*option)) offer(flag + "\t" + first_line(option->get_description()));
      }
    }
    return found;
  }
  const CLI::App& innermost = *at.apps.front();
  if (at.operands == 0 && !at.only_operands) {
    for (const auto* sub : subcommands(innermost))
      offer(sub->get_name() + "\t" + first_line(sub->get_description()));
  }
  if (const auto* operand = operand_at(innermost, at.operands); operand != nullptr) {
    for (const auto& value : values(*operand)) offer(value);
  }
  return found;
}

std::string value_given(const CLI::App& app, const std::vector<std::string>& words, const std::string& flag) {
  const Position at = locate(app, words);
  const auto found = at.given.find(find_option(at.apps, flag));
  return found == at.given.end() ? "" : found->second;
}

std::string value_name(const CLI::Option& option) {
  const std::string name = option.get_type_name();
  return name.substr(0, name.find(':'));  // CLI11 adds the names of its checks: "N:POSITIVE"
}

std::vector<std::string> option_table(const CLI::App& app) {
  std::vector<std::string> lines;
  const auto add = [&](const CLI::App& level, const std::string& name) {
    for (const auto* option : level.get_options()) {
      if (hidden(*option)) continue;
      std::string flags;
      for (const auto& flag : flags_of(*option)) flags += (flags.empty() ? "" : ",") + flag;
      if (flags.empty()) flags = option->get_name(true);
      // A subcommand repeats --help: once is enough.
      if (!name.empty() && flags == "-h,--help") continue;
      const std::string value = takes_value(*option) ? value_name(*option) : "";
      std::string line = name;
      for (const auto& column : {flags, value, first_line(option->get_description())})
        (line += '\t') += column;
      lines.push_back(std::move(line));
    }
  };
  const std::function<void(const CLI::App&, const std::string&)> walk = [&](const CLI::App& level,
                                                                            const std::string& name) {
    add(level, name);
    for (const auto* sub : subcommands(level)) {
      walk(*sub, name.empty() ? sub->get_name() : name + " " + sub->get_name());
    }
  };
  walk(app, "");
  return lines;
}

}  // namespace rackline::cli
