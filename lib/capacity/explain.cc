// SPDX-License-Identifier: Apache-2.0
#include "capacity/explain.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/joined.h"
#include "base/units.h"
#include "capacity/binding.h"

namespace rackline::capacity {
namespace {

constexpr int kHostsInText = 8;
constexpr int kItemsInText = 3;

std::string amount(const plan::Model& model, int resource, plan::Amount value) {
  if (resource != kCpu) return format_bytes(value) + " of " + model.resource(resource).name;
  char text[48];
  std::snprintf(text, sizeof text, "%g virtual CPUs", static_cast<double>(value) / 1000);
  return text;
}

const char* resource_word(int resource) {
  return resource == kMemory ? "memory" : "cpu";
}

}  // namespace

std::string percent_text(double percent) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g%%", percent);
  return text;
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

bool Explain::in_group(int item, int group) const {
  const auto& list = cluster_.model.group_list();
  const auto begin = list.begin() + cluster_.model.group_begin(item);
  const auto end = list.begin() + cluster_.model.group_begin(item + 1);
  return std::find(begin, end, group) != end;
}

std::string Explain::members(const plan::State& state, int group, int bin, bool in_domain, int except) const {
  std::vector<std::string> names;
  for (int item = 0; item < cluster_.model.items(); ++item) {
    const int where = state.where(item);
    if (item == except || where == plan::kNowhere || !in_group(item, group)) continue;
    const bool near = in_domain && cluster_.model.domain(where) == cluster_.model.domain(bin);
    if (where == bin || near) names.push_back(cluster_.vm(item).name);
  }
  return joined(names);
}

std::pair<std::string, std::string> Explain::forbidden(int item, int bin) const {
  const Cluster::Vm& vm = cluster_.vm(item);
  const auto& host = cluster_.hosts[static_cast<std::size_t>(bin)];
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
  const auto& host = cluster_.hosts[static_cast<std::size_t>(bin)];
  if (host.holds(resource))
    return " (" + amount(cluster_.model, resource, host.held[resource]) + " is reserved for others)";
  return "";
}

std::string Explain::violation(const plan::State& state, const plan::Violation& violation) const {
  const std::string& host = cluster_.host(violation.bin);
  switch (violation.kind) {
    case plan::Violation::Kind::kLeaving:
      return cluster_.vm(violation.which).name + " on " + host + ": the host is to be emptied";
    case plan::Violation::Kind::kClass:
      return cluster_.vm(violation.which).name + " on " + host + ": " +
             forbidden(violation.which, violation.bin).second;
    case plan::Violation::Kind::kCapacity:
      return host + " has promised " +
             amount(cluster_.model, violation.which,
                    state.used(violation.bin, violation.which) -
                        cluster_.model.capacity(violation.bin, violation.which)) +
             " too much" + reserved(violation.bin, violation.which);
    case plan::Violation::Kind::kGroupBin:
      return members(state, violation.which, violation.bin, false, plan::kNowhere) + " on " + host + ": " +
             cluster_.model.group(violation.which).name;
    case plan::Violation::Kind::kGroupDomain:
      return members(state, violation.which, violation.bin, true, plan::kNowhere) +
             " in the failure domain of " + host + ": " + cluster_.model.group(violation.which).name;
    case plan::Violation::Kind::kSpread:
      return cluster_.model.group(violation.which).name + ": in too few failure domains";
    case plan::Violation::Kind::kNeeds:
      return members(state, violation.which, violation.bin, false, plan::kNowhere) + " on " + host +
             ": something that it depends on is not near";
    case plan::Violation::Kind::kTogether:
      return cluster_.model.group(violation.which).name + ": on more than one host";
  }
  return {};
}

std::string Explain::stuck(const plan::State& state, const plan::Violation& violation) const {
  std::string text;
  int told = 0;
  for (int item = 0; item < cluster_.model.items() && told < kItemsInText; ++item) {
    if (state.where(item) == plan::kNowhere || !concerns(state, violation, item)) continue;
    const std::string why = no_place(state, item);
    if (why.empty()) return {};
    ++told;
    text += (text.empty() ? "" : "; ") + cluster_.vm(item).name + " cannot go elsewhere (" + why + ")";
  }
  return text;
}

bool Explain::may_be_mended(const plan::Violation& violation) const {
  if (violation.kind == plan::Violation::Kind::kLeaving) return false;
  return violation.kind != plan::Violation::Kind::kCapacity ||
         (violation.which == kMemory &&
          !cluster_.hosts[static_cast<std::size_t>(violation.bin)].perhaps_promised);
}

bool Explain::concerns(const plan::State& state, const plan::Violation& violation, int item) const {
  switch (violation.kind) {
    case plan::Violation::Kind::kLeaving:
    case plan::Violation::Kind::kClass:
      return violation.which == item;
    case plan::Violation::Kind::kCapacity:
      return state.where(item) == violation.bin;
    case plan::Violation::Kind::kGroupBin:
      return state.where(item) == violation.bin && in_group(item, violation.which);
    case plan::Violation::Kind::kGroupDomain:
      return in_group(item, violation.which) &&
             cluster_.model.domain(state.where(item)) == cluster_.model.domain(violation.bin);
    case plan::Violation::Kind::kSpread:
      return in_group(item, violation.which);
    case plan::Violation::Kind::kNeeds:
      return state.where(item) == violation.bin && in_group(item, violation.which);
    case plan::Violation::Kind::kTogether:
      return in_group(item, violation.which);
  }
  return false;
}

std::string Explain::obstacle(const plan::State& state, int item, int bin,
                              const plan::Obstacle& obstacle) const {
  using Kind = plan::Obstacle::Kind;
  switch (obstacle.kind) {
    case Kind::kNone:
      return "nothing";
    case Kind::kItemFrozen:
      return cluster_.vm(item).frozen;
    case Kind::kBinFrozen:
      return cluster_.hosts[static_cast<std::size_t>(obstacle.which)].frozen;
    case Kind::kBinClosed:
      if (cluster_.model.state(bin) == plan::BinState::kLeaving) return "is to be emptied";
      if (const auto& host = cluster_.hosts[static_cast<std::size_t>(bin)]; !host.closed.empty()) {
        return host.closed;
      }
      return "drained";
    case Kind::kClass:
      return forbidden(item, bin).second;
    case Kind::kCapacity:
      return amount(cluster_.model, obstacle.which, obstacle.missing) + " missing" +
             reserved(bin, obstacle.which);
    case Kind::kGroupBin:
    case Kind::kGroupDomain: {
      const bool in_domain = obstacle.kind == Kind::kGroupDomain;
      const std::string others = members(state, obstacle.which, bin, in_domain, item);
      return cluster_.model.group(obstacle.which).name +
             (others.empty() ? ""
                             : " (" + others + (in_domain ? " is in its failure domain)" : " is there)"));
    }
    case Kind::kSpread:
      return cluster_.model.group(obstacle.which).name + " would be in too few failure domains";
    case Kind::kNeeds:
      return cluster_.model.group(obstacle.which).name + " is not near, and it depends on that";
    case Kind::kNeeded:
      return cluster_.model.group(obstacle.which).name + " depends on it where it is";
    case Kind::kTogether:
      return "others of the " + cluster_.model.group(obstacle.which).name + " are not there";
    case Kind::kSpare:
      return "if a host failed, its virtual servers would no longer fit on the others (N+1; --spare ignore "
             "leaves that out)";
  }
  return {};
}

std::string Explain::no_place(const plan::State& state, int item, const std::vector<bool>& out) const {
  if (cluster_.model.frozen(item)) return cluster_.vm(item).frozen;
  const int from = state.where(item);
  if (from != plan::kNowhere && cluster_.model.state(from) == plan::BinState::kFrozen) {
    return cluster_.host(from) + ": " + cluster_.hosts[static_cast<std::size_t>(from)].frozen;
  }
  std::string text;
  int told = 0;
  int left = 0;
  bool some_admits = false;
  for (int bin = 0; bin < cluster_.model.bins(); ++bin) {
    if (bin == from) continue;
    const bool unused = !out.empty() && out[static_cast<std::size_t>(bin)];
    const plan::Obstacle obstacle = state.obstacle(item, bin);
    if (!obstacle && !unused) {
      some_admits = true;
      continue;
    }
    if (told == kHostsInText) {
      ++left;
      continue;
    }
    ++told;
    text += (text.empty() ? "" : "; ") + cluster_.host(bin) + ": " +
            (unused ? "is to be emptied as well" : this->obstacle(state, item, bin, obstacle));
  }
  if (some_admits) return {};
  if (left > 0) text += "; and " + std::to_string(left) + " more hosts";
  return text.empty() ? "there is no other host" : text;
}

std::string Explain::main_constraint(const plan::State& state, int item, const std::vector<bool>& out) const {
  std::map<std::string, int> counts;
  for (int bin = 0; bin < cluster_.model.bins(); ++bin) {
    if (bin == state.where(item) || (!out.empty() && out[static_cast<std::size_t>(bin)])) continue;
    const plan::Obstacle obstacle = state.obstacle(item, bin);
    if (!obstacle) return "cpu_load";
    ++counts[constraint(item, bin, obstacle)];
  }
  const auto most = std::max_element(counts.begin(), counts.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? "memory" : most->first;
}

std::string Explain::constraint(int item, int bin, const plan::Obstacle& obstacle) const {
  using Kind = plan::Obstacle::Kind;
  switch (obstacle.kind) {
    case Kind::kNone:
      return {};
    case Kind::kItemFrozen:
      return cluster_.vm(item).is_bound() ? "bound" : "held";
    case Kind::kBinFrozen:
      return "held";
    case Kind::kBinClosed:
      return "drained";
    case Kind::kClass:
      return forbidden(item, bin).first;
    case Kind::kCapacity:
      if (cluster_.hosts[static_cast<std::size_t>(bin)].holds(obstacle.which)) return "reservation";
      if (obstacle.which > kCpu) return "hugepages";
      return obstacle.which == kMemory ? "memory" : "vcpus";
    case Kind::kGroupBin:
      return "anti_affinity";
    case Kind::kGroupDomain:
    case Kind::kSpread:
      return "spread";
    case Kind::kNeeds:
    case Kind::kNeeded:
      return "dependency";
    case Kind::kTogether:
      return "affinity";
    case Kind::kSpare:
      return "spare";
  }
  return {};
}

std::string Explain::shortage(const plan::State& state) const {
  const plan::Model& model = cluster_.model;
  std::string text;
  for (int r = 0; r < model.resources(); ++r) {
    plan::Amount needed = 0;
    plan::Amount there = 0;
    for (int bin = 0; bin < model.bins(); ++bin) {
      const plan::BinState kind = model.state(bin);
      if (kind == plan::BinState::kFrozen) continue;
      needed += state.used(bin, r);
      if (kind == plan::BinState::kOpen) there += std::max<plan::Amount>(0, model.capacity(bin, r));
    }
    if (!model.resource(r).hard || needed <= there) continue;
    text += (text.empty() ? "" : "; ") + std::string("all virtual servers need ") + amount(model, r, needed) +
            ", and the hosts that may take any have " + amount(model, r, there) + " together";
  }
  return text;
}

}  // namespace rackline::capacity
