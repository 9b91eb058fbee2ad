// SPDX-License-Identifier: Apache-2.0
#include "bmc/method_options.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "bmc/agent_kind.h"
#include "bmc/agent_words.h"

namespace rackline::bmc {
namespace {

constexpr const char* kReading = "read the inventory";
bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

bool is_name(const std::string& name) {
  return !name.empty() &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

std::string hint_at_secret(const std::string& name, const AgentKind& kind) {
  if (name == "community")
    return "put it into ~/.snmp/snmp.conf (defCommunity) with mode 600, and the version into snmp_version";
  if (name == "access_key" || name == "secret_key")
    return "put both keys where the maker's own programs find them: ~/.aws/credentials, or give a ram_role";
  return name == kind.secret || name == "password" ? "it goes into a file that password_file names"
                                                   : "secrets go into the file that password_file names";
}

}  // namespace

void settle_options(const std::string& where, FenceMethod& method) {
  for (const auto& [name, value] :
       {std::pair("agent", &method.agent), std::pair("password_file", &method.password_file),
        std::pair("bmc_ca_file", &method.ca_file)}) {
    if (std::any_of(value->begin(), value->end(), is_control))
      throw Error(Status::kUsage, kReading, where, std::string(name) + " holds a control character");
  }
  const auto kind = agent_kind(method.agent);
  if (const auto file = method.self() ? "" : agent_file(method.agent); !file.empty()) {
    if (const auto doubt = doubt_about_program(file); !doubt.empty())  // @rule 20-agents-of-others
      throw Error(Status::kUsage, kReading, where, "agent " + doubt, "chmod go-w, chown root");
  }
  std::set<std::string> seen;
  for (std::string& option : method.options) {
    // What is wrong is told without the line itself.
    if (std::any_of(option.begin(), option.end(), is_control))
      throw Error(Status::kUsage, kReading, where, "an option holds a control character");
    const auto equals = option.find('=');
    const std::string name = option_name(option.substr(0, equals));
    if (equals == std::string::npos || !is_name(name)) {
      throw Error(Status::kUsage, kReading, where, "an option is not of the form NAME=VALUE",
                  "names consist of small letters, digits and _");
    }
    if (const auto doubt = doubt_about_option(name); !doubt.empty()) {
      throw Error(Status::kUsage, kReading, where, "options hold " + name + ", which " + doubt,
                  doubt.starts_with("is a secret") ? hint_at_secret(name, kind) : "");
    }
    if (!seen.insert(name).second)
      throw Error(Status::kUsage, kReading, where, "option " + name + " is given twice");
    // The agents take blanks and quotes around a value away.
    std::string value = option.substr(equals + 1);
    while (value.ends_with(' ')) value.pop_back();
    if (value.size() > 1 && value.starts_with('"') && value.ends_with('"'))
      value = value.substr(1, value.size() - 2);
    if (const auto doubt = doubt_about_value(kind, name, value); !doubt.empty())
      throw Error(Status::kUsage, kReading, where, "option " + name + " " + doubt);
    std::string written = option.substr(0, equals);
    std::erase(written, ' ');
    std::replace(written.begin(), written.end(), '-', '_');
    option = written + "=" + value;
  }
  if (kind.password == PasswordWay::kRefuse && !method.password_file.empty()) {
    throw Error(
        Status::kUsage, kReading, where,
        kind.name +
            " shows a password to everybody on the machine, as an argument of the program that it runs",
        kind.use_instead);
  }
}

std::string agent_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) {
    if (std::any_of(line.begin(), line.end(), is_control)) {  // @rule 20-control-characters
      const std::string name = line.substr(0, line.find('='));
      const bool readable = std::none_of(name.begin(), name.end(), is_control);
      throw Error(Status::kUsage, "tell the fence agent", readable ? name : "an option",
                  "its value holds a control character");
    }
    text += line + "\n";
  }
  return text;
}

}  // namespace rackline::bmc
