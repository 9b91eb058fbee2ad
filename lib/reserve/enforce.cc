// SPDX-License-Identifier: Apache-2.0
#include "reserve/enforce.h"

#include <algorithm>

#include "base/error.h"
#include "store/describe.h"

namespace rackline::reserve {
namespace {

// What both versions of control groups take; a new group weighs 1024 in the one and 100 in the other.
constexpr std::int64_t kLeastShares = 2;
constexpr std::int64_t kMostShares = 10'000;
constexpr std::int64_t kThousandths = 1000;
constexpr std::int64_t kSharesOfCore = 100;
constexpr std::int64_t kLeastQuota = 1000;
constexpr std::int64_t kPeriod = 100'000;

struct Wish {
  std::string id;
  Amounts amounts, limits;
};

struct Place {
  std::string host;
  const virt::VmTuning* vm = nullptr;
};

std::int64_t amount_of(const Amounts& amounts, const char* name) {
  const auto found = amounts.find(name);
  return found == amounts.end() ? 0 : found->second;
}

std::int64_t setting_of(const virt::VmTuning& vm, const char* name) {
  const auto found = vm.settings.find(name);
  return found == vm.settings.end() ? 0 : found->second;
}

std::map<std::string, Wish> wishes_of(const std::vector<Claim>& claims) {
  std::map<std::string, Wish> wishes;
  for (const auto& claim : claims) {
    Wish& wish = wishes[claim.vm];
    if (wish.id.empty()) wish.id = claim.id;
    for (const auto& [name, amount] : claim.amounts) wish.amounts[name] += amount;
    // A limit is of the VM: of several the highest.
    for (const auto& [name, limit] : claim.limits) wish.limits[name] = std::max(wish.limits[name], limit);
  }
  return wishes;
}

// What is wanted of one VM, by setting.
std::map<std::string, std::int64_t> wanted_of(const Wish& wish, const virt::VmTuning& vm,
                                              std::int64_t unreserved, std::int64_t reserved,
                                              std::int64_t cpus) {
  std::map<std::string, std::int64_t> wanted;
  if (const auto cores = amount_of(wish.amounts, "cpu"); cores > 0) {
    const std::int64_t rest = cpus * kThousandths - reserved;
    const std::int64_t against = rest <= 0 ? kMostShares : (cores * unreserved + rest - 1) / rest;
    wanted["cpu_shares"] =
        std::clamp(std::max(against, cores * kSharesOfCore / kThousandths), kLeastShares, kMostShares);
  }
  if (const auto limit = amount_of(wish.limits, "cpu"); limit > 0) {
    const auto period = std::max<std::int64_t>(setting_of(vm, "vcpu_period"), 0);
    wanted["vcpu_quota"] = std::max(kLeastQuota, (period == 0 ? kPeriod : period) * limit / kThousandths /
                                                     std::max<std::int64_t>(vm.vcpus, 1));
  }
  constexpr std::int64_t kKib = 1024;
  if (const auto bytes = amount_of(wish.amounts, "memory"); bytes > 0)
    wanted["memory_guarantee"] = bytes / kKib;
  if (const auto bytes = amount_of(wish.limits, "memory"); bytes > 0) wanted["memory_limit"] = bytes / kKib;
  if (const auto iops = amount_of(wish.limits, "iops"); iops > 0) {
    wanted["disk_iops"] = std::max<std::int64_t>(iops / kThousandths, 1);
  }
  if (const auto bits = amount_of(wish.limits, "network"); bits > 0) {
    wanted["network_average"] = std::max<std::int64_t>(bits / 8 / kKib, 1);
  }
  return wanted;
}

}  // namespace

const store::Fields Applied::Value::kFields{FIELD(Applied::Value, before), FIELD(Applied::Value, set)};
const store::Fields Applied::kFields{FIELD(Applied, vm), FIELD(Applied, host), FIELD(Applied, id),
                                     FIELD(Applied, settings)};

Applied applied_from(const std::string& key, const std::string& text) {
  auto applied = store::from_text<Applied>(text);
  if (!applied) throw Error(Status::kUnreachable, "read ledger", key, "it is no document of ours");
  return *std::move(applied);
}

std::vector<Step> enforce(const std::map<std::string, virt::HostTuning>& hosts, bool complete,
                          const std::vector<Claim>& claims, const std::vector<Applied>& applied) {
  const auto wishes = wishes_of(claims);
  std::map<std::string, Place> places;
  std::map<std::string, std::int64_t> unreserved;
  std::map<std::string, std::int64_t> reserved;
  for (const auto& [host, tuning] : hosts) {
    for (const auto& vm : tuning.vms) {
      places[vm.vm] = {host, &vm};
      const auto wish = wishes.find(vm.vm);
      if (wish != wishes.end() && amount_of(wish->second.amounts, "cpu") > 0) {
        reserved[host] += amount_of(wish->second.amounts, "cpu");
      } else {
        unreserved[host] += setting_of(vm, "cpu_shares");
      }
    }
  }
  std::map<std::string, const Applied*> earlier;
  for (const auto& each : applied) earlier[each.vm] = &each;

  std::vector<Step> steps;
  for (const auto& [name, wish] : wishes) {
    const auto place = places.find(name);
    if (place == places.end()) {
      Step step{.id = wish.id, .vm = name, .host = {}, .setting = "vm", .kind = Step::Kind::kAbsent};
      step.reason = complete ? "it runs on no host" : "it runs on no host that answers";
      steps.push_back(step);
      continue;
    }
    const auto& [host, vm] = place->second;
    const auto before = earlier.find(name);
    for (const auto& [setting, wanted] :
         wanted_of(wish, *vm, unreserved[host], reserved[host], hosts.at(host).cpus)) {
      Step step{.id = wish.id, .vm = name, .host = host, .setting = setting};
      step.wanted = wanted;
      const auto found = vm->settings.find(setting);
      if (found == vm->settings.end()) {
        step.kind = Step::Kind::kUnsupported;
        step.reason = "the host offers no such setting";
      } else {
        step.found = found->second;
        step.kind = found->second == wanted ? Step::Kind::kAlready : Step::Kind::kSet;
        if (before != earlier.end()) {
          const auto set = before->second->settings.find(setting);
          step.drifted = set != before->second->settings.end() && set->second.set != found->second &&
                         step.kind == Step::Kind::kSet;
        }
      }
      if (setting == "memory_limit" && step.kind == Step::Kind::kSet && wanted <= vm->memory_kib) {
        step.kind = Step::Kind::kUnsupported;
        step.reason = "lower than the memory that it has: it would be killed";
      }
      steps.push_back(step);
    }
  }
  for (const auto& each : applied) {
    const auto wish = wishes.find(each.vm);
    const auto place = places.find(each.vm);
    if (place == places.end()) {
      // What was set for a running one is gone with it.
      if (wish == wishes.end() && complete) {
        Step step{.id = each.id, .vm = each.vm, .host = {}, .setting = "vm", .kind = Step::Kind::kUndo};
        step.reason = "it runs no more";
        steps.push_back(step);
      }
      continue;
    }
    const auto& [host, vm] = place->second;
    const auto still = wish == wishes.end() ? std::map<std::string, std::int64_t>{}
                                            : wanted_of(wish->second, *vm, unreserved[host], reserved[host],
                                                        hosts.at(host).cpus);
    for (const auto& [setting, value] : each.settings) {
      if (still.contains(setting)) continue;
      Step step{.id = each.id, .vm = each.vm, .host = host, .setting = setting, .kind = Step::Kind::kUndo};
      step.wanted = value.before;
      const auto found = vm->settings.find(setting);
      if (found != vm->settings.end()) step.found = found->second;
      steps.push_back(step);
    }
  }
  return steps;
}

}  // namespace rackline::reserve
