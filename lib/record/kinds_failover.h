// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "record/kind.h"

namespace rackline::record {

// What failover protects, and what it starts again.

struct VmRestarted : Head {
  std::string id;
  Text cause;
  std::string fence;
  std::string vm, from, to, outcome;
  Text verified, reason, uuid;
  Flag planned;
  Integer priority, attempts, memory_bytes, start_ms, elapsed_ms;
  static const Kind kKind;
};

struct VmNotRestarted : Head {
  std::string id;
  Text cause;
  std::string fence;
  std::string vm, from, outcome, reason;
  Text uuid;
  Flag planned;
  Integer priority, attempts, memory_bytes, elapsed_ms;
  static const Kind kKind;
};

struct VmProtected : Head {
  std::string vm, uuid;
  Text host, state, want;
  Integer priority;
  List after;
  Text anti_affinity, check;
  List prefer;
  Flag only;
  Text together;
  Flag failback;
  Integer memory_bytes, vcpus;
  Text pinned, seen, refreshed;
  Flag planned;
  static const Kind kKind;
};

// A VM that runs and that nobody would start again.
struct VmUnprotected : Head {
  std::string vm, host, reason;
  Text uuid;
  static const Kind kKind;
};

// The rule that protects what comes later.
struct ProtectionRule : Head {
  std::string state;
  Text by, since;
  List except;
  Flag planned;
  static const Kind kKind;
};

// What the death of one host would mean.
struct HostDrill : Head {
  std::string host, outcome;
  Integer vms, restarted, unplaced, pinned, refused, unprotected;
  List without_place;
  Text reason;
  Flag planned;
  static const Kind kKind;
};

struct HostCleared : Head {
  std::string id;
  Text cause;
  std::string host, outcome;
  Text reason;
  List removed;
  Flag planned;
  Integer elapsed_ms;
  static const Kind kKind;
};

}  // namespace rackline::record
