// SPDX-License-Identifier: Apache-2.0
#include "storage/rules.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "base/error.h"
#include "storage/balancer.h"

namespace rackline::bench {
namespace {

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

struct Arrays {
  explicit Arrays(const View& view)
      : world(view.world), where(view.where), loads(at(world.arrays()), 0), used(at(world.arrays()), 0) {
    for (int lun = 0; lun < world.luns(); ++lun) {
      loads[at(where[at(lun)])] += view.done[at(lun)].load;
      used[at(where[at(lun)])] += world.bytes[at(lun)];
    }
  }
  double busy(int array) const { return loads[at(array)] / world.rates[at(array)]; }
  double full(int array) const {
    return static_cast<double>(used[at(array)]) / static_cast<double>(world.sizes[at(array)]);
  }
  bool fits(int lun, int array) const {
    return static_cast<double>(used[at(array)] + world.bytes[at(lun)]) <=
           kSpaceThreshold * static_cast<double>(world.sizes[at(array)]);
  }
  void move(int lun, int to, double load) {
    const int from = where[at(lun)];
    loads[at(from)] -= load;
    loads[at(to)] += load;
    used[at(from)] -= world.bytes[at(lun)];
    used[at(to)] += world.bytes[at(lun)];
    where[at(lun)] = to;
  }

  const World& world;
  std::vector<int> where;
  std::vector<double> loads;
  std::vector<std::int64_t> used;
};

class None : public Rule {
 public:
  std::vector<Move> decide(const View&) override { return {}; }
};

class Space : public Rule {
 public:
  std::vector<Move> decide(const View& view) override {
    Arrays arrays(view);
    std::vector<Move> moves;
    for (Move move = best(arrays); move.lun >= 0; move = best(arrays)) {
      arrays.move(move.lun, move.to, view.done[at(move.lun)].load);
      moves.push_back(move);
    }
    return moves;
  }

 private:
  // Of the fullest array that has such a LUN.
  static Move best(const Arrays& arrays) {
    constexpr double kApart = 0.1;
    const World& world = arrays.world;
    int empty = 0;
    for (int array = 1; array < world.arrays(); ++array) {
      if (arrays.full(array) < arrays.full(empty)) empty = array;
    }
    Move best{-1, empty};
    for (int lun = 0; lun < world.luns(); ++lun) {
      const int from = arrays.where[at(lun)];
      const auto part = [&](int array) {
        return static_cast<double>(world.bytes[at(lun)]) / static_cast<double>(world.sizes[at(array)]);
      };
      if (arrays.full(from) - arrays.full(empty) <= kApart || !arrays.fits(lun, empty)) continue;
      if (arrays.full(empty) + part(empty) > arrays.full(from) - part(from)) continue;
      const double better = best.lun < 0 ? -1 : arrays.full(arrays.where[at(best.lun)]);
      if (arrays.full(from) < better) continue;
      if (arrays.full(from) == better && world.bytes[at(lun)] <= world.bytes[at(best.lun)]) continue;
      best.lun = lun;
    }
    return best;
  }
};

class Greedy : public Rule {
 public:
  std::vector<Move> decide(const View& view) override {
    Arrays arrays(view);
    std::vector<Move> moves;
    for (int array = 0; array < view.world.arrays(); ++array) {
      while (arrays.busy(array) > kThreshold) {
        const Move move = best(view, arrays, array);
        if (move.lun < 0) break;
        arrays.move(move.lun, move.to, view.done[at(move.lun)].load);
        moves.push_back(move);
      }
    }
    return moves;
  }

 private:
  static Move best(const View& view, const Arrays& arrays, int from) {
    Move best{-1, -1};
    for (int lun = 0; lun < view.world.luns(); ++lun) {
      const double load = view.done[at(lun)].load;
      if (arrays.where[at(lun)] != from || load <= 0) continue;
      if (best.lun >= 0 && load <= view.done[at(best.lun)].load) continue;
      int to = -1;
      for (int array = 0; array < view.world.arrays(); ++array) {
        if (array == from || !arrays.fits(lun, array)) continue;
        if (arrays.loads[at(array)] + load > kThreshold * view.world.rates[at(array)]) continue;
        if (to < 0 || arrays.busy(array) < arrays.busy(to)) to = array;
      }
      if (to >= 0) best = {lun, to};
    }
    return best;
  }
};

class Oracle : public Rule {
 public:
  Oracle(const World& world, std::uint64_t seed) : world_(world), random_(seed) {}

  std::vector<Move> decide(const View& view) override {
    if (view.step > 0) return {};
    Arrays arrays(view);
    std::vector<std::vector<float>> loads(at(world_.arrays()), std::vector<float>(at(world_.steps()), 0));
    for (int lun = 0; lun < world_.luns(); ++lun) add(loads[at(arrays.where[at(lun)])], lun, 1);
    std::vector<int> costs;
    for (int array = 0; array < world_.arrays(); ++array) costs.push_back(cost(array, loads[at(array)]));
    std::vector<int> best = arrays.where;
    int now = 0;
    for (const int one : costs) now += one;
    int least = now;
    for (int i = 0; i < kTrials; ++i) {
      const double heat = kHeat * (1 - static_cast<double>(i) / kTrials) + 0.01;
      const int lun = static_cast<int>(random_() % at(world_.luns()));
      const int to = static_cast<int>(random_() % at(world_.arrays()));
      const int from = arrays.where[at(lun)];
      if (to == from || !arrays.fits(lun, to)) continue;
      add(loads[at(from)], lun, -1);
      add(loads[at(to)], lun, 1);
      const int here = cost(from, loads[at(from)]);
      const int there = cost(to, loads[at(to)]);
      const int worse = here + there - costs[at(from)] - costs[at(to)];
      const double chance = static_cast<double>(random_() >> 11) * 0x1.0p-53;
      if (worse > 0 && chance >= std::exp(-worse / heat)) {
        add(loads[at(from)], lun, 1);
        add(loads[at(to)], lun, -1);
        continue;
      }
      costs[at(from)] = here;
      costs[at(to)] = there;
      now += worse;
      arrays.move(lun, to, 0);
      if (now >= least) continue;
      least = now;
      best = arrays.where;
    }
    std::vector<Move> moves;
    for (int lun = 0; lun < world_.luns(); ++lun) {
      if (best[at(lun)] != view.where[at(lun)]) moves.push_back({lun, best[at(lun)]});
    }
    return moves;
  }

 private:
  static constexpr int kTrials = 400'000;
  static constexpr double kHeat = 8;

  void add(std::vector<float>& loads, int lun, float sign) const {
    for (int step = 0; step < world_.steps(); ++step)
      loads[at(step)] += sign * static_cast<float>(world_.wanted[at(step)][at(lun)].load);
  }
  int cost(int array, const std::vector<float>& loads) const {
    const auto most = static_cast<float>(kThreshold * world_.rates[at(array)]);
    return static_cast<int>(
        std::count_if(loads.begin(), loads.end(), [most](float load) { return load > most; }));
  }

  const World& world_;
  std::mt19937_64 random_;
};

class Ours : public Rule {
 public:
  Ours(const World& world, std::uint64_t seed) : random_(seed), balancer_(storage::Policy{}) {
    for (int array = 0; array < world.arrays(); ++array) {
      arrays_.push_back("a" + std::to_string(array));
      numbers_[arrays_.back()] = array;
    }
    for (int lun = 0; lun < world.luns(); ++lun) luns_[world.names[at(lun)]] = lun;
  }

  std::vector<Move> decide(const View& view) override {
    for (int round = 0; round < kRounds; ++round) {
      const record::Time time{std::chrono::seconds(1'800'000'000 + view.step * kStepSeconds +
                                                   (round + 1) * (kStepSeconds - 1) / kRounds)};
      sample(view, time);
      balancer_.close(time);
    }
    std::vector<Move> moves;
    for (const auto& move : balancer_.balance().moves)
      moves.push_back({luns_.at(move.lun), numbers_.at(move.to)});
    return moves;
  }

 private:
  static constexpr int kRounds = 12;  // of lunwatch in a step

  double between(double low, double high) {
    return low + (high - low) * static_cast<double>(random_() >> 11) * 0x1.0p-53;
  }

  void sample(const View& view, record::Time time) {
    // Of the half hour only the mean is known; within it loads go up and down.
    std::vector<Demand> done = view.done;
    for (Demand& demand : done) {
      const double part = between(0.7, 1.3);
      demand.iops *= part;
      demand.bytes_per_second *= part;
      demand.load *= part;
    }
    const Arrays arrays({view.world, view.step, view.where, done});
    for (int array = 0; array < view.world.arrays(); ++array) {
      record::ArraySample& sample = balancer_.round().arrays.emplace_back();
      sample.time = time;
      sample.array = arrays_[at(array)];
      sample.state = "up";
      sample.size_bytes = view.world.sizes[at(array)];
      sample.used_bytes = arrays.used[at(array)];
      double iops = 0;
      double bytes = 0;
      for (int lun = 0; lun < view.world.luns(); ++lun) {
        if (view.where[at(lun)] != array) continue;
        iops += done[at(lun)].iops;
        bytes += done[at(lun)].bytes_per_second;
      }
      sample.read_iops = iops;
      sample.read_bytes_per_second = bytes;
      sample.write_iops = sample.write_bytes_per_second = 0;
      sample.probe_p50_ms = between(0.9, 1.1) * kIdleMs / (1 - std::min(kMostBusy, arrays.busy(array)));
    }
    for (int lun = 0; lun < view.world.luns(); ++lun) {
      record::LunSample& sample = balancer_.round().luns.emplace_back();
      sample.time = time;
      sample.lun = view.world.names[at(lun)];
      sample.array = arrays_[at(view.where[at(lun)])];
      sample.iqn = "iqn.2026-11.bench:" + sample.lun;
      sample.lun_number = 1;
      sample.size_bytes = sample.allocated_bytes = view.world.bytes[at(lun)];
      sample.in_use = "yes";
      sample.read_iops = done[at(lun)].iops;
      sample.read_bytes_per_second = done[at(lun)].bytes_per_second;
      sample.write_iops = sample.write_bytes_per_second = 0;
    }
  }

  static constexpr double kIdleMs = 0.5;
  static constexpr double kMostBusy = 0.97;

  std::mt19937_64 random_;
  storage::Balancer balancer_;
  std::vector<std::string> arrays_;
  std::map<std::string, int> numbers_, luns_;
};

}  // namespace

std::unique_ptr<Rule> make_rule(const std::string& name, const World& world, std::uint64_t seed) {
  if (name == "none") return std::make_unique<None>();
  if (name == "space") return std::make_unique<Space>();
  if (name == "greedy") return std::make_unique<Greedy>();
  if (name == "ours") return std::make_unique<Ours>(world, seed);
  if (name == "oracle") return std::make_unique<Oracle>(world, seed);
  throw Error(Status::kUsage, "play", name, "there is no such policy");
}

}  // namespace rackline::bench
