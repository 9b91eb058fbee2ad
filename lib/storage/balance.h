// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/program.h"
#include "storage/facts.h"

namespace rackline::storage {

// What the command line of lunbalance says.
struct BalanceOptions {
  Policy policy;
  std::string history, rules;
  std::vector<std::string> arrays, names;
  record::LunRequest size;  // of place and headroom
  std::int64_t at_least = 1;
};

enum class Verb { kBalance, kPlace, kEvacuate, kHeadroom, kCheck, kExplain };

// What lunbalance does with its options: reads the stream on stdin and answers it.
Status balance(cli::Program& program, const BalanceOptions& options, Verb verb);

}  // namespace rackline::storage
