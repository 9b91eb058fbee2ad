// SPDX-License-Identifier: Apache-2.0
#include "roadef/generator.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

namespace rackline::bench {
namespace {

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

class Generator {
 public:
  Generator(const Shape& shape, std::uint64_t seed) : shape_(shape), random_(seed) {}

  Generated make() {
    make_resources();
    make_services();
    make_processes();
    make_machines();
    place();
    restrict_services();
    return std::move(made_);
  }

 private:
  // Not the distributions of <random>: those differ between libraries.
  int below(int limit) { return static_cast<int>(random_() % static_cast<std::uint64_t>(limit)); }
  double fraction() { return static_cast<double>(random_() >> 11) / 9007199254740992.0; }
  double normal() {
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += fraction();
    return sum - 6;
  }

  void make_resources() {
    for (int r = 0; r < shape_.resources; ++r)
      made_.instance.resources.push_back({r < shape_.transients, 10});
    made_.instance.process_weight = 1;
    made_.instance.service_weight = 10;
    made_.instance.machine_weight = 100;
    for (int b = 0; b < shape_.balances && shape_.resources > 1; ++b) {
      made_.instance.balances.push_back({b % shape_.resources, (b + 1) % shape_.resources, 1 + below(3), 10});
    }
  }

  void make_services() { made_.instance.services.resize(index(shape_.services), {0, {}}); }

  // Most services have one process, and a few have as many as there are machines.
  void make_processes() {
    int service = 0;
    const int most = std::max(1, shape_.machines / 2);
    for (int p = 0; p < shape_.processes;) {
      const int left = shape_.services - service;
      int members = 1;
      if (left <= 1) {
        members = most;
        service = std::min(service, shape_.services - 1);
      } else if (shape_.processes - p > left && fraction() < 0.2) {
        members = 1 + static_cast<int>(std::exp(fraction() * std::log(static_cast<double>(most))));
      }
      // Where services run out, the last sizes are evened out over further, new ones.
      if (service >= static_cast<int>(made_.instance.services.size()))
        made_.instance.services.push_back({0, {}});
      members = std::min({members, most, shape_.processes - p});
      const double size = std::exp(1.0 * normal()) * 20000;
      for (int i = 0; i < members; ++i, ++p) {
        Instance::Process process{service, {}, 1 + below(3)};
        for (int r = 0; r < shape_.resources; ++r) {
          const double amount = fraction() < 0.05 ? 0 : size * std::exp(0.7 * normal());
          process.requirements.push_back(static_cast<std::int64_t>(amount));
        }
        made_.instance.processes.push_back(std::move(process));
      }
      ++service;
      if (service == shape_.services && p < shape_.processes) made_.instance.services.push_back({0, {}});
      shape_.services = static_cast<int>(made_.instance.services.size());
    }
  }

  void make_machines() {
    std::vector<double> totals(index(shape_.resources), 0);
    std::vector<double> largest(index(shape_.resources), 0);
    for (const auto& process : made_.instance.processes) {
      for (std::size_t r = 0; r < totals.size(); ++r) {
        totals[r] += static_cast<double>(process.requirements[r]);
        largest[r] = std::max(largest[r], static_cast<double>(process.requirements[r]));
      }
    }
    const double kinds[] = {0.5, 1, 1, 1.5};
    for (int m = 0; m < shape_.machines; ++m) {
      Instance::Machine machine{below(shape_.neighbourhoods), m % shape_.locations, {}, {}};
      const double kind = kinds[below(4)];
      for (std::size_t r = 0; r < totals.size(); ++r) {
        const double mean = totals[r] / shape_.fullness / shape_.machines;
        const double capacity = mean * kind * (0.9 + 0.2 * fraction());
        machine.capacities.push_back(static_cast<std::int64_t>(capacity));
        machine.safeties.push_back(static_cast<std::int64_t>(capacity * (0.7 + 0.25 * fraction())));
      }
      for (int to = 0; to < shape_.machines; ++to)
        made_.instance.distances.push_back(to == m ? 0 : 1 + below(2));
      made_.instance.machines.push_back(std::move(machine));
    }
  }

  bool fits(std::size_t process, int machine) const {
    const auto& required = made_.instance.processes[process].requirements;
    for (std::size_t r = 0; r < required.size(); ++r) {
      if (usage_[index(machine)][r] + required[r] > made_.instance.machines[index(machine)].capacities[r])
        return false;
    }
    return !on_[index(made_.instance.processes[process].service)].contains(machine);
  }

  // Unevenly, the large first, the fuller of some bins at random.
  void place() {
    const std::size_t count = made_.instance.processes.size();
    usage_.assign(index(shape_.machines), std::vector<std::int64_t>(index(shape_.resources), 0));
    on_.resize(made_.instance.services.size());
    made_.initial.assign(count, 0);
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return made_.instance.processes[a].requirements[0] > made_.instance.processes[b].requirements[0];
    });
    for (const std::size_t p : order) {
      int chosen = -1;
      for (int tries = 0; tries < 3; ++tries) {
        const int machine = below(shape_.machines);
        if (!fits(p, machine)) continue;
        if (chosen < 0 || usage_[index(machine)][0] > usage_[index(chosen)][0]) chosen = machine;
      }
      const int offset = below(shape_.machines);
      for (int i = 0; i < shape_.machines && chosen < 0; ++i) {
        const int machine = (offset + i) % shape_.machines;
        if (fits(p, machine)) chosen = machine;
      }
      const auto& process = made_.instance.processes[p];
      for (int i = 0; i < shape_.machines && chosen < 0; ++i) {
        // No machine has the room: one gets it.
        const int machine = (offset + i) % shape_.machines;
        if (on_[index(process.service)].contains(machine)) continue;
        chosen = machine;
        for (std::size_t r = 0; r < process.requirements.size(); ++r) {
          auto& capacity = made_.instance.machines[index(machine)].capacities[r];
          capacity = std::max(capacity, usage_[index(machine)][r] + process.requirements[r]);
        }
      }
      made_.initial[p] = chosen;
      on_[index(process.service)].insert(chosen);
      for (std::size_t r = 0; r < process.requirements.size(); ++r) {
        usage_[index(chosen)][r] += process.requirements[r];
      }
    }
  }

  // Spreads and dependencies that hold at the start.
  void restrict_services() {
    auto& services = made_.instance.services;
    std::vector<std::set<int>> near(services.size());
    for (std::size_t s = 0; s < services.size(); ++s) {
      std::set<int> locations;
      for (const int machine : on_[s]) {
        locations.insert(made_.instance.machines[index(machine)].location);
        near[s].insert(made_.instance.machines[index(machine)].neighbourhood);
      }
      services[s].spread = static_cast<int>(static_cast<double>(locations.size()) * fraction());
    }
    const int count = static_cast<int>(services.size());
    int made = 0;
    for (int tries = 0; made < shape_.dependencies && tries < 20 * shape_.dependencies; ++tries) {
      const int one = below(count);
      const int other = below(count);
      const auto& needed = near[index(one)];
      const auto& there = near[index(other)];
      if (one == other || !std::includes(there.begin(), there.end(), needed.begin(), needed.end())) continue;
      services[index(one)].needs.push_back(other);
      ++made;
    }
  }

  Shape shape_;
  std::mt19937_64 random_;
  Generated made_;
  std::vector<std::vector<std::int64_t>> usage_;
  std::vector<std::set<int>> on_;  // [service]: machines
};

}  // namespace

Generated generate(const Shape& shape, std::uint64_t seed) {
  return Generator(shape, seed).make();
}

}  // namespace rackline::bench
