// SPDX-License-Identifier: Apache-2.0
#include "failover/fitness.h"

#include <algorithm>

#include "migrate/check.h"

namespace rackline::failover {
namespace {

std::string needs_of(const migrate::VmDescription& vm) {
  return vm.arch + "\n" + vm.machine + "\n" + vm.virt_type + "\n" + vm.emulator + "\n" + vm.cpu_xml;
}

std::string networks_of(const migrate::VmDescription& vm) {
  std::string text;
  for (const auto& network : vm.networks) text += "\n" + network.type + " " + network.source;
  return text;
}

std::string joined(const std::map<std::string, std::string>& lacks) {
  std::set<std::string> reasons;
  std::string text;
  for (const auto& [host, why] : lacks) {
    if (reasons.insert(why).second) text += (text.empty() ? "" : "; ") + why;
  }
  return text;
}

}  // namespace

std::string tie_to_host(const Protected& vm, const migrate::VmDescription& description,
                        const std::map<std::string, migrate::MigrationHost>& hosts) {
  if (!description.ties.empty()) return description.ties.front();
  if (!description.ties_when_stopped.empty()) return description.ties_when_stopped.front();
  const auto home = hosts.find(vm.host);
  if (home == hosts.end()) return {};
  const auto elsewhere = [&](const migrate::VmDisk& disk) {
    return std::any_of(hosts.begin(), hosts.end(), [&](const auto& other) {
      return other.first != vm.host && migrate::is_shared(disk, home->second, other.second);
    });
  };
  auto disks = description.disks;
  if (description.nvram) disks.push_back(*description.nvram);
  for (const auto& disk : disks) {
    if (elsewhere(disk)) continue;
    return text_of(disk) + " is not on storage that " + vm.host + " shares with another host";
  }
  return {};
}

void Fitness::find(Protected& vm) {
  const migrate::VmDescription description = virt::parse_description(vm.xml);
  const auto before = std::exchange(vm.unfit, {});
  vm.pinned.reset();
  if (const auto tie = tie_to_host(vm, description, hosts_); !tie.empty()) {
    vm.pinned = tie;
    return;
  }
  const auto home = hosts_.find(vm.host);
  if (home == hosts_.end()) return;
  bool anywhere = false;
  for (const auto& [name, host] : hosts_) {
    if (name == vm.host) continue;
    const auto check = migrate::check_description(home->second, host, description, false);
    Lack why;
    if (check.answer == migrate::CheckResult::Answer::kRefuse) {
      why = check.reason;
    } else if (view_.answered(name) && !hung_.contains(name)) {
      why = lack_of(name, description, vm.host);
    } else if (const auto known = before.find(name); known != before.end()) {
      why = known->second;
    }
    if (why) vm.unfit[name] = *why;
    anywhere = anywhere || !why;
  }
  if (!anywhere && !vm.unfit.empty()) vm.pinned = joined(vm.unfit);
}

// Asked of each host once for all that need the same. One that gives no answer lacks nothing that is known.
template <class Question>
Fitness::Lack Fitness::ask_once(const std::string& host, const std::string& key, Question question) {
  const auto known = answers_.find(host + key);
  if (known != answers_.end()) return known->second;
  Lack lack;
  try {
    lack = ask(host, timeout_, [asked = cluster_.host(host), question] { return question(*asked); });
  } catch (const Error& error) {
    if (error.status() == Status::kTimeout) hung_.insert(host);
  }
  answers_[host + key] = lack;
  return lack;
}

Fitness::Lack Fitness::lack_of(const std::string& host, const migrate::VmDescription& description,
                               const std::string& home) {
  auto lack = ask_once(host, "\n" + needs_of(description),
                       [description](RecoveryHost& asked) { return asked.incompatible(description); });
  if (lack || description.networks.empty() || hung_.contains(host)) return lack;
  const auto network = [&](const std::string& name) {
    return ask_once(name, networks_of(description),
                    [description](RecoveryHost& asked) { return asked.missing_network(description); });
  };
  Lack missing = network(host);
  // A libvirtd that does not know even what its own VM is plugged into is no witness.
  const bool witness = missing && view_.answered(home) && !hung_.contains(home) && !network(home);
  if (!witness) missing.reset();
  return missing;
}

}  // namespace rackline::failover
