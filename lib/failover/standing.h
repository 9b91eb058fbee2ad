// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "record/kinds_failover.h"
#include "store/document.h"
#include "store/store.h"

namespace rackline::failover {

// The rule that protects each VM that appears, until somebody ends it: in the store, under
// protection_rule.
struct StandingRule {
  std::string by;
  std::chrono::sys_seconds since{};
  std::set<std::string> except;  // whom a person left out, or took out since
  std::int64_t version = 0;      // of the store's entry; 0: not stored yet
  static const store::Fields kFields;
};

// All of these throw Error(kUnreachable) for a store that does not answer, or a rule that cannot be read.
std::optional<StandingRule> standing_rule(store::Store& store);
// False when somebody else has changed it since `version` was read.
bool put(store::Store& store, const StandingRule& rule);
bool remove(store::Store& store, const StandingRule& rule);

record::ProtectionRule record_of(const StandingRule& rule);

}  // namespace rackline::failover
