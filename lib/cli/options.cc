// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <type_traits>

#include "base/units.h"
#include "cli/declared.h"

namespace rackline::cli {
namespace {

// Not CLI11's own checks: they take "nan", and tell the whole range of a double in their complaint.
CLI::Validator within(Bounds bounds) {
  char expected[96];
  if (bounds.open) {
    std::snprintf(expected, sizeof expected, "above %g", bounds.least);
  } else if (std::isfinite(bounds.most)) {
    std::snprintf(expected, sizeof expected, "from %g to %g", bounds.least, bounds.most);
  } else {
    std::snprintf(expected, sizeof expected, "from %g", bounds.least);
  }
  return CLI::Validator(
      [bounds, words = std::string(expected)](const std::string& given) -> std::string {
        double number = 0;
        const bool fits = CLI::detail::lexical_cast(given, number) && std::isfinite(number) &&
                          (bounds.open ? number > bounds.least : number >= bounds.least) &&
                          number <= bounds.most;
        return fits ? "" : given + ": expected a number " + words;
      },
      "");
}

CLI::Option* bound(CLI::Option* option, Bounds bounds) {
  const bool bounded = std::isfinite(bounds.least) || std::isfinite(bounds.most);
  return bounded ? option->check(within(bounds)) : option;
}

// CLI11 makes the largest there is of a number that is larger, and readers of JSON hold no more than 53 bits.
CLI::Validator held_exactly(double most) {
  return CLI::Validator(
      [most](const std::string& given) -> std::string {
        double number = 0;
        const bool too_large = CLI::detail::lexical_cast(given, number) && std::abs(number) > most;
        return too_large ? given + ": the number is too large" : "";
      },
      "");
}

template <class T>
CLI::Option* exact(CLI::Option* option) {
  constexpr double kMost = 9'007'199'254'740'991;
  if constexpr (std::is_same_v<T, int> || std::is_same_v<T, std::optional<int>>) {
    return option->check(held_exactly(std::numeric_limits<int>::max()));
  } else if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::optional<std::int64_t>>) {
    return option->check(held_exactly(kMost));
  }
  return option;
}

template <class T>
CLI::Option* add(CLI::App& app, const std::string& flags, T& value, const std::string& about,
                 const std::string& type) {
  return app.add_option(flags, value, about)->type_name(type);
}

// An option whose text `read` takes; the reason of an Error that it throws becomes the message.
CLI::Option* add_parsed(CLI::App& app, const std::string& flags, const char* type, const std::string& preset,
                        const std::string& about, std::function<void(const std::string&)> read) {
  const std::string name = flags.substr(flags.rfind(',') + 1);
  auto* option = app.add_option_function<std::string>(
      flags,
      [name, read = std::move(read)](const std::string& given) {
        try {
          read(given);
        } catch (const Error& error) {
          throw CLI::ValidationError(name, error.why());
        }
      },
      about);
  return option->type_name(type)->default_str(preset)->run_callback_for_default();
}

}  // namespace

Option& Option::required() {
  option_->required();
  return *this;
}
Option& Option::from(const char* variable) {
  option_->envname(variable);
  return *this;
}
Option& Option::shows_default() {
  option_->capture_default_str();
  return *this;
}
Option& Option::hides_default() {
  option_->default_str("");
  return *this;
}
Option& Option::offers(Values values) {
  declared_->values[option_] = values;
  return *this;
}
Option& Option::offers(std::vector<std::string> words) {
  declared_->words[option_] = std::move(words);
  return *this;
}
Option& Option::checked(std::function<std::string(const std::string&)> why_not) {
  option_->check(
      CLI::Validator([why_not = std::move(why_not)](std::string& given) { return why_not(given); }, ""));
  return *this;
}
Option& Option::may_lack_value(const std::string& meant) {
  option_->expected(0, 1);
  if (!meant.empty()) option_->default_str(meant);
  return *this;
}
Option& Option::takes(int least, int most) {
  option_->expected(least, most);
  return *this;
}
Option& Option::needs(const Option& other) {
  option_->needs(other.option_);
  return *this;
}
Option& Option::excludes(std::initializer_list<Option> others) {
  for (const Option& other : others) option_->excludes(other.option_);
  return *this;
}
bool Option::given() const {
  return option_->count() > 0;
}

Option Options::flag(const std::string& flags, bool& value, const std::string& about) {
  return declare(app_->add_flag(flags, value, about));
}

Option Options::text(const std::string& flags, std::string& value, const std::string& about,
                     const std::string& type) {
  return declare(add(*app_, flags, value, about, type));
}
Option Options::text(const std::string& flags, std::optional<std::string>& value, const std::string& about,
                     const std::string& type) {
  return declare(add(*app_, flags, value, about, type));
}

template <class T>
Option Options::number(const std::string& flags, T& value, const std::string& about, Bounds bounds,
                       const std::string& type) {
  return declare(exact<T>(bound(add(*app_, flags, value, about, type), bounds)));
}
template Option Options::number(const std::string&, int&, const std::string&, Bounds, const std::string&);
template Option Options::number(const std::string&, std::int64_t&, const std::string&, Bounds,
                                const std::string&);
template Option Options::number(const std::string&, std::uint64_t&, const std::string&, Bounds,
                                const std::string&);
template Option Options::number(const std::string&, double&, const std::string&, Bounds, const std::string&);
template Option Options::number(const std::string&, std::optional<int>&, const std::string&, Bounds,
                                const std::string&);
template Option Options::number(const std::string&, std::optional<std::int64_t>&, const std::string&, Bounds,
                                const std::string&);
template Option Options::number(const std::string&, std::optional<double>&, const std::string&, Bounds,
                                const std::string&);

Option Options::list(const std::string& flags, std::vector<std::string>& values, const std::string& about,
                     const std::string& type) {
  auto* option = add(*app_, flags, values, about, type);
  option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return declare(option);
}
Option Options::comma_list(const std::string& flags, std::vector<std::string>& values,
                           const std::string& about, const std::string& type) {
  auto* option = add(*app_, flags, values, about, type);
  option->delimiter(',')->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return declare(option);
}
Option Options::texts(const std::string& flags, std::vector<std::string>& values, const std::string& about,
                      const std::string& type) {
  return declare(add(*app_, flags, values, about, type));
}
Option Options::numbers(const std::string& flags, std::vector<std::int64_t>& values, const std::string& about,
                        Bounds bounds, const std::string& type) {
  return declare(exact<std::int64_t>(bound(add(*app_, flags, values, about, type), bounds)));
}

Option Options::numbers(const std::string& flags, std::vector<double>& values, const std::string& about,
                        const std::string& type) {
  auto* option = add(*app_, flags, values, about, type);
  option->delimiter(',');
  return declare(option);
}

Option Options::operand(const std::string& name, std::string& value, const std::string& about,
                        const std::string& type) {
  return declare(add(*app_, name, value, about, type));
}
Option Options::operands(const std::string& name, std::vector<std::string>& values, const std::string& about,
                         const std::string& type) {
  return declare(add(*app_, name, values, about, type));
}

Option Options::duration(const std::string& flags, Milliseconds& value, const std::string& about) {
  return declare(add_parsed(*app_, flags, "DURATION", format_duration(value), about,
                            [&value](const std::string& given) { value = parse_duration(given); }));
}

Option Options::bytes(const std::string& flags, std::int64_t& value, const std::string& about) {
  return declare(add_parsed(*app_, flags, "SIZE", format_bytes(value), about,
                            [&value](const std::string& given) { value = parse_bytes(given); }));
}

Option Options::percent(const std::string& flags, double& value, const std::string& about) {
  char preset[32];
  std::snprintf(preset, sizeof preset, "%g%%", value);
  return declare(add_parsed(*app_, flags, "PERCENT", preset, about, [&value](std::string given) {
    if (!given.empty() && given.back() == '%') given.pop_back();
    double number = 0;
    if (!CLI::detail::lexical_cast(given, number) || !(number >= 0 && number <= 1000)) {
      throw Error(Status::kUsage, "read share", given, "expected a share such as 75 or 75%");
    }
    value = number;
  }));
}

Option Options::choice(const std::string& flags, std::string& value, const std::vector<std::string>& words,
                       const std::string& about) {
  std::string names;
  for (const auto& word : words) names += (names.empty() ? "" : "|") + word;
  auto* option = app_->add_option(flags, value, about);
  // Not CLI::IsMember, which would list the words a second time in the help.
  option->check([words, names](const std::string& given) {
    return std::find(words.begin(), words.end(), given) != words.end() ? "" : "expected one of " + names;
  });
  option->type_name(names);
  declared_->words[option] = words;
  return declare(option);
}

Option Options::read(const std::string& flags, std::function<void(const std::string&)> read,
                     const std::string& about, const std::string& type) {
  return declare(app_->add_option_function<std::string>(flags, std::move(read), about)->type_name(type));
}

Options Options::command(const std::string& name, const std::string& about, std::function<Status()> body) {
  app_->require_subcommand(declared_->optional_commands.contains(app_) ? 0 : 1, 1);
  auto* sub = app_->add_subcommand(name, about);
  if (body) declared_->bodies[sub] = std::move(body);
  return {*sub, declared_};
}

void Options::command_is_optional() {
  declared_->optional_commands.insert(app_);
  app_->require_subcommand(0, 1);
}

}  // namespace rackline::cli
