// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "record/kind.h"

namespace rackline::record {

// What the capacity planner is asked for and answers, beside its moves. But for vm_place they are facts: what
// they tell of is carried out by the moves, or asked for by a person.

struct VmRequest : Head {
  std::string vm;
  std::int64_t memory_bytes = 0;
  Integer vcpus;
  Number cpu_cores;
  Text anti_affinity;
  static const Kind kKind;
};

struct VmPlace : Head {
  std::string id;
  std::string vm, host, reason;
  Integer memory_bytes, after_stage;
  static const Kind kKind;
};

struct VmUnplaced : Head {
  std::string vm;
  Text host;
  std::string reason;
  static const Kind kKind;
};

struct NoBeneficialMove : Head {
  std::string reason;
  Number score, lower_bound;
  static const Kind kKind;
};

struct BalanceCheck : Head {
  bool balanced = true;
  Number score, lower_bound;
  std::int64_t hosts = 0, vms = 0, hosts_over = 0;
  Text reason;
  static const Kind kKind;
};

// capplan pack: a host that nothing runs on once the moves are done.
struct HostFreed : Head {
  Text cause;
  std::string host;
  std::int64_t moves = 0;
  Integer after_stage;
  std::string reason;
  static const Kind kKind;
};

// capplan rolling: hosts that can be taken out of service together, group after group.
struct ServiceGroup : Head {
  std::int64_t group = 0;
  std::vector<std::string> hosts;
  std::int64_t vms = 0;
  Integer memory_bytes;
  std::string reason;
  static const Kind kKind;
};

struct HostUnserviceable : Head {
  std::string host;
  Text vm, constraint;
  std::string reason;
  static const Kind kKind;
};

// capplan headroom: how many more VMs of a size there is room for.
struct Headroom : Head {
  Text vm;
  std::int64_t fits = 0;
  std::int64_t memory_bytes = 0;
  Integer vcpus;
  Number cpu_cores;
  Flag spare;
  Text constraint;
  std::string reason;
  static const Kind kKind;
};

// ... and what of that a host gives.
struct HostRoom : Head {
  std::string host;
  std::int64_t fits = 0;
  Integer memory_free_bytes;
  Number vcpus_free;
  Text constraint;
  std::string reason;
  static const Kind kKind;
};

// capplan explain: why a VM goes to a host, or why it does not.
struct Explanation : Head {
  Text vm;
  std::string host;
  Text target;
  std::string answer;
  Text constraint;
  Number score_before, score_after, gain, gain_needed;
  std::string reason;
  static const Kind kKind;
};

struct PlanSummary : Head {
  Integer rounds, moves;
  Number score_before, score_after, lower_bound;
  Integer bytes;
  Number gain_per_tib;
  static const Kind kKind;
};

}  // namespace rackline::record
