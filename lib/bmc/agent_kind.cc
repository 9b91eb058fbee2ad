// SPDX-License-Identifier: Apache-2.0
#include "bmc/agent_kind.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/id.h"
#include "proc/child.h"

namespace rackline::bmc {
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
constexpr std::array<Names, 14> kControllers{
    "fence_redfish",  "fence_ilo",      "fence_ilo2",   "fence_ilo_ssh", "fence_ilo3_ssh",
    "fence_ilo4_ssh", "fence_ilo5_ssh", "fence_ilo_mp", "fence_drac",    "fence_drac5",
    "fence_rsa",      "fence_rsb",      "fence_amt",    "fence_alom"};
// They speak HTTP in their own process, and names there may hold blanks.
constexpr std::array<Names, 21> kWeb{
    "fence_aliyun",   "fence_aws",       "fence_azure_arm",   "fence_cisco_ucs",   "fence_docker",
    "fence_ecloud",   "fence_gce",       "fence_ibm_powervs", "fence_ibm_vpc",     "fence_ibmz",
    "fence_kubevirt", "fence_openstack", "fence_ovh",         "fence_pve",         "fence_redfish",
    "fence_rhevm",    "fence_skalar",    "fence_vmware_rest", "fence_vmware_soap", "fence_vmware_vcloud",
    "fence_xenapi"};
// Their secret has another name than "password".
constexpr std::array<std::pair<Names, const char*>, 3> kTokens{
    {{"fence_ecloud", "apikey"}, {"fence_ibm_vpc", "apikey"}, {"fence_ibm_powervs", "token"}}};
// What the programs of the package say, and what only those of one kind say.
constexpr const char* kPackage = "from fencing import";
constexpr std::array<std::pair<Names, const char*>, 4> kTraits{{{"--ipmitool-path", "fence_ipmilan"},
                                                                {"fencing_snmp", "fence_apc_snmp"},
                                                                {"redfish-uri", "fence_redfish"},
                                                                {"fence_vmware_helper", "fence_vmware"}}};
constexpr std::size_t kLongestProgram = std::size_t{1} << 20;
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

std::string contents_of(const std::string& path) {
  std::error_code none;
  const auto size = std::filesystem::file_size(path, none);
  if (path.empty() || none || size > kLongestProgram) return {};
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

bool is_known(const std::string& name) {
  return has(kIpmi, name) || has(kSnmp, name) || has(kControllers, name) || has(kWeb, name) ||
         name == "fence_vmware";
}

// The name under which the package has the program, as far as that matters.
std::string known_name(const AgentKind& kind, const std::string& agent) {
  if (is_known(kind.name)) return kind.name;
  for (const auto& [words, name] : kTraits) {
    if (kind.text.find(words) != std::string::npos) return std::string(name);
  }
  const auto given = std::filesystem::path(agent).filename().string();
  return is_known(given) ? given : kind.name;
}

}  // namespace

bool AgentKind::has_identity() const {
  return ipmi || family == "fence_redfish";
}

bool AgentKind::reads(const std::string& option) const {
  if (text.empty()) return true;
  std::string other = option;
  std::replace(other.begin(), other.end(), '_', '-');
  return text.find(option) != std::string::npos || text.find(other) != std::string::npos;
}

bool AgentKind::takes_plug() const {
  if (text.empty()) return !one_system;
  return text.find("\"port\"") != std::string::npos || text.find("'port'") != std::string::npos ||
         text.find("--plug") != std::string::npos;
}

bool AgentKind::takes_address() const {
  return one_system || reads("ipaddr");
}

std::string agent_file(const std::string& agent) {
  return proc::find_program(agent);
}

AgentKind agent_kind(const std::string& agent) {
  AgentKind kind;
  std::error_code none;
  const auto real = std::filesystem::canonical(agent_file(agent), none);
  kind.name = (none ? std::filesystem::path(agent) : real).filename().string();
  kind.text = none ? "" : contents_of(real.string());
  if (!kind.text.empty()) kind.copy = hex(fnv1a(kind.text));
  if (kind.text.find(kPackage) == std::string::npos) kind.text.clear();
  const std::string name = known_name(kind, agent);
  kind.family = name;
  kind.web = has(kWeb, name);
  for (const auto& [one, secret] : kTokens) {
    if (name == one) kind.secret = secret;
  }
  if (has(kIpmi, name)) {  // @rule 20-argv-sisters
    kind.family = "fence_ipmilan";
    kind.ipmi = kind.one_system = true;
    kind.password = PasswordWay::kFile;
    kind.port = "623";
  } else if (has(kControllers, name)) {
    kind.one_system = true;
    if (name == "fence_redfish") kind.port = "443";
  } else if (has(kSnmp, name)) {
    kind.password = PasswordWay::kRefuse;
    kind.port = "161";
    kind.use_instead =
        "leave password_file away, and put the passwords into ~/.snmp/snmp.conf (defAuthPassphrase, "
        "defPrivPassphrase) with mode 600";
  } else if (name == "fence_vmware") {
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

}  // namespace rackline::bmc
