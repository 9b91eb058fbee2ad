// SPDX-License-Identifier: Apache-2.0
#include "ha/fence_kind.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

namespace rackline::ha {
namespace {

using Names = std::string_view;

// Copies of fence_ipmilan, which differ in their defaults alone.
constexpr std::array<Names, 7> kIpmi{"fence_ipmilan", "fence_ipmilanplus", "fence_idrac", "fence_ilo3",
                                     "fence_ilo4",    "fence_ilo5",        "fence_imm"};
// They hand a password to snmpget as an argument.
constexpr std::array<Names, 10> kSnmp{
    "fence_apc_snmp", "fence_cisco_mds",    "fence_eaton_snmp", "fence_emerson",  "fence_ibmblade",
    "fence_ifmib",    "fence_intelmodular", "fence_ipdu",       "fence_lindypdu", "fence_tripplite_snmp"};
// Management controllers that are reached by another protocol.
constexpr std::array<Names, 13> kControllers{
    "fence_redfish",  "fence_ilo",      "fence_ilo2",   "fence_ilo_ssh", "fence_ilo3_ssh",
    "fence_ilo4_ssh", "fence_ilo5_ssh", "fence_ilo_mp", "fence_drac",    "fence_drac5",
    "fence_rsa",      "fence_rsb",      "fence_amt"};
// One device, several protocols: fence_apc and fence_apc_snmp.
constexpr std::array<Names, 4> kProtocols{"_snmp", "_ssh", "_soap", "_rest"};
constexpr std::array<std::pair<Names, Names>, 10> kAliases{{{"ipaddr", "ip"},
                                                            {"login", "username"},
                                                            {"passwd", "password"},
                                                            {"passwd_script", "password_script"},
                                                            {"port", "plug"},
                                                            {"secure", "ssh"},
                                                            {"option", "action"},
                                                            {"debug", "debug_file"},
                                                            {"sudo", "use_sudo"},
                                                            {"cmd_prompt", "command_prompt"}}};

template <class List>
bool has(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// A link to an agent is that agent. One that is named without a directory is looked up in PATH by whoever
// starts it, and the package has no links.
std::string program_of(const std::string& agent) {
  std::error_code none;
  std::filesystem::path path(agent);
  if (agent.find('/') != std::string::npos) {
    if (auto real = std::filesystem::canonical(path, none);
        !none && real.filename().string().starts_with("fence_"))
      path = real;
  }
  return path.filename().string();
}

}  // namespace

bool AgentKind::has_identity() const {
  return ipmi || name == "fence_redfish";
}

AgentKind agent_kind(const std::string& agent) {
  AgentKind kind;
  kind.name = program_of(agent);
  kind.family = kind.name;
  if (has(kIpmi, kind.name)) {
    kind.family = "fence_ipmilan";
    kind.ipmi = kind.one_system = true;
    kind.password = PasswordWay::kFile;
    kind.port = "623";
  } else if (has(kControllers, kind.name)) {
    kind.one_system = true;
    if (kind.name == "fence_redfish") kind.port = "443";
  } else if (has(kSnmp, kind.name)) {
    kind.password = PasswordWay::kRefuse;
    kind.port = "161";
    kind.use_instead =
        "leave password_file away, and put the passwords into ~/.snmp/snmp.conf (defAuthPassphrase, "
        "defPrivPassphrase) with mode 600";
  } else if (kind.name == "fence_vmware") {
    kind.password = PasswordWay::kRefuse;
    kind.use_instead = "use fence_vmware_rest or fence_vmware_soap";
  }
  for (const auto suffix : kProtocols) {
    if (!kind.one_system && kind.family.ends_with(suffix)) {
      kind.family.resize(kind.family.size() - suffix.size());
      break;
    }
  }
  return kind;
}

std::string option_name(std::string_view name) {
  std::string result;
  const auto first = name.find_first_not_of(" \t");
  if (first != std::string_view::npos) result = name.substr(first, name.find_last_not_of(" \t") - first + 1);
  std::replace(result.begin(), result.end(), '-', '_');
  for (const auto& [alias, known] : kAliases) {
    if (result == alias) return std::string(known);
  }
  return result;
}

}  // namespace rackline::ha
