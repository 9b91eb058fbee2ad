// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "capacity/cluster.h"
#include "plan/state.h"

namespace rackline::capacity {

// The score by which Ganeti's hbal judges a cluster (hbal(1), "Cluster scoring"), as far as storage is
// shared:
//
//     memory    * deviation of the hosts' free memory, as a part of their memory
//   + vcpus     * deviation of virtual CPUs for each CPU (each host has one of its own, as Ganeti counts)
//   + cpu       * deviation of the CPU that servers use; of the number of servers, where none was measured
//   + servers   * deviation of the number of servers: what hbal takes for their load of memory, disk and net
//                 when nobody tells it those
//   + offline   * servers on hosts that are to be empty
//   + exclusion * servers of an exclusion group beside another of it
//
// Deviations are standard deviations over the hosts that may take servers, each host counting the same. They
// are of ratios, so that a large host counts as a small one does: other than the score of State, this says
// nothing of loads, and it is meant for promises, which do not change by the minute.
class Evenness {
 public:
  // `measured`: whether the samples told the CPU load of each item; where they did not it counts 1.
  Evenness(const plan::Model& model, const EvenWeights& weights, const std::vector<bool>& measured);

  double of(const plan::State& state) const;

 private:
  friend class Evener;
  struct Metric {
    double weight = 0;
    std::vector<double> amounts;  // of each item
    std::vector<double>
        shares;               // of each bin: what an amount of 1 adds to its value; 0 for one that counts not
    std::vector<double> own;  // of each bin: its value when it is empty
  };

  const plan::Model* model_;
  EvenWeights weights_;
  std::vector<Metric> metrics_;
  int bins_ = 0;  // that count
};

struct EvenLimits {
  int max_moves = std::numeric_limits<int>::max();
  bool keep_spare = true;
  double least_gain = 0.02;  // of a move
  // Evaluations before the search for exchanges ends. A number and not a time, so that the same input gives
  // the same plan on any machine.
  std::int64_t budget = 200'000'000;
};

// Lowers the score of `state` by placing items elsewhere, as long as each item that is not where it started
// earns `least_gain`. First as hbal does, the best shift of all each time; then by shifts, exchanges of two
// and returns, until none of them pays: what a greedy way has moved in vain goes back, and what took two
// moves is found in one. The result is a placement in which rules and capacities hold, not an order of moves.
// Planning on it again finds nothing.
void even_out(plan::State& state, const Evenness& evenness, const EvenLimits& limits);

}  // namespace rackline::capacity
