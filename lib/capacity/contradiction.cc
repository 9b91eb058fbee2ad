// SPDX-License-Identifier: Apache-2.0
#include "capacity/contradiction.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "base/joined.h"

namespace rackline::capacity {
namespace {

using Names = std::set<std::string>;
using record::PlacementRule;

std::string hard_words(const PlacementRule& rule) {
  const std::string vms = joined(rule.vms);
  if (rule.rule == "pin") return "pin of " + vms + " to " + joined(*rule.hosts);
  if (rule.rule == "exclude") return "exclude of " + vms + " from " + joined(*rule.hosts);
  if (rule.rule == "depends") return "depends of " + vms + " on " + joined(*rule.on);
  if (rule.rule == "spread" && rule.domains) {
    return "spread of " + vms + " over " + std::to_string(*rule.domains) + " domains";
  }
  return rule.rule + " of " + vms;
}

class Examination {
 public:
  Examination(const Round& round, const Rules& rules, const std::vector<record::VmRequest>& requests)
      : rules_(rules) {
    for (const auto& host : round.hosts()) hosts_.emplace(host.host, &host);
    for (const auto& vm : round.vms()) {
      hosts_.emplace(vm.host, nullptr);
      vms_.insert(vm.vm);
      if (vm.anti_affinity) groups_[*vm.anti_affinity].insert(vm.vm);
    }
    for (const auto& request : requests) {
      vms_.insert(request.vm);
      if (request.anti_affinity) groups_[*request.anti_affinity].insert(request.vm);
    }
    for (const auto& rule : rules.all()) {
      // What is only preferred contradicts nothing: it is given up.
      if ((rule.rule != "pin" && rule.rule != "exclude") || is_soft(rule)) continue;
      for (const auto& vm : rule.vms) by_vm_[vm].push_back(&rule);
    }
  }

  Contradictions result() {
    for (const auto& [vm, rules] : by_vm_) examine_hosts(vm, rules);
    for (const auto& [name, members] : groups_) {
      examine_group("anti-affinity group " + name, members, members.size(), false);
    }
    for (const auto& rule : rules_.all()) examine(rule);
    find_circle();
    return std::move(found_);
  }

 private:
  void examine(const PlacementRule& rule) {
    Names members;
    for (const auto& vm : rule.vms) {
      if (vms_.contains(vm)) members.insert(vm);
    }
    if (members.empty() && !rule.vms.empty()) {
      found_.idle.push_back(words(rule) + ": none of them is in the input");
      return;
    }
    if (is_soft(rule)) return;
    if (rule.rule == "affinity") examine_affinity(rule, members);
    if (rule.rule == "anti_affinity") examine_group(words(rule), members, members.size(), false);
    if (rule.rule == "spread") {
      const auto wanted = rule.domains ? static_cast<std::size_t>(*rule.domains) : members.size();
      if (members.size() < wanted) {
        found_.doubtful.push_back(words(rule) + ": only " + std::to_string(members.size()) +
                                  " of them are in the input");
      } else {
        examine_group(words(rule), members, wanted, true);
      }
    }
    if (rule.rule == "depends") examine_dependency(rule, members);
  }

  // Where the rules leave the VM a place.
  Names allowed(const std::string& vm) const {
    Names names;
    const auto rules = by_vm_.find(vm);
    for (const auto& [host, sample] : hosts_) {
      const bool may =
          rules == by_vm_.end() ||
          std::all_of(rules->second.begin(), rules->second.end(), [&, name = host](const auto* rule) {
            return Rules::names_host(*rule, name) == (rule->rule == "pin");
          });
      if (may) names.insert(host);
    }
    return names;
  }

  void examine_hosts(const std::string& vm, const std::vector<const PlacementRule*>& rules) {
    const auto denies = [](const PlacementRule& rule, const std::string& host) {
      return Rules::names_host(rule, host) != (rule.rule == "pin");
    };
    // Two that exclude each other say more than the list of all.
    for (const auto* one : rules) {
      if (one->rule != "pin") continue;
      for (const auto* other : rules) {
        const bool none = std::all_of(one->hosts->begin(), one->hosts->end(),
                                      [&](const auto& host) { return denies(*other, host); });
        if (one == other || !none) continue;
        found_.impossible.push_back(words(*one) + " and " + words(*other) + " leave " + vm + " no host");
        return;
      }
    }
    if (!vms_.contains(vm) || !allowed(vm).empty()) return;
    Names texts;
    Names unknown;
    for (const auto* rule : rules) {
      texts.insert(words(*rule));
      if (rule->rule != "pin") continue;
      for (const auto& host : *rule->hosts) {
        if (!hosts_.contains(host)) unknown.insert(host);
      }
    }
    found_.impossible.push_back(joined(texts, " and ") + (texts.size() > 1 ? " leave " : " leaves ") + vm +
                                " no host of the input" +
                                (unknown.empty() ? "" : ", which has no " + joined(unknown, " and no ")));
  }

  std::string place(const std::string& host, bool domains) const {
    const auto* sample = hosts_.at(host);
    if (!domains) return host;
    return sample == nullptr ? "the host " + host : domain_name(*sample);
  }

  // Whether `wanted` of the members find each a place (host or domain) of their own, by augmenting paths. If
  // not, those that were reached by the last of them share too few places: Hall's condition names them.
  void examine_group(const std::string& group, const Names& members, std::size_t wanted, bool domains) {
    Names all;
    for (const auto& [host, sample] : hosts_) all.insert(place(host, domains));
    const bool ruled =
        std::any_of(members.begin(), members.end(), [&](const auto& vm) { return by_vm_.contains(vm); });
    const char* what = domains ? " failure domains" : " hosts";
    if (all.size() < wanted) {
      found_.doubtful.push_back(group + ": " + std::to_string(members.size()) + " virtual servers need " +
                                std::to_string(wanted) + what + ", and there are " +
                                std::to_string(all.size()));
      return;
    }
    if (!ruled) return;
    std::map<std::string, Names> places;
    for (const auto& vm : members) {
      for (const auto& host : allowed(vm)) places[vm].insert(place(host, domains));
      if (places[vm].empty()) return;  // told already
    }
    std::map<std::string, std::string> holder;  // of a place
    std::size_t matched = 0;
    Names short_of;
    for (const auto& vm : members) {
      Names asked;
      Names reached;
      const std::function<bool(const std::string&)> augment = [&](const std::string& one) {
        reached.insert(one);
        for (const auto& spot : places[one]) {
          if (!asked.insert(spot).second) continue;
          const auto held = holder.find(spot);
          if (held != holder.end() && !augment(held->second)) continue;
          holder[spot] = one;
          return true;
        }
        return false;
      };
      if (augment(vm)) {
        ++matched;
      } else {
        short_of = reached;
      }
    }
    if (matched >= wanted) return;
    Names texts;
    Names left;
    for (const auto& vm : short_of) {
      left.insert(places[vm].begin(), places[vm].end());
      const auto rules = by_vm_.find(vm);
      if (rules == by_vm_.end()) continue;
      for (const auto* rule : rules->second) texts.insert(words(*rule));
    }
    found_.impossible.push_back(group + " and " + joined(texts, " and ") + ": " + joined(short_of) +
                                " need different" + what + ", and are left " + joined(left));
  }

  void examine_affinity(const PlacementRule& rule, const Names& members) {
    for (const auto& other : rules_.all()) {
      if (other.rule != "anti_affinity" || is_soft(other)) continue;
      const auto both = std::count_if(members.begin(), members.end(),
                                      [&](const auto& vm) { return Rules::binds(other, vm); });
      if (both > 1) found_.impossible.push_back(words(rule) + " and " + words(other));
    }
    Names common;
    Names texts;
    for (const auto& vm : members) {
      const Names own = allowed(vm);
      if (vm == *members.begin()) common = own;
      std::erase_if(common, [&](const auto& host) { return !own.contains(host); });
      if (const auto rules = by_vm_.find(vm); rules != by_vm_.end())
        for (const auto* other : rules->second) texts.insert(words(*other));
    }
    if (!members.empty() && common.empty())
      found_.impossible.push_back(words(rule) + " and " + joined(texts, " and ") + " leave " +
                                  joined(members) + " no host in common");
  }

  void examine_dependency(const PlacementRule& rule, const Names& members) {
    Names near;
    Names known;
    const auto neighbourhoods = [&](const std::string& vm) {
      Names names;
      for (const auto& host : allowed(vm)) {
        const auto* sample = hosts_.at(host);
        names.insert(sample == nullptr ? "the host " + host : neighbourhood_name(*sample));
      }
      return names;
    };
    for (const auto& vm : *rule.on) {
      if (!vms_.contains(vm)) continue;
      known.insert(vm);
      near.merge(neighbourhoods(vm));
    }
    if (known.empty()) {
      found_.doubtful.push_back(words(rule) + ": " + joined(*rule.on) + " is not in the input, so they stay");
      return;
    }
    for (const auto& vm : members) {
      const Names own = neighbourhoods(vm);
      const bool meet = std::any_of(own.begin(), own.end(), [&](const auto& n) { return near.contains(n); });
      if (own.empty() || near.empty() || meet) continue;
      Names texts;
      known.insert(vm);
      for (const auto& one : known) {
        const auto rules = by_vm_.find(one);
        if (rules == by_vm_.end()) continue;
        for (const auto* other : rules->second) texts.insert(words(*other));
      }
      found_.impossible.push_back(words(rule) + " and " + joined(texts, " and ") + ": " + vm +
                                  " is left no neighbourhood in common");
      return;
    }
  }

  // A circle could be obeyed by having all of it in one neighbourhood, but nobody means one: what is started
  // first, and what is moved first?
  void find_circle() {
    std::map<std::string, Names> needs;
    for (const auto& rule : rules_.all()) {
      if (rule.rule != "depends") continue;
      for (const auto& vm : rule.vms) needs[vm].insert(rule.on->begin(), rule.on->end());
    }
    std::map<std::string, int> seen;  // 1: on the path, 2: done
    std::vector<std::string> path;
    const std::function<bool(const std::string&)> visit = [&](const std::string& vm) {
      path.push_back(vm);
      if (seen[vm] == 1) return true;
      if (seen[vm] == 0) {
        seen[vm] = 1;
        for (const auto& next : needs[vm]) {
          if (visit(next)) return true;
        }
        seen[vm] = 2;
      }
      path.pop_back();
      return false;
    };
    Names starts;
    for (const auto& [vm, on] : needs) starts.insert(vm);
    for (const auto& vm : starts) {
      if (!visit(vm)) continue;
      path.erase(path.begin(), std::find(path.begin(), path.end(), path.back()));
      found_.impossible.push_back("depends goes in a circle: " + joined(path, " on "));
      return;
    }
  }

  const Rules& rules_;
  std::map<std::string, const record::HostSample*> hosts_;
  Names vms_;
  std::map<std::string, Names> groups_;
  std::map<std::string, std::vector<const PlacementRule*>> by_vm_;
  Contradictions found_;
};

}  // namespace

std::string words(const record::PlacementRule& rule) {
  return (is_soft(rule) ? "soft " : "") + hard_words(rule);
}

Contradictions contradictions(const Round& round, const Rules& rules,
                              const std::vector<record::VmRequest>& requests) {
  // Most rounds have no rules at all, and this is asked of each.
  const auto grouped = [](const auto& one) { return one.anti_affinity.has_value(); };
  if (rules.all().empty() && std::none_of(round.vms().begin(), round.vms().end(), grouped) &&
      std::none_of(requests.begin(), requests.end(), grouped)) {
    return {};
  }
  return Examination(round, rules, requests).result();
}

std::string domain_name(const record::HostSample& host) {
  return host.failure_domain ? "domain " + *host.failure_domain : "the host " + host.host;
}

std::string neighbourhood_name(const record::HostSample& host) {
  return host.neighbourhood ? "neighbourhood " + *host.neighbourhood : domain_name(host);
}

}  // namespace rackline::capacity
