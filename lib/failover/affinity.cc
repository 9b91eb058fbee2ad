// SPDX-License-Identifier: Apache-2.0
#include "failover/affinity.h"

#include <algorithm>
#include <map>

#include "base/joined.h"

namespace rackline::failover {
namespace {

using Members = std::vector<const Protected*>;

std::string of_one(const Protected& vm, const std::set<std::string>& hosts) {
  const auto& wish = vm.affinity;
  for (const auto& host : wish.prefer) {
    if (!hosts.contains(host)) return vm.vm + " is to be on " + host + ", which is not in the inventory";
  }
  if (wish.prefer.empty() && wish.only)
    return vm.vm + " is to be only on hosts that it prefers, and prefers none";
  if (wish.prefer.empty() && wish.failback)
    return vm.vm + " is to go back to hosts that it prefers, and prefers none";
  return {};
}

std::string of_those_together(const std::string& group, const Members& members) {
  std::map<std::string, std::string> apart;
  std::vector<std::string> left;
  const Protected* first = nullptr;  // that is bound to hosts
  for (const auto* vm : members) {
    if (vm->anti_affinity) {
      const auto [other, is_new] = apart.emplace(*vm->anti_affinity, vm->vm);
      if (!is_new)
        return other->second + " and " + vm->vm + " are to run together (" + group + ") and apart (" +
               *vm->anti_affinity + ")";
    }
    if (!vm->affinity.only) continue;
    const auto& hosts = vm->affinity.prefer;
    if (first == nullptr) {
      first = vm;
      left = hosts;
      continue;
    }
    std::erase_if(
        left, [&hosts](const auto& h) { return std::find(hosts.begin(), hosts.end(), h) == hosts.end(); });
    if (left.empty())
      return first->vm + " and " + vm->vm + " are to run together (" + group + "), and no host may have both";
  }
  return {};
}

// So many that have to be apart need as many hosts.
std::string of_those_apart(const std::string& group, const Members& members) {
  std::set<std::string> hosts;
  std::vector<std::string> names;
  for (const auto* vm : members) {
    if (!vm->affinity.only) continue;
    hosts.insert(vm->affinity.prefer.begin(), vm->affinity.prefer.end());
    names.push_back(vm->vm);
  }
  if (names.size() <= hosts.size()) return {};
  return joined(names) + " are to run apart (" + group + "), and only on " + joined(hosts);
}

}  // namespace

std::string affinity_contradiction(const std::vector<Protected>& vms, const std::set<std::string>& hosts) {
  std::map<std::string, Members> together;
  std::map<std::string, Members> apart;
  for (const auto& vm : vms) {
    if (auto why = of_one(vm, hosts); !why.empty()) return why;
    if (vm.affinity.together) together[*vm.affinity.together].push_back(&vm);
    if (vm.anti_affinity) apart[*vm.anti_affinity].push_back(&vm);
  }
  for (const auto& [group, members] : together) {
    if (auto why = of_those_together(group, members); !why.empty()) return why;
  }
  for (const auto& [group, members] : apart) {
    if (auto why = of_those_apart(group, members); !why.empty()) return why;
  }
  return {};
}

}  // namespace rackline::failover
