// SPDX-License-Identifier: Apache-2.0
#include "cluster/disarm.h"

#include "base/time.h"
#include "cluster/marks.h"
#include "store/describe.h"

namespace rackline::cluster {
namespace {

constexpr const char* kKey = "disarmed";

}  // namespace

const store::Fields DisarmMark::kFields{FIELD(DisarmMark, reason), FIELD(DisarmMark, time),
                                        FIELD(DisarmMark, by), FIELD(DisarmMark, until, store::kOmitted)};

std::optional<DisarmMark> disarm_mark(store::Store& store) {
  const auto entry = store.get(kKey);
  if (!entry) return std::nullopt;
  auto mark = store::from_text<DisarmMark>(entry->value);
  if (!mark) throw BrokenMark(kKey, "");
  return mark;
}

void put(store::Store& store, const DisarmMark& mark) {
  store.commit({{}, {{kKey, store::to_text(mark)}}, {}});
}

bool remove_disarm(store::Store& store) {
  const auto entry = store.get(kKey);
  if (!entry) return false;
  return store.commit({{{entry->key, entry->version}}, {}, {entry->key}}).has_value();
}

record::ClusterHealing record_of(const DisarmMark& mark) {
  record::ClusterHealing record;
  record.state = "disarmed";
  record.since = format_time(mark.time);
  if (mark.until) record.until = format_time(*mark.until);
  if (!mark.by.empty()) record.by = mark.by;
  if (!mark.reason.empty()) record.reason = mark.reason;
  return record;
}

record::ClusterHealing healing(store::Store& store, std::chrono::sys_seconds now) {
  record::ClusterHealing record;
  try {
    const auto mark = disarm_mark(store);
    if (mark && mark->holds(now)) return record_of(*mark);
    record.state = "armed";
  } catch (const BrokenMark& broken) {
    record.state = "disarmed";
    record.reason = broken.what();
  }
  return record;
}

std::string disarmed(store::Store& store, std::chrono::sys_seconds now) try {
  const auto mark = disarm_mark(store);
  if (!mark || !mark->holds(now)) return {};
  std::string text = "the cluster is disarmed since " + format_time(mark->time);
  if (!mark->by.empty()) text += " (by " + mark->by + ")";
  if (mark->until) text += " until " + format_time(*mark->until);
  if (!mark->reason.empty()) text += ": " + mark->reason;
  return text;
} catch (const BrokenMark& broken) {
  // @rule 24-disarm-unreadable: {}
  return "the cluster may be disarmed: " + std::string(broken.what()) + " (failover arm)";
}

}  // namespace rackline::cluster
