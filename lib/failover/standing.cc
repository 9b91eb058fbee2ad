// SPDX-License-Identifier: Apache-2.0
#include "failover/standing.h"

#include "base/error.h"
#include "base/time.h"
#include "store/describe.h"

namespace rackline::failover {
namespace {

constexpr const char* kKey = "protection_rule";

}  // namespace

const store::Fields StandingRule::kFields{FIELD(StandingRule, by), FIELD(StandingRule, since),
                                          FIELD(StandingRule, except)};

std::optional<StandingRule> standing_rule(store::Store& store) {
  const auto entry = store.get(kKey);
  if (!entry) return std::nullopt;
  auto rule = store::from_text<StandingRule>(entry->value);
  if (!rule) throw Error(Status::kUnreachable, "read what is protected", kKey, "it is not an entry of ours");
  rule->version = entry->version;
  return rule;
}

bool put(store::Store& store, const StandingRule& rule) {
  return store.commit({{{kKey, rule.version}}, {{kKey, store::to_text(rule)}}, {}}).has_value();
}

bool remove(store::Store& store, const StandingRule& rule) {
  return store.commit({{{kKey, rule.version}}, {}, {kKey}}).has_value();
}

record::ProtectionRule record_of(const StandingRule& rule) {
  record::ProtectionRule record;
  record.state = "on";
  record.by = rule.by;
  record.since = format_time(rule.since);
  if (!rule.except.empty()) record.except = std::vector<std::string>(rule.except.begin(), rule.except.end());
  return record;
}

}  // namespace rackline::failover
