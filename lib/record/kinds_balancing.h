// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "record/kind.h"

namespace rackline::record {

// What the balancer of storage is asked for and answers.

struct LunRequest : Head {
  std::string lun;
  std::int64_t size_bytes = 0;
  Text tier;
  Integer allocated_bytes, block_bytes;
  Number iops, bytes_per_second;
  Flag encrypted;
  static const Kind kKind;
};

struct LunMove : Head {
  std::string id;
  Text cause;
  std::int64_t stage = 1;
  std::string lun, iqn;
  std::int64_t lun_number = 0;
  Text serial;
  std::string from, to;
  std::int64_t size_bytes = 0;
  Integer allocated_bytes;
  std::string in_use, way, reason;
  Time expires{};
  Number latency_before_ms, latency_after_ms, score_before, score_after;
  static const Kind kKind;
};

// What became of a lun_move.
struct LunMoved : Head {
  std::string id;
  Text cause;
  std::string lun, iqn;
  std::int64_t lun_number = 0;
  Text serial;
  std::string from, to, outcome;
  Text reason;
  Flag planned;
  Text way;
  static const Kind kKind;
};

struct LunPlace : Head {
  std::string id;
  std::string lun, array;
  std::int64_t size_bytes = 0;
  std::string reason;
  static const Kind kKind;
};

struct LunUnplaced : Head {
  std::string lun;
  Text array;
  std::string reason;
  static const Kind kKind;
};

// lunbalance headroom: how many more LUNs of a size there is room for.
struct LunHeadroom : Head {
  Text lun;
  std::int64_t fits = 0, size_bytes = 0;
  Text tier, constraint;
  std::string reason;
  static const Kind kKind;
};

// ... and what of that an array gives.
struct ArrayRoom : Head {
  std::string array;
  std::int64_t fits = 0;
  Integer free_bytes;
  Text constraint;
  std::string reason;
  static const Kind kKind;
};

struct StorageCheck : Head {
  bool balanced = true;
  Number score, lower_bound;
  std::int64_t arrays = 0, luns = 0, arrays_over = 0;
  Text reason;
  static const Kind kKind;
};

// lunbalance explain: why a LUN goes to an array, or why it does not.
struct LunExplanation : Head {
  Text lun;
  std::string array;
  Text target;
  std::string answer;
  Text constraint;
  Number gain, gain_needed;
  std::string reason;
  static const Kind kKind;
};

// What was learnt of an array's device, as its plan takes it.
struct ArrayModel : Head {
  std::string array;
  Number latency_ms, latency_per_command_ms, knee, spread_percent, load_at_knee;
  Integer samples;
  std::string reason;
  static const Kind kKind;
};

}  // namespace rackline::record
