// SPDX-License-Identifier: Apache-2.0
#include "storage/facts.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/error.h"
#include "storage/identity.h"

namespace rackline::storage {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1} << 53;  // 8 PiB; of a thousand such the sum is a number
constexpr double kMostRate = 1e15;

void clear(record::Integer& field) {
  if (field && (*field < 0 || *field > kMostBytes)) field.reset();
}
void clear(record::Number& field) {
  if (field && !(std::isfinite(*field) && *field >= 0 && *field <= kMostRate)) field.reset();
}

bool in_the_last_day(record::Time time, record::Time now) {
  return now - time < std::chrono::days(1);
}

}  // namespace

void distrust(record::ArraySample& array) {
  for (auto* field : {&array.size_bytes, &array.used_bytes, &array.promised_bytes, &array.outstanding})
    clear(*field);
  for (auto* field : {&array.read_iops, &array.write_iops, &array.read_bytes_per_second,
                      &array.write_bytes_per_second, &array.probe_p50_ms})
    clear(*field);
}

void distrust(record::LunSample& lun) {
  for (auto* field : {&lun.size_bytes, &lun.allocated_bytes}) clear(*field);
  for (auto* field :
       {&lun.read_iops, &lun.write_iops, &lun.read_bytes_per_second, &lun.write_bytes_per_second})
    clear(*field);
}

void require_plausible(const record::LunRequest& request) {
  const auto refuse = [&](const char* field, const std::string& value) {
    throw Error(Status::kUsage, "place", request.lun, std::string(field) + " is " + value, "no LUN has that");
  };
  const auto size = [&](const char* field, std::int64_t value) {
    if (value <= 0 || value > kMostBytes) refuse(field, std::to_string(value));
  };
  const auto rate = [&](const char* field, double value) {
    if (!(std::isfinite(value) && value >= 0 && value <= kMostRate)) refuse(field, std::to_string(value));
  };
  size("size_bytes", request.size_bytes);
  if (request.allocated_bytes.value_or(0) < 0 || request.allocated_bytes.value_or(0) > kMostBytes)
    refuse("allocated_bytes", std::to_string(*request.allocated_bytes));
  rate("iops", request.iops.value_or(0));
  rate("bytes_per_second", request.bytes_per_second.value_or(0));
}

void LunRules::add(const record::PlacementRule& rule) {
  const auto refuse = [&](const std::string& why) {
    throw Error(Status::kUsage, "read the placement rules", rule.rule, why);
  };
  constexpr std::string_view kRules[] = {"affinity", "anti_affinity", "spread", "pin", "exclude", "stay"};
  if (std::find(std::begin(kRules), std::end(kRules), rule.rule) == std::end(kRules))
    refuse(
        "there is no such rule for LUNs; the rules are affinity, anti_affinity, spread, pin, exclude and "
        "stay");
  if (rule.luns->empty()) refuse("it names no LUN");
  if (rule.soft.value_or(false)) refuse("a rule for LUNs cannot be soft");
  if ((rule.rule == "pin" || rule.rule == "exclude") && (!rule.arrays || rule.arrays->empty()))
    refuse("it needs a list of arrays");
  if (rule.domains && (rule.rule != "spread" || *rule.domains < 1 ||
                       *rule.domains > static_cast<std::int64_t>(rule.luns->size())))
    refuse("it asks for failure domains that cannot be");
  const bool known = std::any_of(rules_.begin(), rules_.end(), [&](const auto& other) {
    return other.rule == rule.rule && other.luns == rule.luns && other.arrays == rule.arrays &&
           other.domains == rule.domains;
  });
  if (!known) rules_.push_back(rule);
}

bool LunRules::binds(const record::PlacementRule& rule, const std::string& lun) {
  return std::find(rule.luns->begin(), rule.luns->end(), lun) != rule.luns->end();
}

bool LunRules::names_array(const record::PlacementRule& rule, const std::string& array) {
  return rule.arrays && std::find(rule.arrays->begin(), rule.arrays->end(), array) != rule.arrays->end();
}

void History::add(const record::LunMoved& moved) {
  if (moved.planned.value_or(false)) return;
  if (moved.outcome != "done" && moved.outcome != "failed" && moved.outcome != "unknown") return;
  const std::string who = identity(moved.iqn, moved.lun_number, moved.serial);
  if (moved.outcome == "failed") {
    add(who, moved.time);
  } else {
    add(who, moved.from, moved.to, moved.time);
  }
}

void History::add(const std::string& lun, const std::string& from, const std::string& to, record::Time time) {
  add(lun, time);
  auto& legs = legs_[lun];
  const auto same = [&](const Leg& leg) { return leg.from == from && leg.to == to; };
  // The decision of this stream and its result are one move.
  if (!legs.empty() && same(legs.back())) {
    legs.back().time = std::max(legs.back().time, time);
    return;
  }
  legs.push_back({from, to, time});
  for (const std::string& array : {from, to}) arrays_[array].push_back(time);
}

int History::of_lun(const std::string& lun, record::Time now) const {
  const auto found = legs_.find(lun);
  if (found == legs_.end()) return 0;
  return static_cast<int>(std::count_if(found->second.begin(), found->second.end(),
                                        [&](const Leg& leg) { return in_the_last_day(leg.time, now); }));
}

int History::of_array(const std::string& array, record::Time now) const {
  const auto found = arrays_.find(array);
  if (found == arrays_.end()) return 0;
  return static_cast<int>(std::count_if(found->second.begin(), found->second.end(),
                                        [&](record::Time time) { return in_the_last_day(time, now); }));
}

std::set<std::string> History::left(const std::string& lun, record::Time now,
                                    std::chrono::milliseconds within) const {
  std::set<std::string> arrays;
  const auto found = legs_.find(lun);
  if (found == legs_.end()) return arrays;
  for (const Leg& leg : found->second) {
    if (now - leg.time < within) arrays.insert(leg.from);
  }
  return arrays;
}

}  // namespace rackline::storage
