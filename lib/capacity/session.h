// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "capacity/cluster.h"
#include "cli/program.h"
#include "record/kinds_planning.h"

namespace rackline::capacity {

struct Options {
  Policy policy;
  std::string history, rules, spare = "keep", cpu_model = "same", cpu_speed = "clock", objective = "load",
                              weights;
  std::chrono::milliseconds budget = std::chrono::seconds(4);
  std::vector<std::string> hosts, names;
  record::VmRequest size;
  std::int64_t at_least = 1;
  int at_once = std::numeric_limits<int>::max();
  bool no_moves = false;
};

enum class Verb { kBalance, kPack, kEvacuate, kPlace, kHeadroom, kRolling, kExplain, kCheck };

// What capplan does with its options: reads the stream on stdin and answers it.
Status answer(cli::Program& program, const Options& options, Verb verb);

}  // namespace rackline::capacity
