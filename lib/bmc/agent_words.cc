// SPDX-License-Identifier: Apache-2.0
#include "bmc/agent_words.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "bmc/address.h"

namespace rackline::bmc {
namespace {

using Names = std::string_view;

constexpr std::array<Names, 8> kSecrets{"hexadecimal_kg", "community", "apikey",     "api_key",
                                        "token",          "api_token", "access_key", "auth_token"};
// Agents hand these to a shell, or to ssh as options that name commands.
constexpr std::array<Names, 3> kCommands{"ssh_options", "runonfail", "runonwarn"};
constexpr std::array<Names, 8> kWritten{"debug_file", "logfile",     "log_file",    "token_file",
                                        "store_path", "cookie_file", "status_file", "output_file"};
// "Missing" is also what a mistyped name is, and some time after which an agent claims success all the same.
constexpr std::array<Names, 5> kOffUnseen{"missing_as_off", "warntimeout", "earlyexit", "record_only",
                                          "port_as_ip"};
// Regular expressions and names with blanks that no command line sees.
constexpr std::array<Names, 2> kTexts{"command_prompt", "drac_version"};
constexpr std::string_view kBreaking = " '\"`\\$;&|<>(){}*?!";

template <class List>
bool has(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool is_program(const std::string& name) {
  return name.ends_with("_path") || name == "exec";
}

bool is_address(const std::string& name) {
  return name.ends_with("url") || name.ends_with("uri") || name == "proxy";
}

std::string doubt_about_place(const struct stat& found, const char* what) {
  if (found.st_uid != 0 && found.st_uid != geteuid())
    return std::string("names ") + what + " of another user";
  // Of a directory like /tmp nobody takes away what others have put there.
  const bool sticky = S_ISDIR(found.st_mode) && (found.st_mode & S_ISVTX) != 0;
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky)
    return std::string("names ") + what + " that others may write";
  return {};
}

std::string doubt_about_way(const std::filesystem::path& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) == 0) {
    if (auto doubt = doubt_about_place(found, "a file"); !doubt.empty()) return doubt;
  }
  for (auto above = path.parent_path();; above = above.parent_path()) {
    if (stat(above.c_str(), &found) == 0) {
      if (auto doubt = doubt_about_place(found, "a file in a directory"); !doubt.empty()) return doubt;
    }
    if (above == above.parent_path()) return {};
  }
}

}  // namespace

std::string doubt_about_option(const std::string& name) {
  if (name == "action") return "has no place there";
  if (has(kSecrets, name) ||  // @rule 20-other-secrets
      name.find("passw") != std::string::npos || name.find("secret") != std::string::npos)
    return "is a secret";
  if (has(kCommands, name)) return "makes an agent run commands";  // @rule 20-options-that-run
  if (has(kWritten, name)) return "makes an agent write a file";   // @rule 20-files-to-write
  if (name == "port_as_ip") return "makes an address of a plug: give the address as ip";
  if (has(kOffUnseen, name))  // @rule 15-missing-is-not-off
    return "takes for off what the agent does not see";
  return {};
}

std::string doubt_about_value(const AgentKind& kind, const std::string& name, const std::string& value) {
  if (name == "ip") return bmc::is_plain_host(value) ? "" : "is neither an address nor a name";
  const bool word = value.find_first_of(kBreaking) == std::string::npos && !value.starts_with('-');
  if (is_program(name)) {
    if (!value.starts_with('/')) return "is not an absolute path";
    return word ? doubt_about_program(value) : "is not one plain word";
  }
  if (kind.web || has(kTexts, name) || word) return {};  // @rule 20-one-word: true
  // No shell reads these, and ? and & are in many of them.
  if (is_address(name) && value.find_first_of(" '\"`\\$") == std::string::npos && !value.starts_with('-'))
    return {};
  return "is not one plain word";
}

std::string doubt_about_program(const std::string& path) {
  std::error_code none;
  const auto whole = std::filesystem::absolute(path, none).lexically_normal();
  if (none) return {};
  if (auto doubt = doubt_about_way(whole); !doubt.empty()) return doubt;
  const auto real = std::filesystem::canonical(whole, none);  // the agent says that it is not there
  return none || real == whole ? "" : doubt_about_way(real);
}

}  // namespace rackline::bmc
