// SPDX-License-Identifier: Apache-2.0
#include "bmc/switch.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "base/letters.h"
#include "bmc/agent_kind.h"
#include "net/spelling.h"

namespace rackline::bmc {
namespace {

constexpr std::array<std::string_view, 5> kUsualPorts{"22", "23", "80", "161", "443"};
// Options by which an agent chooses among what its device has.
constexpr std::array<const char*, 4> kChoices{"systems_uri", "target", "uuid", "nodename"};

std::string number(const std::string& text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return text;
  const auto first = text.find_first_not_of('0');
  return first == std::string::npos ? "0" : text.substr(first);
}

std::string trimmed(std::string text) {
  while (text.ends_with(' ')) text.pop_back();
  return text.substr(std::min(text.find_first_not_of(' '), text.size()));
}

// One spelling of a path without its doubled and last slashes, and of a number in either of its two forms.
std::string choice_of(std::string value) {
  for (auto twice = value.find("//"); twice != std::string::npos; twice = value.find("//"))
    value.erase(twice, 1);
  while (value.ends_with('/')) value.pop_back();
  value = small_letters(value);
  unsigned long number = 0;
  const bool hexadecimal = value.starts_with("0x");
  const char* first = value.data() + (hexadecimal ? 2 : 0);
  const char* last = value.data() + value.size();
  const auto [end, error] = std::from_chars(first, last, number, hexadecimal ? 16 : 10);
  return error == std::errc() && end == last ? std::to_string(number) : value;
}

// fence_drac5 knows plugs only where it is told that the device is a chassis.
bool takes_plug(const FenceMethod& method, const AgentKind& kind) {
  // @rule 22-no-plugs: true
  return kind.takes_plug() &&
         (!kind.one_system || small_letters(method.option("drac_version")) == "drac cmc");
}

// A controller of one system is bridged by IPMI or has several by Redfish, and chooses by nothing else.
bool chooses(const AgentKind& kind, const std::string& option) {
  if (kind.ipmi) return option == "target";
  if (kind.one_system) return kind.has_identity() && option == "systems_uri";
  return kind.reads(option);
}

// The agents take several plugs apart by themselves, at a comma if they are not told otherwise. A plug of a
// second switch in a chain is SWITCH:PLUG or has an option of its own; the first switch may go unnamed.
std::vector<std::string> plugs_of(const FenceMethod& method, const AgentKind& kind) {
  const std::string separator =
      method.option("plug_separator").empty() ? "," : method.option("plug_separator");
  const std::string chain = number(method.option("switch"));
  std::vector<std::string> plugs;
  std::string rest = takes_plug(method, kind) ? small_letters(method.option("plug")) : "";
  while (!rest.empty()) {
    const auto end = rest.find(separator);
    std::string plug = trimmed(rest.substr(0, end));
    rest = end == std::string::npos ? "" : rest.substr(end + separator.size());
    if (const auto colon = plug.find(':'); colon != std::string::npos) {
      plug = number(plug.substr(0, colon)) + ":" + number(plug.substr(colon + 1));
    } else {
      plug = (chain.empty() ? "1" : chain) + ":" + number(plug);
    }
    plugs.push_back(plug);
  }
  for (const char* choice : kChoices) {
    if (!chooses(kind, choice)) continue;
    if (const auto value = choice_of(method.option(choice)); !value.empty())
      plugs.push_back(std::string(choice) + " " + value);
  }
  return plugs;
}

// What tells how, by whom or how long something is done, and not what is switched.
bool is_manner(const std::string& name) {
  constexpr std::array<std::string_view, 27> kManners{"plug",
                                                      "switch",
                                                      "ip",
                                                      "ipport",
                                                      "verbose",
                                                      "verbose_level",
                                                      "quiet",
                                                      "delay",
                                                      "method",
                                                      "retry_on",
                                                      "separator",
                                                      "plug_separator",
                                                      "timeout",
                                                      "username",
                                                      "use_sudo",
                                                      "identity_file",
                                                      "command_prompt",
                                                      "inet4_only",
                                                      "inet6_only",
                                                      "notls",
                                                      "telnet",
                                                      "lanplus",
                                                      "stonith_status_sleep",
                                                      "boto3_debug",
                                                      "suppress_errors",
                                                      "retries",
                                                      "retrysleep"};
  if (std::find(kManners.begin(), kManners.end(), name) != kManners.end()) return true;
  for (const char* end : {"_timeout", "timeout", "_wait", "_path", "_retries", "_sleep", "_debug"}) {
    if (name.ends_with(end)) return true;
  }
  return name.starts_with("ssh") || name.starts_with("ssl") || name.starts_with("disable_");
}

// Without an address the options are all that tells one switch from another.
std::string all_options(const FenceMethod& method, const AgentKind& kind) {
  std::vector<std::string> lines;
  for (const auto& line : method.options) {
    const auto equals = line.find('=');
    const auto name = option_name(line.substr(0, equals));
    if (is_manner(name)) continue;  // @rule 22-manners
    if (!kind.reads(name) || equals == std::string::npos) continue;
    lines.push_back(name + "=" + trimmed(line.substr(equals + 1)));
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const auto& line : lines) text += " " + line;
  return text;
}

bool common(const std::vector<std::string>& one, const std::vector<std::string>& other) {
  return std::any_of(one.begin(), one.end(), [&](const auto& each) {
    return std::find(other.begin(), other.end(), each) != other.end();
  });
}

}  // namespace

bool SwitchPlace::meets(const SwitchPlace& other) const {
  return common(devices, other.devices) &&
         (plugs.empty() || other.plugs.empty() || common(plugs, other.plugs));
}

std::string SwitchPlace::key() const {
  std::string text = devices.front();
  for (const auto& plug : plugs) text += " " + plug;
  return text;
}

SwitchPlace switch_place(const FenceMethod& method) {
  const auto kind = agent_kind(method.agent);
  SwitchPlace place;
  place.plugs = plugs_of(method, kind);
  // The same program by two names is the same, whatever is known of it.
  const std::string copy = kind.copy.empty() ? "" : "program " + kind.copy;
  std::string address = kind.takes_address() ? method.option("ip") : "";
  if (address.empty()) {
    place.devices = {kind.family + all_options(method, kind)};
    if (!copy.empty()) place.devices.push_back(copy + all_options(method, kind));
    return place;
  }
  // fence_redfish and others take ADDRESS:PORT, and some of them prefer that port to ipport, so both count.
  // Read less strictly than elsewhere: what an agent may understand must not make one switch look like two.
  std::vector<std::string> ports{number(method.option("ipport"))};
  if (std::count(address.begin(), address.end(), ':') == 1) {
    ports.push_back(number(address.substr(address.find(':') + 1)));
    address.resize(address.find(':'));
  } else if (const auto close = address.find("]:"); address.starts_with('[') && close != std::string::npos) {
    ports.push_back(number(address.substr(close + 2)));
    address.resize(close + 1);
  }
  std::erase(ports, "");
  if (ports.empty()) ports.emplace_back();
  for (std::string port : ports) {
    const bool usual =
        port == kind.port ||
        (kind.port.empty() && std::find(kUsualPorts.begin(), kUsualPorts.end(), port) != kUsualPorts.end());
    if (usual) port.clear();
    // A controller answers by several protocols, each at its usual port; another port may be another one's.
    const std::string family = kind.one_system && port.empty() ? "controller" : kind.family;
    for (const auto& name : {family, copy}) {
      if (name.empty()) continue;
      for (const auto& spelling : net::spellings(address))
        place.devices.push_back(name + " " + spelling + (port.empty() ? "" : " port " + port));
    }
  }
  return place;
}

void refuse_shared_switches(const std::map<std::string, FenceLevels>& methods) {
  struct Owner {
    std::string host;
    SwitchPlace place;
  };
  std::multimap<std::string, Owner> owners;  // by device: a large inventory is not compared each with each
  for (const auto& [host, levels] : methods) {
    for (const auto& level : levels) {
      for (const auto& method : level) {
        if (method.self()) continue;
        const auto place = switch_place(method);
        for (const auto& device : place.devices) {
          const auto [first, last] = owners.equal_range(device);
          for (auto owner = first; owner != last; ++owner) {
            if (owner->second.host == host || !place.meets(owner->second.place)) continue;
            throw Error(Status::kUsage, "read the inventory", "hosts " + owner->second.host + " and " + host,
                        "one and the same power switch would switch both: " + method.title(),
                        "a switch, or a plug of it, belongs to one host: fence(1), Methods");
          }
        }
        for (const auto& device : place.devices) owners.emplace(device, Owner{host, place});
      }
    }
  }
}

}  // namespace rackline::bmc
