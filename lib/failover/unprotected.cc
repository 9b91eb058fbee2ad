// SPDX-License-Identifier: Apache-2.0
#include "failover/unprotected.h"

#include <algorithm>
#include <set>

#include "base/joined.h"

namespace rackline::failover {
namespace {

// What is to be known of it again.
std::string key_of(const record::VmUnprotected& vm) {
  return vm.uuid.value_or(vm.vm);
}

std::string named(const std::vector<record::VmUnprotected>& vms) {
  std::vector<std::string> texts;
  for (const auto& vm : vms) texts.push_back(vm.vm + " (" + vm.host + ")");
  return joined_some(texts);
}

}  // namespace

std::vector<record::VmUnprotected> unprotected_vms(const View& view, const std::vector<Protected>& vms,
                                                   const std::optional<StandingRule>& rule) {
  std::map<std::string, const Protected*> by_uuid;
  for (const auto& vm : vms) by_uuid[vm.uuid] = &vm;
  std::vector<record::VmUnprotected> found;
  for (const auto& [name, host] : view.hosts) {
    for (const auto& seen : host.vms) {
      if (seen.state == "shutoff") continue;
      const auto known = by_uuid.find(seen.uuid.value_or(""));
      const bool is_protected = known != by_uuid.end();
      if (is_protected && !known->second->stay_off) continue;
      record::VmUnprotected record;
      record.vm = seen.vm;
      record.uuid = seen.uuid;
      record.host = name;
      record.reason = is_protected ? "a person wants it to stay off (failover want), and it runs"
                      : rule && rule->except.contains(seen.vm)
                          ? "it is an exception from what is protected by itself"
                          : "nobody protects it";
      found.push_back(std::move(record));
    }
  }
  return found;
}

void UnprotectedWatch::seen(const View& view, const std::vector<record::VmUnprotected>& found) {
  std::set<std::string> present;
  std::vector<record::VmUnprotected> called;
  for (const auto& vm : found) {
    present.insert(key_of(vm));
    const auto before = known_.find(key_of(vm));
    const bool news = before == known_.end() || before->second.reason != vm.reason;
    known_[key_of(vm)] = vm;
    if (!news) continue;
    hooks_.found(vm);
    if (vm.reason == "nobody protects it") called.push_back(vm);
  }
  std::erase_if(known_, [&](const auto& known) {
    return !present.contains(known.first) && view.answered(known.second.host);
  });
  if (!called.empty())
    hooks_.warn("nobody protects " + named(called) + ": not started again when the host dies; see failover " +
                "protect --all --standing");
}

void UnprotectedWatch::fenced(const std::string& host) {
  std::vector<record::VmUnprotected> lost;
  for (const auto& [key, vm] : known_) {
    if (vm.host == host) lost.push_back(vm);
  }
  for (auto& vm : lost) {
    known_.erase(key_of(vm));
    vm.reason = host + " is fenced, and " + vm.reason + ": it is not started elsewhere";
    hooks_.found(vm);
  }
  if (!lost.empty())
    hooks_.warn(named(lost) + " ran on " + host + ", which is fenced, and " +
                (lost.size() == 1 ? "is" : "are") + " not protected: a person has to start " +
                (lost.size() == 1 ? "it" : "them"));
}

}  // namespace rackline::failover
