// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <CLI/CLI.hpp>
#include <string_view>

namespace rackline::cli {
namespace {

std::vector<std::string> flags_of(const CLI::Option& option) {
  std::vector<std::string> flags;
  for (const auto& name : option.get_snames()) flags.push_back("-" + name);
  for (const auto& name : option.get_lnames()) flags.push_back("--" + name);
  return flags;
}

bool takes_value(const CLI::Option& option) {
  return option.get_expected_min() > 0 && option.get_items_expected() > 0;
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
// for a value.
struct Position {
  std::vector<const CLI::App*> apps;  // the innermost subcommand first
  const CLI::Option* pending = nullptr;
  std::size_t operands = 0;
  bool only_operands = false;  // after "--"
};

Position locate(const CLI::App& app, const std::vector<std::string>& words) {
  Position at{{&app}, nullptr, 0, false};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (at.pending != nullptr) {
      at.pending = nullptr;
    } else if (at.only_operands) {
      ++at.operands;
    } else if (word == "--") {
      at.only_operands = true;
    } else if (word.size() > 1 && word.front() == '-') {
      const auto equals = word.find('=');
      const auto* option = find_option(at.apps, word.substr(0, equals));
      if (option != nullptr && equals == std::string::npos && takes_value(*option)) at.pending = option;
    } else {
      const auto* sub = find_subcommand(*at.apps.front(), word);
      if (sub != nullptr) {
        at.apps.insert(at.apps.begin(), sub);
        at.operands = 0;
      } else {
        ++at.operands;
      }
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
    if (candidate == "@files" || candidate.starts_with(current)) found.push_back(candidate);
  };
  if (at.pending != nullptr) {
    for (const auto& value : values(*at.pending)) offer(value);
    return found;
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

std::vector<std::string> option_table(const CLI::App& app) {
  std::vector<std::string> lines;
  const auto add = [&](const CLI::App& level, const std::string& name) {
    for (const auto* option : level.get_options()) {
      std::string flags;
      for (const auto& flag : flags_of(*option)) flags += (flags.empty() ? "" : ",") + flag;
      if (flags.empty()) flags = option->get_name(true);
      // A subcommand repeats --help: once is enough.
      if (!name.empty() && flags == "-h,--help") continue;
      const std::string value = takes_value(*option) ? option->get_type_name() : "";
      lines.push_back(name + "\t" + flags + "\t" + value + "\t" + first_line(option->get_description()));
    }
  };
  add(app, "");
  for (const auto* sub : subcommands(app)) add(*sub, sub->get_name());
  return lines;
}

}  // namespace rackline::cli
