// SPDX-License-Identifier: Apache-2.0
#include "storage/world.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>

#include "base/error.h"
#include "storage/device.h"

namespace rackline::bench {
namespace {

namespace fs = std::filesystem;

constexpr double kOccupied = 0.6;  // of all room
constexpr std::int64_t kLeastBytes = std::int64_t{10} << 30;

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

// interval,reads,writes,read_bytes,write_bytes,working_set_bytes
void read_disk(const fs::path& file, World& world) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  if (!line.starts_with("interval,reads,writes,read_bytes,write_bytes,working_set_bytes"))
    throw Error(Status::kUsage, "read a disk", file.string(), "its columns are others");
  const std::size_t lun = world.bytes.size();
  double working_set = 0;
  while (std::getline(in, line)) {
    std::array<double, 6> fields{};
    const char* text = line.c_str();
    for (double& field : fields) {
      char* end = nullptr;
      field = std::strtod(text, &end);
      if (end == text || !(field >= 0))
        throw Error(Status::kUsage, "read a disk", file.string(), "no number: " + line);
      text = *end == ',' ? end + 1 : end;
    }
    working_set = std::max(working_set, fields[5]);
    if (fields[0] >= world.steps()) continue;
    Demand& demand = world.wanted[static_cast<std::size_t>(fields[0])][lun];
    demand.iops = (fields[1] + fields[2]) / kStepSeconds;
    demand.bytes_per_second = (fields[3] + fields[4]) / kStepSeconds;
    demand.load = storage::load_of(demand.iops, demand.bytes_per_second);
  }
  world.names.push_back(file.stem().string());
  world.bytes.push_back(kLeastBytes + static_cast<std::int64_t>(1.5 * working_set));
}

void place(World& world, std::mt19937_64& random) {
  std::vector<std::int64_t> used(at(world.arrays()), 0);
  std::vector<int> order(at(world.luns()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return world.bytes[at(a)] > world.bytes[at(b)]; });
  world.start.resize(order.size());
  for (const int lun : order) {
    std::vector<int> choices;
    for (int array = 0; array < world.arrays(); ++array) {
      if (static_cast<double>(used[at(array)] + world.bytes[at(lun)]) <=
          kSpaceThreshold * static_cast<double>(world.sizes[at(array)]))
        choices.push_back(array);
    }
    if (choices.empty())
      throw Error(Status::kUsage, "place the disks", world.names[at(lun)], "no array is so large");
    const int array = choices[random() % choices.size()];
    used[at(array)] += world.bytes[at(lun)];
    world.start[at(lun)] = array;
  }
}

}  // namespace

World read_world(const std::string& directory, int arrays, int days, double load, std::uint64_t seed) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(directory, failed)) {
    if (entry.path().extension() == ".csv") files.push_back(entry.path());
  }
  if (failed) throw Error(Status::kUsage, "read the disks", directory, failed.message());
  if (files.empty()) throw Error(Status::kUsage, "read the disks", directory, "there is no .csv");
  std::sort(files.begin(), files.end());
  World world;
  world.wanted.assign(at(days * kStepsOfDay), std::vector<Demand>(files.size()));
  for (const auto& file : files) read_disk(file, world);

  double mean = 0;
  for (const auto& step : world.wanted) {
    for (const Demand& demand : step) mean += demand.load / world.steps();
  }
  std::mt19937_64 random(seed);
  std::vector<double> fast, large;
  for (int array = 0; array < arrays; ++array) {
    fast.push_back(static_cast<double>(1 << random() % 3));
    large.push_back(static_cast<double>(1 + random() % 3));
  }
  const double all_fast = std::accumulate(fast.begin(), fast.end(), 0.0);
  const double all_large = std::accumulate(large.begin(), large.end(), 0.0);
  const double bytes = std::accumulate(world.bytes.begin(), world.bytes.end(), 0.0);
  const double largest = static_cast<double>(*std::max_element(world.bytes.begin(), world.bytes.end()));
  for (int array = 0; array < arrays; ++array) {
    world.rates.push_back(mean / load * fast[at(array)] / all_fast);
    // The largest disk has a place on any.
    world.sizes.push_back(static_cast<std::int64_t>(
        std::max(bytes / kOccupied * large[at(array)] / all_large, largest / kSpaceThreshold + 1)));
  }
  place(world, random);
  return world;
}

}  // namespace rackline::bench
