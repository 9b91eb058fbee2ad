// SPDX-License-Identifier: Apache-2.0
#include "ha/fence_switch.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "ha/fence_kind.h"
#include "net/spelling.h"

namespace rackline::ha {
namespace {

constexpr std::array<std::string_view, 5> kUsualPorts{"22", "23", "80", "161", "443"};
// Options by which an agent chooses among what its device has.
constexpr std::array<const char*, 4> kChoices{"systems_uri", "target", "uuid", "nodename"};

std::string number(const std::string& text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return text;
  const auto first = text.find_first_not_of('0');
  return first == std::string::npos ? "0" : text.substr(first);
}

bool is_true(const std::string& value) {
  const std::string word = net::small_letters(value);
  return word == "1" || word == "yes" || word == "on" || word == "true";
}

// The agents take several plugs apart by themselves, at a comma if they are not told otherwise. A plug of a
// second switch in a chain is SWITCH:PLUG or has an option of its own; the first switch may go unnamed.
std::vector<std::string> plugs_of(const FenceMethod& method) {
  const std::string separator =
      method.option("plug_separator").empty() ? "," : method.option("plug_separator");
  const std::string chain = number(method.option("switch"));
  std::vector<std::string> plugs;
  std::string rest = net::small_letters(method.option("plug"));
  while (!rest.empty()) {
    const auto end = rest.find(separator);
    std::string plug = rest.substr(0, end);
    rest = end == std::string::npos ? "" : rest.substr(end + separator.size());
    if (const auto colon = plug.find(':'); colon != std::string::npos) {
      plug = number(plug.substr(0, colon)) + ":" + number(plug.substr(colon + 1));
    } else {
      plug = (chain.empty() ? "1" : chain) + ":" + number(plug);
    }
    plugs.push_back(plug);
  }
  for (const char* choice : kChoices) {
    std::string value = method.option(choice);
    while (value.ends_with('/')) value.pop_back();
    if (!value.empty()) plugs.push_back(std::string(choice) + " " + value);
  }
  return plugs;
}

// Without an address the options are all that tells one switch from another.
std::string all_options(const FenceMethod& method) {
  std::vector<std::string> lines;
  for (const auto& line : method.options) {
    const auto name = option_name(line.substr(0, line.find('=')));
    if (name != "plug" && name != "switch") lines.push_back(line);
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
  std::string address = method.option("ip");
  const bool plug_is_address = is_true(method.option("port_as_ip"));
  if (plug_is_address && !method.option("plug").empty()) address = method.option("plug");
  if (!plug_is_address) place.plugs = plugs_of(method);
  if (address.empty()) {
    place.devices = {kind.family + all_options(method)};
    return place;
  }
  std::string port = number(method.option("ipport"));
  // fence_redfish and others take ADDRESS:PORT.
  if (std::count(address.begin(), address.end(), ':') == 1) {
    if (port.empty()) port = number(address.substr(address.find(':') + 1));
    address.resize(address.find(':'));
  } else if (const auto close = address.find("]:"); address.starts_with('[') && close != std::string::npos) {
    if (port.empty()) port = number(address.substr(close + 2));
    address.resize(close + 1);
  }
  const bool usual =
      port == kind.port ||
      (kind.port.empty() && std::find(kUsualPorts.begin(), kUsualPorts.end(), port) != kUsualPorts.end());
  if (usual) port.clear();
  // A controller answers by several protocols, each at its own port; behind another port may be another one.
  const std::string family = kind.one_system && port.empty() ? "controller" : kind.family;
  for (const auto& spelling : net::spellings(address))
    place.devices.push_back(family + " " + spelling + (port.empty() ? "" : " port " + port));
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

}  // namespace rackline::ha
