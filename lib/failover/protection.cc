// SPDX-License-Identifier: Apache-2.0
#include "failover/protection.h"

#include <algorithm>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/time.h"
#include "net/address.h"
#include "store/document.h"

namespace rackline::failover {
namespace {

using store::Json;

constexpr const char* kPrefix = "protected/";

std::string key_of(const std::string& vm) {
  return kPrefix + store::key_part(vm);
}

Protected protected_of(const store::Entry& entry) {
  const Json document = Json::parse(entry.value, nullptr, false);
  try {
    Protected vm;
    document.at("vm").get_to(vm.vm);
    document.at("uuid").get_to(vm.uuid);
    document.at("host").get_to(vm.host);
    vm.running = document.at("state").get<std::string>() == "running";
    document.at("priority").get_to(vm.priority);
    document.at("after").get_to(vm.after);
    const auto optional_text = [&document](const char* name) -> std::optional<std::string> {
      const auto found = document.find(name);
      if (found == document.end() || found->is_null()) return std::nullopt;
      return found->get<std::string>();
    };
    vm.anti_affinity = optional_text("anti_affinity");
    vm.check = optional_text("check");
    vm.affinity.prefer = document.value("prefer", std::vector<std::string>());
    vm.affinity.only = document.value("only", false);
    vm.affinity.together = optional_text("together");
    vm.affinity.failback = document.value("failback", false);
    document.at("memory_bytes").get_to(vm.memory_bytes);
    document.at("vcpus").get_to(vm.vcpus);
    vm.refreshed =
        parse_time(document.at("refreshed").get<std::string>()).value_or(std::chrono::sys_seconds{});
    // Older programs looked at the place when they read the definition, and only then.
    vm.seen = parse_time(document.value("seen", "")).value_or(vm.refreshed);
    vm.autostart = document.value("autostart", false);
    vm.stay_off = document.value("want", "") == "stopped";
    if (vm.stay_off) vm.running = false;
    vm.pinned = optional_text("pinned");
    if (const auto unfit = document.find("unfit"); unfit != document.end()) {
      for (const auto& [host, why] : unfit->items()) vm.unfit[host] = why.get<std::string>();
    }
    document.at("xml").get_to(vm.xml);
    vm.version = entry.version;
    return vm;
  } catch (const Json::exception&) {
    throw Error(Status::kUnreachable, "read what is protected", entry.key, "it is not an entry of ours");
  }
}

}  // namespace

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
  const auto or_null = [](const std::optional<std::string>& text) { return text ? Json(*text) : Json(); };
  Json document = {{"vm", vm.vm},
                   {"uuid", vm.uuid},
                   {"host", vm.host},
                   {"state", vm.running ? "running" : "stopped"},
                   {"priority", vm.priority},
                   {"after", vm.after},
                   {"anti_affinity", or_null(vm.anti_affinity)},
                   {"check", or_null(vm.check)},
                   {"prefer", vm.affinity.prefer},
                   {"only", vm.affinity.only},
                   {"together", or_null(vm.affinity.together)},
                   {"failback", vm.affinity.failback},
                   {"memory_bytes", vm.memory_bytes},
                   {"vcpus", vm.vcpus},
                   {"refreshed", format_time(vm.refreshed)},
                   {"seen", format_time(vm.seen)},
                   {"autostart", vm.autostart},
                   {"xml", vm.xml}};
  if (vm.stay_off) document["want"] = "stopped";
  if (vm.pinned) document["pinned"] = *vm.pinned;
  if (!vm.unfit.empty()) document["unfit"] = vm.unfit;
  const std::string key = key_of(vm.vm);
  const std::string text = store::dump(document);
  return store.commit({{{key, vm.version}}, {{key, text}}, {}}).has_value();
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

std::optional<TcpCheck> parse_check(std::string_view text) {
  if (!text.starts_with("tcp:")) return std::nullopt;
  text.remove_prefix(4);
  const auto address = net::parse_address(text);
  if (!address || address->port.value_or(0) == 0) return std::nullopt;
  return TcpCheck{address->host, address->port_or("")};
}

}  // namespace rackline::failover
