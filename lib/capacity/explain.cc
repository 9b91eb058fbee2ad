// SPDX-License-Identifier: Apache-2.0
#include "capacity/explain.h"

#include <algorithm>
#include <cstdio>

#include "base/joined.h"
#include "base/units.h"
#include "capacity/binding.h"

namespace rackline::capacity {
namespace {

const char* resource_word(int resource) {
  return resource == kMemory ? "memory" : "cpu";
}

}  // namespace

std::string Explain::amount(int resource, plan::Amount value) const {
  if (resource != kCpu) return format_bytes(value) + " of " + cluster_.model.resource(resource).name;
  char text[48];
  std::snprintf(text, sizeof text, "%g virtual CPUs", static_cast<double>(value) / 1000);
  return text;
}

std::string Explain::constraint_of_capacity(int bin, int resource) const {
  if (host(bin).holds(resource)) return "reservation";
  if (resource > kCpu) return "hugepages";
  return resource == kMemory ? "memory" : "vcpus";
}

std::string Explain::overload(const plan::State& state, int bin) const {
  std::string text;
  for (const int r : {kCpu, kMemory}) {
    const double limit = r == kCpu ? policy_.threshold_percent : policy_.memory_threshold_percent;
    const double share = 100 * state.share(bin, r);
    if (share <= limit) continue;
    text += (text.empty() ? cluster_.host(bin) : ",") + " " + resource_word(r) + " " + percent_text(share) +
            " > " + percent_text(limit);
  }
  return text;
}

std::string Explain::load(const plan::State& state, int bin) const {
  std::string text = cluster_.host(bin);
  for (const int r : {kCpu, kMemory}) {
    text += std::string(" ") + resource_word(r) + " " + percent_text(100 * state.share(bin, r));
  }
  return text;
}

std::pair<std::string, std::string> Explain::forbidden(int item, int bin) const {
  const Cluster::Vm& vm = cluster_.vm(item);
  const Cluster::HostState& host = this->host(bin);
  for (const auto& rule : rules_.all()) {
    if ((rule.rule != "pin" && rule.rule != "exclude") || !Rules::binds(rule, vm.name)) continue;
    const bool named = Rules::names_host(rule, host.name);
    if (rule.rule == "pin" && !named) return {"pin", "pinned to " + joined(*rule.hosts)};
    if (rule.rule == "exclude" && named) return {"exclude", "excluded by a rule"};
  }
  if (vm.sample != nullptr) {
    if (std::string why = cluster_.taken.why(*vm.sample, bin); !why.empty())
      return {"defined", std::move(why)};
  } else if (const auto there = cluster_.taken.hosts(vm.name);
             std::find(there.begin(), there.end(), bin) != there.end()) {
    return {"defined", "has another virtual server of that name"};
  }
  if (!vm.bound.empty()) return {"reservation", "its reservation " + vm.bound + " is not held there"};
  const int from = cluster_.model.start(item);
  const record::HostSample* own =
      from == plan::kNowhere ? nullptr : cluster_.hosts[static_cast<std::size_t>(from)].sample;
  if (own != nullptr && host.sample != nullptr && vm.sample != nullptr) {
    const std::string lack = lacks(*vm.sample, *own, *host.sample);
    if (!lack.empty())
      return {
          lack.starts_with("has no network") || lack.starts_with("has no interface") ? "network" : "storage",
          lack};
  }
  if (own != nullptr && host.sample != nullptr && own->arch == host.sample->arch) {
    return {"cpu_model", "another CPU model (" + host.sample->cpu_model.value_or("unknown") + " instead of " +
                             own->cpu_model.value_or("unknown") + ")"};
  }
  return {"arch", "another machine architecture"};
}

std::string Explain::reserved(int bin, int resource) const {
  if (host(bin).holds(resource))
    return " (" + amount(resource, host(bin).held[resource]) + " is reserved for others)";
  return "";
}

bool Explain::may_be_mended(const plan::Violation& violation) const {
  if (violation.kind == plan::Violation::Kind::kLeaving) return false;
  return violation.kind != plan::Violation::Kind::kCapacity ||
         (violation.which == kMemory && !host(violation.bin).perhaps_promised);
}

}  // namespace rackline::capacity
