// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/model.h"

namespace rackline::bench {

// The numbers of a file of the ROADEF/EURO 2012 challenge, machine reassignment, as they stand in it.
struct Instance {
  struct Resource {
    bool transient;
    std::int64_t weight;
  };
  struct Machine {
    int neighbourhood;
    int location;
    std::vector<std::int64_t> capacities;
    std::vector<std::int64_t> safeties;
  };
  struct Service {
    int spread;
    std::vector<int> needs;
  };
  struct Process {
    int service;
    std::vector<std::int64_t> requirements;
    std::int64_t move_cost;
  };
  struct Balance {
    int first;
    int second;
    std::int64_t target;
    std::int64_t weight;
  };
  std::vector<Resource> resources;
  std::vector<Machine> machines;
  std::vector<std::int32_t> distances;  // [machine][machine]
  std::vector<Service> services;
  std::vector<Process> processes;
  std::vector<Balance> balances;
  std::int64_t process_weight = 0;
  std::int64_t service_weight = 0;
  std::int64_t machine_weight = 0;
};

// Both throw Error(kUsage) for a file that cannot be read, is cut off, has more than it should or numbers
// that cannot be; the message names the position, counted in numbers.
Instance read_instance(const std::string& path);
std::vector<int> read_assignment(const std::string& path, const Instance& instance);

// The parsers themselves, `name` for messages.
Instance parse_instance(const std::string& text, const std::string& name);
std::vector<int> parse_assignment(const std::string& text, const std::string& name, const Instance& instance);

plan::Model to_model(const Instance& instance, const std::vector<int>& initial);

}  // namespace rackline::bench
