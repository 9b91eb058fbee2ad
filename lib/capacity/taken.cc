// SPDX-License-Identifier: Apache-2.0
#include "capacity/taken.h"

#include <algorithm>

namespace rackline::capacity {
namespace {

template <class Places>
void forget_single(Places& places) {
  std::erase_if(places, [](const auto& entry) {
    const auto& [key, where] = entry;
    return std::all_of(where.begin(), where.end(),
                       [&](const auto& one) { return one.first == where.front().first; });
  });
}

template <class Places>
const record::VmSample* find_on(const Places& places, std::string_view key, int host) {
  const auto found = places.find(key);
  if (found == places.end()) return nullptr;
  for (const auto& [there, sample] : found->second)
    if (there == host) return sample;
  return nullptr;
}

template <class Places>
void add_hosts(const Places& places, std::string_view key, std::vector<int>& hosts) {
  const auto found = places.find(key);
  if (found == places.end()) return;
  for (const auto& [there, sample] : found->second) hosts.push_back(there);
}

}  // namespace

void Taken::add(const record::VmSample& vm, int host) {
  names_[vm.vm].emplace_back(host, &vm);
  if (vm.uuid) uuids_[*vm.uuid].emplace_back(host, &vm);
}

void Taken::close() {
  forget_single(names_);
  forget_single(uuids_);
}

std::vector<int> Taken::hosts(const record::VmSample& vm) const {
  std::vector<int> hosts = this->hosts(vm.vm);
  if (vm.uuid) add_hosts(uuids_, *vm.uuid, hosts);
  return hosts;
}

std::vector<int> Taken::hosts(const std::string& name) const {
  std::vector<int> hosts;
  add_hosts(names_, name, hosts);
  return hosts;
}

std::string Taken::why(const record::VmSample& vm, int host) const {
  if (const auto* same = find_on(names_, vm.vm, host))
    return vm.uuid == same->uuid ? "already has a definition of it"
                                 : "has another virtual server of that name";
  const auto* same = vm.uuid ? find_on(uuids_, *vm.uuid, host) : nullptr;
  return same == nullptr ? "" : "has its UUID, as " + same->vm;
}

}  // namespace rackline::capacity
