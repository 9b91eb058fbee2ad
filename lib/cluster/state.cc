// SPDX-License-Identifier: Apache-2.0
#include "cluster/state.h"

#include "base/time.h"

namespace rackline::cluster {
namespace {

// The marks of one host, the gravest of which is its state.
struct Marks {
  std::optional<FenceMark> fence;
  std::optional<MaintenanceMark> maintenance;
  std::optional<DrainMark> drain;
  std::optional<HealthMark> health;
  std::string broken;  // what is wrong with a mark that cannot be read
};

template <class Mark>
HostStatus set_by_a_person(const Mark& mark, HostState state) {
  return {mark.host, state, mark.time, mark.by, mark.reason, mark.until, {}};
}

std::string why_not_believed(const HealthMark& mark) {
  return "its mark (" + mark.verdict + ") is from the future, " + format_time(mark.renewed) +
         ": a clock was or is wrong, and whether the mark still holds is not known; heartbeat watch makes it "
         "anew";
}

HostStatus status_of(const std::string& host, const Marks& marks, std::chrono::sys_seconds now) {
  if (marks.fence) {
    const bool fenced = marks.fence->state == FenceMark::State::kFenced;
    return {host,
            fenced ? HostState::kFenced : HostState::kReturning,
            marks.fence->time,
            "fence",
            fenced ? "by " + marks.fence->method : "switched on again and not cleared yet (failover clear)",
            std::nullopt,
            {}};
  }
  if (!marks.broken.empty())  // @rule 24-broken-mark
    return {host, HostState::kUnknown, {}, "", marks.broken, std::nullopt, {}};
  // A host that is meant to be silent is not well in the eyes of a watcher that has not read that yet.
  if (marks.maintenance && marks.maintenance->holds(now))
    return set_by_a_person(*marks.maintenance, HostState::kMaintenance);
  // It is not forgotten either, which would let the host serve.
  if (marks.health && marks.health->from_the_future(now))  // @rule 24-mark-from-the-future
    return {host, HostState::kUnknown, {}, "heartbeat", why_not_believed(*marks.health), std::nullopt, {}};
  if (marks.health && marks.health->valid(now)) {
    return {host,         HostState::kUnknown,  marks.health->since, "heartbeat", marks.health->reason,
            std::nullopt, marks.health->verdict};
  }
  if (marks.drain && marks.drain->holds(now)) return set_by_a_person(*marks.drain, HostState::kDraining);
  return {host, HostState::kServing, {}, {}, {}, std::nullopt, {}};
}

}  // namespace

const char* name_of(HostState state) {
  switch (state) {
    case HostState::kServing:
      return "serving";
    case HostState::kDraining:
      return "draining";
    case HostState::kMaintenance:
      return "maintenance";
    case HostState::kFenced:
      return "fenced";
    case HostState::kReturning:
      return "returning";
    case HostState::kUnknown:
      break;
  }
  return "unknown";
}

HostStatus host_status(store::Store& store, const std::string& host, std::chrono::sys_seconds now) {
  Marks marks;
  const auto read = [&marks](auto& mark, auto get) {
    try {
      mark = get();
    } catch (const BrokenMark& broken) {
      marks.broken = broken.what();
    }
  };
  read(marks.fence, [&] { return fence_mark(store, host); });
  read(marks.maintenance, [&] { return maintenance_mark(store, host); });
  read(marks.drain, [&] { return drain_mark(store, host); });
  read(marks.health, [&] { return health_mark(store, host); });
  return status_of(host, marks, now);
}

HostStatus host_status(store::Store& store, const record::Host& host, std::chrono::sys_seconds now) {
  auto status = host_status(store, host.host, now);
  if (status.serves() && host.drained.value_or(false)) {  // @rule 24-drained-in-the-inventory
    status.state = HostState::kDraining;
    status.by = "inventory";
    status.reason = "its line says that it is drained";
  }
  return status;
}

std::map<std::string, HostStatus> host_statuses(store::Store& store, std::chrono::sys_seconds now) {
  std::map<std::string, Marks> hosts;
  BrokenMarks broken;
  for (auto& mark : fence_marks(store, &broken)) hosts[mark.host].fence = mark;
  for (auto& mark : maintenance_marks(store, &broken)) hosts[mark.host].maintenance = mark;
  for (auto& mark : drain_marks(store, &broken)) hosts[mark.host].drain = mark;
  for (auto& mark : health_marks(store, &broken)) hosts[mark.host].health = mark;
  for (const auto& mark : broken) hosts[mark.host].broken = mark.what();

  std::map<std::string, HostStatus> statuses;
  for (const auto& [host, marks] : hosts) {
    auto status = status_of(host, marks, now);
    if (!status.serves()) statuses.emplace(host, std::move(status));
  }
  return statuses;
}

std::string why_not(const HostStatus& status) {
  if (status.serves()) return {};
  std::string text = status.host;
  switch (status.state) {
    case HostState::kMaintenance:
      text += " is in maintenance";
      break;
    case HostState::kUnknown:
      text += status.verdict.empty() ? " is in an unknown state" : " is not well (" + status.verdict + ")";
      break;
    default:
      text += std::string(" is ") + name_of(status.state);
  }
  if (status.since != std::chrono::sys_seconds{}) text += " since " + format_time(status.since);
  if (!status.by.empty()) text += " (by " + status.by + ")";
  if (!status.reason.empty()) text += ": " + status.reason;
  return text;
}

}  // namespace rackline::cluster
