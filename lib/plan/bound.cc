// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "plan/search.h"

namespace rackline::plan {
namespace {

// An open bin, as far as one resource is concerned.
struct Basin {
  double size;
  double floor;  // load that cannot leave
  double safety;
  double cost;
};

// The least sum of load^2/size when `pool` is poured over the floors: water rises to one level, share by
// share.
double least_squares(std::vector<Basin> basins, double pool) {
  std::sort(basins.begin(), basins.end(),
            [](const Basin& a, const Basin& b) { return a.floor / a.size < b.floor / b.size; });
  double size = 0;
  double level = 0;
  double wet = pool;  // the pool and the floors below the level
  std::size_t count = 0;
  for (; count < basins.size(); ++count) {
    const Basin& basin = basins[count];
    if (count > 0 && level <= basin.floor / basin.size) break;
    size += basin.size;
    wet += basin.floor;
    level = wet / size;
  }
  double sum = level * level * size;
  for (; count < basins.size(); ++count)
    sum += basins[count].floor * basins[count].floor / basins[count].size;
  return sum;
}

}  // namespace

double lower_bound(const State& state) {
  const Model& model = state.model();
  double bound = 0;
  for (int r = 0; r < model.resources(); ++r) {
    std::vector<Basin> basins;
    double pool = 0;
    bool may_come_in = false;  // from bins that do not count, which changes the mean
    double total = 0;
    double size = 0;
    for (int bin = 0; bin < model.bins(); ++bin) {
      Amount movable = 0;
      for (const int item : state.items_on(bin)) {
        if (!model.frozen(item)) movable += model.demand(item, r).usual;
      }
      if (model.state(bin) == BinState::kOpen && model.supply(bin, r).size > 0) {
        const Supply& supply = model.supply(bin, r);
        basins.push_back({static_cast<double>(supply.size), static_cast<double>(state.load(bin, r) - movable),
                          static_cast<double>(supply.safety), supply.overload_cost});
        pool += static_cast<double>(movable);
        total += static_cast<double>(state.load(bin, r));
        size += static_cast<double>(supply.size);
      } else if (model.state(bin) != BinState::kFrozen && movable > 0) {
        may_come_in = true;
      }
    }
    if (basins.empty()) continue;
    double room = 0;
    double cheapest = std::numeric_limits<double>::infinity();
    for (const Basin& basin : basins) {
      bound += basin.cost * std::max(0.0, basin.floor - basin.safety);
      room += std::max(0.0, basin.safety - basin.floor);
      cheapest = std::min(cheapest, basin.cost);
    }
    bound += cheapest * std::max(0.0, pool - room);
    const Resource& resource = model.resource(r);
    if (resource.balance_weight == 0 || may_come_in) continue;
    const double mean = total / size;
    const double variance = std::max(0.0, least_squares(std::move(basins), pool) / size - mean * mean);
    // What is left of a difference of nearly equal numbers is no bound.
    if (variance > 1e-12) {
      bound += resource.balance_weight * std::sqrt(variance) / std::max(mean, resource.mean_floor);
    }
  }
  return bound;
}

}  // namespace rackline::plan
