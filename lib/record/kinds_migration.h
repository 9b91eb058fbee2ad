// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "record/kind.h"

namespace rackline::record {

// A move of a VM, and what became of it.

struct VmMove : Head {
  std::string id;
  Text cause;
  std::string vm, from, to;
  Text uuid;
  Integer domain_id;
  std::int64_t stage = 1;
  Integer memory_bytes;
  std::string reason;
  Number score_before, score_after;
  static const Kind kKind;
};

struct VmMoved : Head {
  std::string id;
  Text cause;
  std::string vm, from, to, outcome;
  Text uuid, reason;
  Flag planned, live, postcopy;
  List ejected, copied;
  Integer copied_bytes;
  Integer stage, attempts, elapsed_ms, downtime_ms, memory_bytes, transferred_bytes, iterations;
  static const Kind kKind;
};

struct MoveSummary : Head {
  Integer moves, unknown;
  static const Kind kKind;
};

}  // namespace rackline::record
