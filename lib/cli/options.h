// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace rackline::cli {

struct Declared;

// What the shell offers for an option's or an operand's values.
enum class Values { kFiles, kHosts, kVms, kArrays };

// Which numbers an option takes. "nan" and "inf" are none.
struct Bounds {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool open = false;  // `least` itself is not taken
};
constexpr Bounds kFromZero{.least = 0};
constexpr Bounds kAboveZero{.least = 0, .open = true};

// A declared option or operand, to say more about it. A handle that is copied freely; it is valid as long as
// the program.
class Option {
 public:
  Option(CLI::Option* option, std::shared_ptr<Declared> declared)
      : option_(option), declared_(std::move(declared)) {}

  Option& required();
  Option& from(const char* variable);  // of the environment, when the command line does not give it
  Option& shows_default();             // in the help; durations, sizes and shares show it anyway
  Option& hides_default();
  Option& offers(Values values);
  Option& offers(std::vector<std::string> words);
  // `why_not` returns why a value is refused, empty if it is taken.
  Option& checked(std::function<std::string(const std::string&)> why_not);
  Option& may_lack_value(const std::string& meant = {});  // what it means then
  Option& takes(int least, int most);                     // values each time
  Option& needs(const Option& other);
  Option& excludes(std::initializer_list<Option> others);

  bool given() const;  // within the body

 private:
  CLI::Option* option_;
  std::shared_ptr<Declared> declared_;
};

// The options, operands and commands of a program, or of one of its commands. `flags` are "-i,--interval", or
// the name of an operand; `about` is its line in the help; `type` is what the help calls the value. The value
// that stands in the variable is the default.
class Options {
 public:
  Options(CLI::App& app, std::shared_ptr<Declared> declared) : app_(&app), declared_(std::move(declared)) {}

  Option flag(const std::string& flags, bool& value, const std::string& about);
  Option text(const std::string& flags, std::string& value, const std::string& about,
              const std::string& type);
  Option text(const std::string& flags, std::optional<std::string>& value, const std::string& about,
              const std::string& type);
  // For int, std::int64_t, std::uint64_t, double, and std::optional of int, std::int64_t and double.
  template <class T>
  Option number(const std::string& flags, T& value, const std::string& about, Bounds bounds = {},
                const std::string& type = "N");
  // May be repeated; each time one value.
  Option list(const std::string& flags, std::vector<std::string>& values, const std::string& about,
              const std::string& type);
  // The same; a value may be several with commas between them: "h1,h2".
  Option comma_list(const std::string& flags, std::vector<std::string>& values, const std::string& about,
                    const std::string& type);
  // May be repeated, each time with one value or more.
  Option texts(const std::string& flags, std::vector<std::string>& values, const std::string& about,
               const std::string& type);
  Option numbers(const std::string& flags, std::vector<std::int64_t>& values, const std::string& about,
                 Bounds bounds = {}, const std::string& type = "N");
  // One value with commas in it: "1,2,3".
  Option numbers(const std::string& flags, std::vector<double>& values, const std::string& about,
                 const std::string& type);
  Option operand(const std::string& name, std::string& value, const std::string& about,
                 const std::string& type = {});
  Option operands(const std::string& name, std::vector<std::string>& values, const std::string& about,
                  const std::string& type = {});

  // With the values that people write: "10s", "2GiB", "75%" or "75".
  Option duration(const std::string& flags, Milliseconds& value, const std::string& about);
  Option bytes(const std::string& flags, std::int64_t& value, const std::string& about);
  Option percent(const std::string& flags, double& value, const std::string& about);
  // One of a few words.
  Option choice(const std::string& flags, std::string& value, const std::vector<std::string>& words,
                const std::string& about);
  // `read` takes each value; an Error that it throws ends the program with its status.
  Option read(const std::string& flags, std::function<void(const std::string&)> read,
              const std::string& about, const std::string& type);

  // A command of the program. One has to be given, unless command_is_optional(). Program::run() calls the
  // body of the innermost command that was given.
  Options command(const std::string& name, const std::string& about, std::function<Status()> body = {});
  void command_is_optional();

 private:
  Option declare(CLI::Option* option) { return {option, declared_}; }

  CLI::App* app_;
  std::shared_ptr<Declared> declared_;
};

}  // namespace rackline::cli
