// SPDX-License-Identifier: Apache-2.0
// A day of real CPU usage on simulated hosts, planned again every five minutes: by the planner of capplan
// balance, and by the rules of other balancers.
//
//     replay --load 40 --placement random --seed 1 20110303.csv
//
// A file has a row for each virtual server, and in it the percent of its CPUs that it used in each five
// minutes of the day. Each server gets 2, 4 or 8 virtual CPUs, by the seed. All hosts are alike, of so many
// CPUs that their mean load over the day is --load percent; memory is plentiful, so that only the CPU counts.
// What a rule sees is what was used, which is never more than a host has; what is counted is what was wanted.
// A move takes effect in the next five minutes. The rules need not respect memory or spare hosts; capplan
// does.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <numeric>
#include <random>

#include "capacity/planner.h"

namespace rackline {
namespace {

constexpr int kStepSeconds = 300;
constexpr double kOverloaded = 0.75;  // the threshold of capplan and of the rule that knows only a threshold

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

struct Move {
  int vm;
  int to;
};

struct World {
  int hosts = 100;
  double cpus = 0;                          // of each host
  std::vector<double> vcpus;                // of each server
  std::vector<std::vector<double>> wanted;  // [step][server], in CPUs
  std::vector<int> start;

  int servers() const { return static_cast<int>(vcpus.size()); }
};

// What a rule sees of a moment.
struct View {
  const World& world;
  int step;
  const std::vector<int>& where;
  const std::vector<double>& used;   // of each server, in CPUs
  const std::vector<double>& loads;  // of each host, 1: all its CPUs
};

class Rule {
 public:
  virtual ~Rule() = default;
  virtual std::vector<Move> decide(const View& view) = 0;
};

struct Spread {
  double mean = 0;
  double deviation = 0;
  double imbalance() const { return mean > 0 ? deviation / mean : 0; }
};

Spread spread(const std::vector<double>& loads) {
  const double count = static_cast<double>(loads.size());
  Spread result;
  result.mean = std::accumulate(loads.begin(), loads.end(), 0.0) / count;
  double squares = 0;
  for (const double load : loads) squares += (load - result.mean) * (load - result.mean);
  result.deviation = std::sqrt(squares / count);
  return result;
}

int least_loaded(const std::vector<double>& loads) {
  return static_cast<int>(std::min_element(loads.begin(), loads.end()) - loads.begin());
}

class Nothing : public Rule {
 public:
  std::vector<Move> decide(const View&) override { return {}; }
};

// From each host above the threshold, at once, the smallest server that brings it below, or else the
// largest: to the least loaded host, as long as that stays below.
class Threshold : public Rule {
 public:
  std::vector<Move> decide(const View& view) override {
    std::vector<double> loads = view.loads;
    std::vector<int> where = view.where;
    std::vector<int> hosts(loads.size());
    std::iota(hosts.begin(), hosts.end(), 0);
    std::stable_sort(hosts.begin(), hosts.end(), [&](int a, int b) { return loads[at(a)] > loads[at(b)]; });
    std::vector<Move> moves;
    for (const int host : hosts) {
      while (loads[at(host)] > kOverloaded) {
        const double need = (loads[at(host)] - kOverloaded) * view.world.cpus;
        int enough = -1;
        int largest = -1;
        for (int vm = 0; vm < view.world.servers(); ++vm) {
          if (where[at(vm)] != host || view.used[at(vm)] <= 0) continue;
          if (largest < 0 || view.used[at(vm)] > view.used[at(largest)]) largest = vm;
          if (view.used[at(vm)] < need) continue;
          if (enough < 0 || view.used[at(vm)] < view.used[at(enough)]) enough = vm;
        }
        const int vm = enough >= 0 ? enough : largest;
        const int to = least_loaded(loads);
        const double load = vm >= 0 ? view.used[at(vm)] / view.world.cpus : 0;
        if (vm < 0 || loads[at(to)] + load > kOverloaded) break;
        loads[at(host)] -= load;
        loads[at(to)] += load;
        where[at(vm)] = to;
        moves.push_back({vm, to});
      }
    }
    return moves;
  }
};

// The imbalance, standard deviation over mean, is above 0.3 in three rounds on end: the one move that lowers
// it most, if it lowers it by the margin (a part of what it is).
class Imbalance : public Rule {
 public:
  explicit Imbalance(double margin) : margin_(margin) {}
  std::vector<Move> decide(const View& view) override {
    const Spread now = spread(view.loads);
    held_ = now.imbalance() > 0.3 ? held_ + 1 : 0;
    if (held_ < 3) return {};
    double best = 0;
    Move move{-1, -1};
    for (int vm = 0; vm < view.world.servers(); ++vm) {
      const double load = view.used[at(vm)] / view.world.cpus;
      const int from = view.where[at(vm)];
      for (int to = 0; to < view.world.hosts; ++to) {
        if (to == from) continue;
        // The change of the sum of squares about the mean, which stays.
        const double change = 2 * load * (view.loads[at(to)] - view.loads[at(from)] + load);
        if (change < best) {
          best = change;
          move = {vm, to};
        }
      }
    }
    if (move.vm < 0) return {};
    const double hosts = static_cast<double>(view.world.hosts);
    const double after = std::sqrt(std::max(0.0, now.deviation * now.deviation + best / hosts)) / now.mean;
    if (after > now.imbalance() * (1 - margin_)) return {};
    return {move};
  }

 private:
  double margin_;
  int held_ = 0;
};

// The busiest host is more than 20 points above the calmest: one server goes from there to here, the one that
// halves the difference best, and then not again for six hours.
class Difference : public Rule {
 public:
  std::vector<Move> decide(const View& view) override {
    moved_.resize(at(view.world.servers()), -kCooldown);
    const auto [low, high] = std::minmax_element(view.loads.begin(), view.loads.end());
    if (*high - *low <= 0.2) return {};
    const int from = static_cast<int>(high - view.loads.begin());
    const int to = static_cast<int>(low - view.loads.begin());
    const double difference = (*high - *low) * view.world.cpus;
    int best = -1;
    for (int vm = 0; vm < view.world.servers(); ++vm) {
      const double used = view.used[at(vm)];
      if (view.where[at(vm)] != from || view.step - moved_[at(vm)] < kCooldown) continue;
      if (used <= 0 || used >= difference) continue;
      if (best < 0 || std::abs(used - difference / 2) < std::abs(view.used[at(best)] - difference / 2))
        best = vm;
    }
    if (best < 0) return {};
    moved_[at(best)] = view.step;
    return {{best, to}};
  }

 private:
  static constexpr int kCooldown = 6 * 3600 / kStepSeconds;
  std::vector<int> moved_;
};

// The planner itself, given the records that capwatch would write; what it says is done.
class Capplan : public Rule {
 public:
  explicit Capplan(const capacity::Policy& policy) : planner_(policy) {}
  std::vector<Move> decide(const View& view) override {
    const record::Time time{std::chrono::seconds(1'300'000'000 + view.step * std::int64_t{kStepSeconds})};
    const World& world = view.world;
    std::vector<int> count(at(world.hosts), 0);
    for (int vm = 0; vm < world.servers(); ++vm) {
      record::VmSample& sample = planner_.round().vm_slot();
      sample.time = time;
      sample.vm = name("vm", vm);
      sample.host = name("h", view.where[at(vm)]);
      sample.state = "running";
      sample.domain_id = 1;
      sample.vcpus = static_cast<std::int64_t>(world.vcpus[at(vm)]);
      sample.memory_bytes = *sample.vcpus * kMemoryOfVcpu;
      sample.cpu_cores = view.used[at(vm)];
      planner_.round().keep_vm();
      ++count[at(view.where[at(vm)])];
    }
    const double vcpus = std::accumulate(world.vcpus.begin(), world.vcpus.end(), 0.0);
    for (int host = 0; host < world.hosts; ++host) {
      record::HostSample& sample = planner_.round().host_slot();
      sample.time = time;
      sample.host = name("h", host);
      sample.state = "up";
      sample.cpus = static_cast<std::int64_t>(world.cpus);
      sample.cpu_percent = 100 * view.loads[at(host)];
      sample.memory_bytes = static_cast<std::int64_t>(3 * vcpus / world.hosts) * kMemoryOfVcpu;
      sample.vms_running = count[at(host)];
      sample.cpu_overcommit = 32;
      planner_.round().keep_host();
    }
    planner_.close(time);
    // In a stream the first round only tells where things stand, as in capplan.
    if (view.step == 0) return {};
    const capacity::Plan plan = planner_.balance();
    std::vector<Move> moves;
    for (const auto& move : plan.moves) moves.push_back({number(move.vm), number(move.to)});
    return moves;
  }

 private:
  static constexpr std::int64_t kMemoryOfVcpu = std::int64_t{2} << 30;
  static std::string name(const char* kind, int number) { return kind + std::to_string(number); }
  static int number(const std::string& name) {
    return std::stoi(name.substr(name.find_first_of("0123456789")));
  }

  capacity::Planner planner_;
};

struct Result {
  int moves = 0;
  double overloaded = 0;  // host-minutes
  double saturated = 0;
  double imbalance = 0;
};

Result play(const World& world, Rule& rule) {
  Result result;
  std::vector<int> where = world.start;
  for (int step = 0; step < static_cast<int>(world.wanted.size()); ++step) {
    const std::vector<double>& wanted = world.wanted[at(step)];
    std::vector<double> loads(at(world.hosts), 0);
    for (int vm = 0; vm < world.servers(); ++vm) loads[at(where[at(vm)])] += wanted[at(vm)] / world.cpus;
    for (const double load : loads) {
      result.overloaded += load > kOverloaded ? kStepSeconds / 60.0 : 0;
      result.saturated += load > 1 ? kStepSeconds / 60.0 : 0;
    }
    result.imbalance += spread(loads).imbalance() / static_cast<double>(world.wanted.size());
    std::vector<double> used = wanted;
    for (int vm = 0; vm < world.servers(); ++vm) used[at(vm)] /= std::max(1.0, loads[at(where[at(vm)])]);
    for (double& load : loads) load = std::min(load, 1.0);
    for (const Move& move : rule.decide({world, step, where, used, loads})) {
      result.moves += where[at(move.vm)] != move.to ? 1 : 0;
      where[at(move.vm)] = move.to;
    }
  }
  return result;
}

World read(const std::string& file, int hosts, double load, const std::string& placement,
           std::uint64_t seed) {
  World world;
  world.hosts = hosts;
  std::mt19937_64 random(seed);
  std::ifstream in(file);
  if (!in) throw CLI::ValidationError(file, "cannot be read");
  for (std::string line; std::getline(in, line);) {
    std::vector<double> row;
    std::size_t begin = line.find(',');
    while (begin != std::string::npos) {
      const std::size_t end = line.find(',', begin + 1);
      row.push_back(std::strtod(line.c_str() + begin + 1, nullptr) / 100);
      begin = end;
    }
    if (row.empty()) continue;
    if (world.wanted.empty()) world.wanted.resize(row.size());
    if (row.size() != world.wanted.size()) throw CLI::ValidationError(file, "rows of different length");
    const double vcpus = static_cast<double>(2 << (random() % 3));
    world.vcpus.push_back(vcpus);
    for (std::size_t step = 0; step < row.size(); ++step) world.wanted[step].push_back(row[step] * vcpus);
  }
  if (world.wanted.empty()) throw CLI::ValidationError(file, "there is nothing in it");
  double mean = 0;
  for (const auto& step : world.wanted) mean += std::accumulate(step.begin(), step.end(), 0.0);
  mean /= static_cast<double>(world.wanted.size());
  world.cpus = std::max(1.0, std::ceil(mean / hosts / load));

  // By chance; as many on each host; or by promised CPUs, as a scheduler that knows no usage does.
  const int servers = world.servers();
  world.start.resize(at(servers));
  std::vector<int> order(at(servers));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  std::vector<double> promised(at(hosts), 0);
  if (placement == "promised") {
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return world.vcpus[at(a)] > world.vcpus[at(b)]; });
  }
  for (int i = 0; i < servers; ++i) {
    const int vm = order[at(i)];
    int host = i % hosts;
    if (placement == "random") host = static_cast<int>(random() % at(hosts));
    if (placement == "promised") host = least_loaded(promised);
    world.start[at(vm)] = host;
    promised[at(host)] += world.vcpus[at(vm)];
  }
  return world;
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  CLI::App app("a day of CPU usage, planned again every five minutes");
  std::string file, placement = "random", only;
  int hosts = 100;
  double load = 40;
  std::uint64_t seed = 1;
  capacity::Policy policy;
  std::int64_t horizon = 6 * 3600, price = 30;
  app.add_option("--hosts", hosts)->check(CLI::PositiveNumber);
  app.add_option("--load", load, "mean load of the hosts in percent")->check(CLI::Range(1, 100));
  app.add_option("--placement", placement)->check(CLI::IsMember({"random", "even", "promised"}));
  app.add_option("--seed", seed);
  app.add_option("--horizon", horizon, "seconds");
  app.add_option("--move-price", price, "seconds");
  app.add_option("--only", only, "one rule");
  app.add_option("FILE", file)->required();
  CLI11_PARSE(app, argc, argv);
  policy.horizon = std::chrono::seconds(horizon);
  policy.move_price = std::chrono::seconds(price);
  try {
    const World world = read(file, hosts, load / 100, placement, seed);
    std::vector<std::pair<std::string, std::unique_ptr<Rule>>> rules;
    rules.emplace_back("none", std::make_unique<Nothing>());
    rules.emplace_back("threshold", std::make_unique<Threshold>());
    rules.emplace_back("imbalance", std::make_unique<Imbalance>(0.0));
    rules.emplace_back("imbalance_margin", std::make_unique<Imbalance>(0.1));
    rules.emplace_back("difference", std::make_unique<Difference>());
    rules.emplace_back("capplan", std::make_unique<Capplan>(policy));
    for (const auto& [name, rule] : rules) {
      if (!only.empty() && name != only) continue;
      const Result result = play(world, *rule);
      std::printf("%s\t%d\t%.0f\t%.0f\t%.3f\t%.0f\t%d\n", name.c_str(), result.moves, result.overloaded,
                  result.saturated, result.imbalance, world.cpus, world.servers());
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "replay: %s\n", error.what());
    return 2;
  }
  return 0;
}
