// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "record/kind.h"

namespace rackline::record {

// What is believed of the hosts of a cluster, and what rackline drain has done to one.

struct HostStatus : Head {
  std::string host, state;
  Text since, until, by, verdict, reason;
  static const Kind kKind;
};

struct ClusterHealing : Head {
  std::string state;
  Text since, until, by, reason;
  Flag planned;
  static const Kind kKind;
};

struct HostDrained : Head {
  std::string id, host, outcome;
  Integer moved, rounds;
  List left;
  Text reason;
  Flag planned;
  Integer elapsed_ms;
  static const Kind kKind;
};

}  // namespace rackline::record
