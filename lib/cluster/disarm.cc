// SPDX-License-Identifier: Apache-2.0
#include "cluster/disarm.h"

#include "base/time.h"
#include "cluster/marks.h"
#include "store/document.h"

namespace rackline::cluster {
namespace {

using store::Json;

constexpr const char* kKey = "disarmed";

}  // namespace

std::optional<DisarmMark> disarm_mark(store::Store& store) {
  const auto entry = store.get(kKey);
  if (!entry) return std::nullopt;
  const Json document = Json::parse(entry->value, nullptr, false);
  const auto broken = [] { return BrokenMark(kKey, ""); };
  const auto text = [&](const char* name) {
    if (!document.is_object() || !document.contains(name) || !document[name].is_string()) throw broken();
    return document[name].get<std::string>();
  };
  const auto time = [&](const char* name) {
    const auto parsed = parse_time(text(name));
    if (!parsed) throw broken();
    return *parsed;
  };
  DisarmMark mark{text("reason"), time("time"), text("by"), {}};
  if (document.contains("until")) mark.until = time("until");
  return mark;
}

void put(store::Store& store, const DisarmMark& mark) {
  Json document = {{"reason", mark.reason}, {"time", format_time(mark.time)}, {"by", mark.by}};
  if (mark.until) document["until"] = format_time(*mark.until);
  store.commit({{}, {{kKey, store::dump(document)}}, {}});
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
  return "the cluster may be disarmed: " + std::string(broken.what()) + " (failover arm)";
}

}  // namespace rackline::cluster
