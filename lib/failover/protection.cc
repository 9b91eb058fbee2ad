// SPDX-License-Identifier: Apache-2.0
#include "failover/protection.h"

#include <algorithm>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/time.h"
#include "store/describe.h"

namespace rackline::failover {
namespace {

using store::kLater;
using store::kOmitted;

constexpr const char* kPrefix = "protected/";

std::string key_of(const std::string& vm) {
  return kPrefix + store::key_part(vm);
}

constexpr std::string_view kStates[] = {"stopped", "running"};
constexpr std::string_view kWants[] = {"", "stopped"};

Protected protected_of(const store::Entry& entry) {
  constexpr auto kAbsent = std::chrono::sys_seconds::min();
  Protected vm;
  vm.seen = kAbsent;
  if (!store::from_text(entry.value, store::pass_document<Protected>, &vm))
    throw Error(Status::kUnreachable, "read what is protected", entry.key, "it is not an entry of ours");
  // Older programs looked at the place when they read the definition, and only then.
  if (vm.seen == kAbsent) vm.seen = vm.refreshed;
  if (vm.stay_off) vm.running = false;  // @rule 04-stays-off
  vm.version = entry.version;
  return vm;
}

}  // namespace

const store::Fields Protected::kFields{
    FIELD(Protected, vm),
    FIELD(Protected, uuid),
    FIELD(Protected, host),
    FIELD_AT(Protected, "state", running, store::kRequired, store::Words<kStates>),
    FIELD(Protected, priority),
    FIELD(Protected, after),
    FIELD(Protected, anti_affinity, kLater),
    FIELD(Protected, check, kLater),
    FIELD_AT(Protected, "prefer", affinity.prefer, kLater),
    FIELD_AT(Protected, "only", affinity.only, kLater),
    FIELD_AT(Protected, "together", affinity.together, kLater),
    FIELD_AT(Protected, "failback", affinity.failback, kLater),
    FIELD(Protected, memory_bytes),
    FIELD(Protected, vcpus),
    FIELD(Protected, refreshed),
    FIELD(Protected, seen, kLater),
    FIELD(Protected, autostart, kLater),
    FIELD(Protected, xml),
    FIELD_AT(Protected, "want", stay_off, kOmitted, store::Words<kWants>),
    FIELD(Protected, pinned, kOmitted),
    FIELD(Protected, unfit, kOmitted),
};

std::vector<Protected> protected_vms(store::Store& store, std::vector<std::string>* torn) {
  std::vector<Protected> vms;
  for (const auto& entry : store.list(kPrefix)) {
    try {
      vms.push_back(protected_of(entry));
    } catch (const Error& error) {
      if (torn == nullptr) throw;
      torn->emplace_back(error.what());
    }
  }
  std::sort(vms.begin(), vms.end(), [](const auto& a, const auto& b) { return a.vm < b.vm; });
  return vms;
}

std::optional<Protected> protected_vm(store::Store& store, const std::string& vm) {
  const auto entry = store.get(key_of(vm));
  if (!entry) return std::nullopt;
  return protected_of(*entry);
}

bool put(store::Store& store, const Protected& vm) {
  const std::string key = key_of(vm.vm);
  return store.commit({{{key, vm.version}}, {{key, store::to_text(vm)}}, {}}).has_value();
}

bool remove(store::Store& store, const Protected& vm) {
  const std::string key = key_of(vm.vm);
  return store.commit({{{key, vm.version}}, {}, {key}}).has_value();
}

void settle_host(store::Store& store, const std::string& vm, const std::string& host,
                 std::chrono::sys_seconds seen) {
  while (auto stored = protected_vm(store, vm)) {
    if (stored->host == host && (stored->running || stored->stay_off)) return;
    stored->host = host;
    stored->seen = seen;
    stored->running = !stored->stay_off;
    if (put(store, *stored)) return;
  }
}

void remember_place(store::Store& store, const std::string& vm, const std::string& uuid,
                    const std::string& host, std::chrono::sys_seconds seen) {
  while (auto stored = protected_vm(store, vm)) {
    if (stored->uuid != uuid) return;
    stored->host = host;
    stored->seen = seen;
    if (put(store, *stored)) return;
  }
}

std::string dependency_cycle(const std::vector<Protected>& vms) {
  std::map<std::string, const Protected*> by_name;
  for (const auto& vm : vms) by_name[vm.vm] = &vm;
  std::vector<std::string> path;
  std::map<std::string, bool> finished;
  std::string cycle;
  const std::function<void(const std::string&)> visit = [&](const std::string& name) {
    const auto known = by_name.find(name);
    if (known == by_name.end() || finished[name] || !cycle.empty()) return;
    if (const auto seen = std::find(path.begin(), path.end(), name); seen != path.end()) {
      for (auto i = seen; i != path.end(); ++i) cycle += *i + ", ";
      cycle += name;
      return;
    }
    path.push_back(name);
    for (const auto& before : known->second->after) visit(before);
    path.pop_back();
    finished[name] = true;
  };
  for (const auto& vm : vms) visit(vm.vm);
  return cycle;
}

record::VmProtected record_of(const Protected& vm) {
  record::VmProtected record;
  record.vm = vm.vm;
  record.uuid = vm.uuid;
  record.host = vm.host;
  record.state = vm.running ? "running" : "stopped";
  if (vm.stay_off) record.want = "stopped";
  record.priority = vm.priority;
  if (!vm.after.empty()) record.after = vm.after;
  record.anti_affinity = vm.anti_affinity;
  record.check = vm.check;
  if (!vm.affinity.prefer.empty()) record.prefer = vm.affinity.prefer;
  if (vm.affinity.only) record.only = true;
  record.together = vm.affinity.together;
  if (vm.affinity.failback) record.failback = true;
  record.memory_bytes = vm.memory_bytes;
  record.vcpus = vm.vcpus;
  record.pinned = vm.pinned;
  record.seen = format_time(vm.seen);
  record.refreshed = format_time(vm.refreshed);
  return record;
}

std::optional<probe::Check> parse_check(std::string_view text) {
  auto check = probe::parse(text);
  const bool asks_it =
      check && (std::holds_alternative<probe::Tcp>(*check) || std::holds_alternative<probe::Http>(*check));
  return asks_it ? check : std::nullopt;
}

}  // namespace rackline::failover
