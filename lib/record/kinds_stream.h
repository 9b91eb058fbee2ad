// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "record/kind.h"

namespace rackline::record {

// About the stream itself.

struct Progress : Head {
  Text id;
  std::string object;
  Number percent;
  Integer remaining_bytes, bytes_per_second, eta_ms, disk_bytes, disk_total_bytes;
  Text state;
  static const Kind kKind;
};

struct RoundEnd : Head {
  std::int64_t round = 0;
  Integer hosts, hosts_up, vms, arrays, arrays_up, luns, elapsed_ms, at_ms;
  static const Kind kKind;
};

struct ReadSummary : Head {
  Integer records;
  static const Kind kKind;
};

struct End : Head {
  std::string outcome;
  Text reason;
  Integer skipped;
  Integer done, planned, already, failed, refused, cancelled, unplaced;  // by an actor, or of a decider
  Integer elapsed_ms;
  // Until the next release, for scripts: cli::Program copies them from the summaries.
  Integer rounds, hosts, vms, fluctuations, records, moves;
  Number score_before, score_after, lower_bound;
  static const Kind kKind;
};

}  // namespace rackline::record
