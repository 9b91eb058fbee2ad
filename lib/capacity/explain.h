// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "capacity/cluster.h"
#include "plan/state.h"

namespace rackline::capacity {

// Why something is as it is, in words for the person who reads the plan.
class Explain {
 public:
  Explain(const Cluster& cluster, const Rules& rules, const Policy& policy)
      : cluster_(cluster), rules_(rules), policy_(policy) {}

  // "h1 cpu 91% > 75%", for each limit that the host is above; empty when it is above none.
  std::string overload(const plan::State& state, int bin) const;
  // "h1 cpu 60% memory 41%"
  std::string load(const plan::State& state, int bin) const;
  // "db1, db2 on h1: anti-affinity group db"
  std::string violation(const plan::State& state, const plan::Violation& violation) const;
  // Why the violation cannot be mended by moving one VM: where each of those that could be moved
  // for it may not go. Empty if one of them may.
  std::string stuck(const plan::State& state, const plan::Violation& violation) const;
  // What forbids the item each host: "h1: 1.2GiB of memory missing; h2: drained". Empty if some host admits
  // it. The hosts of `out` (may be empty) are out of use.
  std::string no_place(const plan::State& state, int item, const std::vector<bool>& out = {}) const;
  // The constraint (see below) that stands in the way on most hosts; "load" if some host admits it.
  std::string main_constraint(const plan::State& state, int item, const std::vector<bool>& out = {}) const;
  // One word for the kind of obstacle, as records have it: memory, vcpus, anti_affinity, ...
  std::string constraint(int item, int bin, const plan::Obstacle& obstacle) const;
  // "120GiB of memory for virtual servers, and the hosts have 100GiB": what all need and the open hosts do
  // not have together; empty when they do.
  std::string shortage(const plan::State& state) const;
  // One of those, without the host.
  std::string obstacle(const plan::State& state, int item, int bin, const plan::Obstacle& obstacle) const;

  // Whether balance() mends such a violation. An overcommit of CPUs beyond the ratio slows down, no more:
  // nothing goes there, but nobody is sent away for it. Nor is anybody for memory that only balloons have
  // taken back.
  bool may_be_mended(const plan::Violation& violation) const;
  bool concerns(const plan::State& state, const plan::Violation& violation, int item) const;

 private:
  bool in_group(int item, int group) const;
  // The members of the group on the bin, or in its failure domain.
  std::string members(const plan::State& state, int group, int bin, bool in_domain, int except) const;
  // The word and the words for a host that the item's class forbids.
  std::pair<std::string, std::string> forbidden(int item, int bin) const;

  // " (16GiB of memory is reserved for others)", or nothing.
  std::string reserved(int bin, int resource) const;

  const Cluster& cluster_;
  const Rules& rules_;
  const Policy& policy_;
};

std::string percent_text(double percent);

}  // namespace rackline::capacity
