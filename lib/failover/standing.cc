// SPDX-License-Identifier: Apache-2.0
#include "failover/standing.h"

#include "base/error.h"
#include "base/time.h"
#include "store/document.h"

namespace rackline::failover {
namespace {

using store::Json;

constexpr const char* kKey = "protection_rule";

}  // namespace

std::optional<StandingRule> standing_rule(store::Store& store) {
  const auto entry = store.get(kKey);
  if (!entry) return std::nullopt;
  const Json document = Json::parse(entry->value, nullptr, false);
  try {
    StandingRule rule;
    document.at("by").get_to(rule.by);
    rule.since = parse_time(document.at("since").get<std::string>()).value_or(std::chrono::sys_seconds{});
    document.at("except").get_to(rule.except);
    rule.version = entry->version;
    return rule;
  } catch (const Json::exception&) {
    throw Error(Status::kUnreachable, "read what is protected", kKey, "it is not an entry of ours");
  }
}

bool put(store::Store& store, const StandingRule& rule) {
  const Json document = {{"by", rule.by}, {"since", format_time(rule.since)}, {"except", rule.except}};
  return store.commit({{{kKey, rule.version}}, {{kKey, store::dump(document)}}, {}}).has_value();
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
