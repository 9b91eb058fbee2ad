// SPDX-License-Identifier: Apache-2.0
// storage-bench: recorded disks on simulated arrays, planned again every half hour, by lunbalance and by
// other rules (storage/rules.h). Moves are done by the next half hour; what they copy is counted and is no
// load.
//
//     storage-bench --disks DIR --arrays 8 --days 7 --seed 1 --policy ours
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "cli/program.h"
#include "storage/rules.h"

namespace rackline {
namespace {

using bench::World;

struct Result {
  double overloaded = 0;  // array-hours
  double mean_imbalance = 0, worst_imbalance = 0;
  int moves = 0, returns = 0;  // returns: LUNs that go back to an array that they left
  double bytes = 0;
};

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

// What each array is asked for, as a part of what it can do.
std::vector<double> asked(const World& world, int step, const std::vector<int>& where) {
  std::vector<double> busy(at(world.arrays()), 0);
  for (int lun = 0; lun < world.luns(); ++lun) {
    const auto array = at(where[at(lun)]);
    busy[array] += world.wanted[at(step)][at(lun)].load / world.rates[array];
  }
  return busy;
}

double imbalance(const std::vector<double>& busy) {
  double sum = 0;
  double squares = 0;
  for (const double one : busy) sum += one;
  const double mean = sum / static_cast<double>(busy.size());
  for (const double one : busy) squares += (one - mean) * (one - mean);
  return mean > 0 ? std::sqrt(squares / static_cast<double>(busy.size())) / mean : 0;
}

Result play(const World& world, bench::Rule& rule) {
  Result result;
  std::vector<int> where = world.start;
  std::vector<std::set<int>> left(where.size());
  for (int step = 0; step < world.steps(); ++step) {
    const std::vector<double> busy = asked(world, step, where);
    result.overloaded += 24.0 / bench::kStepsOfDay *
                         static_cast<double>(std::count_if(
                             busy.begin(), busy.end(), [](double one) { return one > bench::kThreshold; }));
    const double uneven = imbalance(busy);
    result.mean_imbalance += uneven / world.steps();
    result.worst_imbalance = std::max(result.worst_imbalance, uneven);
    std::vector<bench::Demand> done = world.wanted[at(step)];
    for (int lun = 0; lun < world.luns(); ++lun) {
      const double part = std::min(1.0, 1 / std::max(1e-9, busy[at(where[at(lun)])]));
      done[at(lun)].iops *= part;
      done[at(lun)].bytes_per_second *= part;
      done[at(lun)].load *= part;
    }
    for (const bench::Move& move : rule.decide({world, step, where, done})) {
      int& array = where[at(move.lun)];
      if (array == move.to) continue;
      left[at(move.lun)].insert(array);
      result.returns += left[at(move.lun)].contains(move.to) ? 1 : 0;
      array = move.to;
      ++result.moves;
      result.bytes += static_cast<double>(world.bytes[at(move.lun)]);
    }
  }
  return result;
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "storage-bench",
       .summary = "recorded disks on simulated arrays, by lunbalance and by other rules",
       .examples = {{"storage-bench --disks ../shared/data/disk-load --arrays 8", "all policies"}}});
  std::string disks, policy = "all";
  int arrays = 8;
  int days = 7;
  double load = 40;
  std::uint64_t seed = 1;
  auto& at = program.options();
  at.text("--disks", disks, "a .csv for each disk", "DIR").required();
  at.number("--arrays", arrays, "arrays", cli::kAboveZero);
  at.number("--days", days, "days to play", cli::kAboveZero);
  at.number("--seed", seed, "of the arrays and the first placement");
  at.percent("--load", load, "mean load of all arrays");
  at.choice("--policy", policy, {"all", "ours", "none", "space", "greedy", "oracle"}, "which rule plays");
  return program.run(argc, argv, [&] {
    program.describes_itself();
    const bench::World world = bench::read_world(disks, arrays, days, load / 100, seed);
    std::printf("%-8s %12s %10s %10s %7s %8s %10s\n", "policy", "overloaded-h", "imbalance", "worst", "moves",
                "returns", "moved-GiB");
    for (const char* name : {"none", "space", "greedy", "ours", "oracle"}) {
      if (policy != "all" && policy != name) continue;
      const auto rule = bench::make_rule(name, world, seed);
      const Result result = play(world, *rule);
      std::printf("%-8s %12.1f %10.3f %10.3f %7d %8d %10.0f\n", name, result.overloaded,
                  result.mean_imbalance, result.worst_imbalance, result.moves, result.returns,
                  result.bytes / (1 << 30));
    }
    return Status::kDone;
  });
}
