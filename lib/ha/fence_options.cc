// SPDX-License-Identifier: Apache-2.0
#include "ha/fence_options.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/error.h"
#include "bmc/address.h"
#include "ha/fence_kind.h"

namespace rackline::ha {
namespace {

constexpr const char* kReading = "read the inventory";
constexpr std::array<std::string_view, 5> kSecrets{"password", "password_script", "snmp_priv_passwd",
                                                   "snmp_priv_passwd_script", "hexadecimal_kg"};
// Agents hand these to a shell, to ssh as options that name commands, or write what they are told to a file.
constexpr std::array<std::string_view, 4> kCommands{"ssh_options", "runonfail", "runonwarn", "debug_file"};
// fence_ipmilan pastes these into ipmitool's command line as they are.
constexpr std::array<std::string_view, 6> kWords{"auth",    "cipher", "ipmitool_timeout",
                                                 "privlvl", "ipport", "target"};

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

template <class List>
bool has(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool is_name(const std::string& name) {
  return !name.empty() &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

bool is_program(const std::string& name) {
  return name.ends_with("_path") || name == "exec";
}

// Empty, or why what it names could be another program tomorrow.
std::string doubt_about_program(const std::string& path) {
  if (!path.starts_with('/')) return "is not an absolute path";
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return {};  // the agent says that it is not there
  if (found.st_uid != 0 && found.st_uid != geteuid()) return "names a file of another user";
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "names a file that others may write";
  return {};
}

void check_value(const std::string& where, const FenceMethod& method, const std::string& name,
                 const std::string& value) {
  if (name == "ip" && !bmc::is_plain_host(value))
    throw Error(Status::kUsage, kReading, where, "option ip is neither an address nor a name");
  if (agent_kind(method.agent).ipmi && has(kWords, name) && !bmc::is_plain_host(value))
    throw Error(Status::kUsage, kReading, where, "option " + name + " is not one plain word");
  if (!is_program(name)) return;
  if (const auto doubt = doubt_about_program(value); !doubt.empty())
    throw Error(Status::kUsage, kReading, where, "option " + name + " " + doubt);
}

}  // namespace

void settle_options(const std::string& where, FenceMethod& method) {
  for (const auto& [name, value] :
       {std::pair("agent", &method.agent), std::pair("password_file", &method.password_file),
        std::pair("bmc_ca_file", &method.ca_file)}) {
    if (std::any_of(value->begin(), value->end(), is_control))
      throw Error(Status::kUsage, kReading, where, std::string(name) + " holds a control character");
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
    if (name == "action" || has(kSecrets, name)) {
      throw Error(Status::kUsage, kReading, where, "options hold " + name + ", which has no place there",
                  name == "action" ? "" : "a password goes into a file that password_file names");
    }
    if (has(kCommands, name))
      throw Error(Status::kUsage, kReading, where,
                  "options hold " + name + ", by which an agent runs commands or writes files");
    if (!seen.insert(name).second)
      throw Error(Status::kUsage, kReading, where, "option " + name + " is given twice");
    // The agents take blanks and quotes around a value away.
    std::string value = option.substr(equals + 1);
    while (value.ends_with(' ')) value.pop_back();
    if (value.size() > 1 && value.starts_with('"') && value.ends_with('"'))
      value = value.substr(1, value.size() - 2);
    check_value(where, method, name, value);
    std::string written = option.substr(0, equals);
    std::erase(written, ' ');
    std::replace(written.begin(), written.end(), '-', '_');
    option = written + "=" + value;
  }
  const auto kind = agent_kind(method.agent);
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
    if (std::any_of(line.begin(), line.end(), is_control)) {
      const std::string name = line.substr(0, line.find('='));
      const bool readable = std::none_of(name.begin(), name.end(), is_control);
      throw Error(Status::kUsage, "tell the fence agent", readable ? name : "an option",
                  "its value holds a control character");
    }
    text += line + "\n";
  }
  return text;
}

}  // namespace rackline::ha
