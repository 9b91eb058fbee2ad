// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "record/kinds_capacity.h"

namespace rackline::capacity {

// Names and UUIDs that more than one host has defined: the definition of such a VM can come to none of the
// others. Hosts are numbers, as bins are.
class Taken {
 public:
  void add(const record::VmSample& vm, int host);
  // After the last: forgets what is defined once.
  void close();

  // Hosts that have its name or its UUID, its own one among them.
  std::vector<int> hosts(const record::VmSample& vm) const;
  std::vector<int> hosts(const std::string& name) const;  // of what is nowhere yet
  // What the other host has of it, as "already has a definition of it"; empty for nothing.
  std::string why(const record::VmSample& vm, int host) const;

 private:
  using Places = std::unordered_map<std::string_view, std::vector<std::pair<int, const record::VmSample*>>>;
  Places names_, uuids_;
};

}  // namespace rackline::capacity
