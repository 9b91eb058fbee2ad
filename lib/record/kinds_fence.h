// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "record/kind.h"

namespace rackline::record {

// How hosts are switched off, and what fence proves of them.

struct FenceMethod : Head {
  std::string host;
  std::int64_t level = 1;
  std::string agent;
  List options;
  Text password_file;
  Integer attempts, timeout_ms, delay_ms;
  static const Kind kKind;
};

struct HostFenced : Head {
  std::string id;
  Text cause;
  std::string host, method;
  Integer level;
  Text power_before, power_after;
  bool verified = false;
  Text evidence;
  Flag already, planned;
  Integer attempts, elapsed_ms;
  Text identity;
  static const Kind kKind;
};

struct HostNotFenced : Head {
  std::string id;
  Text cause;
  std::string host, outcome, reason;
  Text power_after;
  Flag planned;
  Integer attempts, retry_ms, elapsed_ms;
  static const Kind kKind;
};

struct HostUnfenced : Head {
  std::string id;
  Text cause;
  std::string host, outcome;
  Text reason, method, power_after;
  Flag planned;
  Integer elapsed_ms;
  static const Kind kKind;
};

struct HostPower : Head {
  std::string host;
  Text power, mark, fence, method, reason;
  Integer elapsed_ms;
  static const Kind kKind;
};

struct HostIdentity : Head {
  std::string host;
  Text method;
  std::string identity;
  Text bmc_uuid, host_uuid, reason;
  Integer elapsed_ms;
  static const Kind kKind;
};

}  // namespace rackline::record
