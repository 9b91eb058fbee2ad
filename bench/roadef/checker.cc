// SPDX-License-Identifier: Apache-2.0
#include "roadef/checker.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace rackline::bench {
namespace {

constexpr std::size_t kBrokenTold = 20;

class Check {
 public:
  Check(const Instance& instance, const std::vector<int>& initial, const std::vector<int>& now)
      : instance_(instance), initial_(initial), now_(now) {}

  Verdict all() {
    members_.resize(instance_.services.size());
    for (std::size_t p = 0; p < now_.size(); ++p) {
      members_[static_cast<std::size_t>(instance_.processes[p].service)].push_back(p);
    }
    capacities();
    conflicts();
    spreads();
    dependencies();
    balances();
    moves();
    return std::move(verdict_);
  }

 private:
  using Amounts = std::vector<std::int64_t>;

  void broken(const std::string& text) {
    if (verdict_.broken.size() < kBrokenTold) verdict_.broken.push_back(text);
  }
  const Instance::Machine& machine_of(std::size_t process) const {
    return instance_.machines[static_cast<std::size_t>(now_[process])];
  }

  // Capacity with transient usage, and the load cost.
  void capacities() {
    usage_.assign(instance_.machines.size(), Amounts(instance_.resources.size(), 0));
    std::vector<Amounts> left(usage_);
    for (std::size_t p = 0; p < now_.size(); ++p) {
      const auto& required = instance_.processes[p].requirements;
      for (std::size_t r = 0; r < required.size(); ++r) {
        usage_[static_cast<std::size_t>(now_[p])][r] += required[r];
        if (now_[p] != initial_[p]) left[static_cast<std::size_t>(initial_[p])][r] += required[r];
      }
    }
    for (std::size_t m = 0; m < instance_.machines.size(); ++m) {
      for (std::size_t r = 0; r < instance_.resources.size(); ++r) {
        const auto& machine = instance_.machines[m];
        const auto& resource = instance_.resources[r];
        const std::int64_t needed = usage_[m][r] + (resource.transient ? left[m][r] : 0);
        if (needed > machine.capacities[r]) {
          broken("machine " + std::to_string(m) + " needs " + std::to_string(needed) + " of resource " +
                 std::to_string(r) + " and has " + std::to_string(machine.capacities[r]));
        }
        verdict_.load_cost += resource.weight * std::max<std::int64_t>(0, usage_[m][r] - machine.safeties[r]);
      }
    }
  }

  void conflicts() {
    for (std::size_t s = 0; s < members_.size(); ++s) {
      std::set<int> machines;
      for (const std::size_t p : members_[s]) {
        if (machines.insert(now_[p]).second) continue;
        broken("two processes of service " + std::to_string(s) + " are on machine " +
               std::to_string(now_[p]));
      }
    }
  }

  void spreads() {
    for (std::size_t s = 0; s < members_.size(); ++s) {
      std::set<int> locations;
      for (const std::size_t p : members_[s]) locations.insert(machine_of(p).location);
      const auto least = static_cast<std::size_t>(instance_.services[s].spread);
      if (locations.size() < least) {
        broken("service " + std::to_string(s) + " is in " + std::to_string(locations.size()) +
               " of at least " + std::to_string(least) + " locations");
      }
    }
  }

  void dependencies() {
    std::vector<std::set<int>> near(members_.size());
    for (std::size_t s = 0; s < members_.size(); ++s) {
      for (const std::size_t p : members_[s]) near[s].insert(machine_of(p).neighbourhood);
    }
    for (std::size_t s = 0; s < members_.size(); ++s) {
      for (const int on : instance_.services[s].needs) {
        for (const int neighbourhood : near[s]) {
          if (near[static_cast<std::size_t>(on)].contains(neighbourhood)) continue;
          broken("service " + std::to_string(s) + " is in neighbourhood " + std::to_string(neighbourhood) +
                 " without service " + std::to_string(on));
        }
      }
    }
  }

  void balances() {
    for (const auto& balance : instance_.balances) {
      for (std::size_t m = 0; m < instance_.machines.size(); ++m) {
        const auto available = [&](int resource) {
          const auto r = static_cast<std::size_t>(resource);
          return instance_.machines[m].capacities[r] - usage_[m][r];
        };
        const std::int64_t off = balance.target * available(balance.first) - available(balance.second);
        verdict_.balance_cost += balance.weight * std::max<std::int64_t>(0, off);
      }
    }
  }

  void moves() {
    std::map<int, std::int64_t> moved;
    std::int64_t most = 0;
    for (std::size_t p = 0; p < now_.size(); ++p) {
      const auto from = static_cast<std::size_t>(initial_[p]);
      const auto to = static_cast<std::size_t>(now_[p]);
      verdict_.machine_cost +=
          instance_.machine_weight * instance_.distances[from * instance_.machines.size() + to];
      if (from == to) continue;
      most = std::max(most, ++moved[instance_.processes[p].service]);
      verdict_.process_cost += instance_.process_weight * instance_.processes[p].move_cost;
    }
    verdict_.service_cost = instance_.service_weight * most;
  }

  const Instance& instance_;
  const std::vector<int>& initial_;
  const std::vector<int>& now_;
  std::vector<std::vector<std::size_t>> members_;  // [service]: processes
  std::vector<Amounts> usage_;                     // [machine][resource]
  Verdict verdict_;
};

}  // namespace

Verdict check(const Instance& instance, const std::vector<int>& initial, const std::vector<int>& assignment) {
  return Check(instance, initial, assignment).all();
}

}  // namespace rackline::bench
