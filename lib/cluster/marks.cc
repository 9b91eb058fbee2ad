// SPDX-License-Identifier: Apache-2.0
#include "cluster/marks.h"

#include "store/describe.h"

namespace rackline::cluster {
namespace {

constexpr std::string_view kFence = "fence/";
constexpr std::string_view kMaintenance = "maintenance/";
constexpr std::string_view kDrain = "drain/";
constexpr std::string_view kHealth = "health/";

std::string key_of(std::string_view prefix, const std::string& host) {
  return std::string(prefix) + store::key_part(host);
}

constexpr std::string_view kStates[] = {"fenced", "returning"};

template <class Mark>
Mark mark_of(const store::Entry& entry, std::string_view prefix) {
  std::string host = store::from_key_part(std::string_view(entry.key).substr(prefix.size()));
  auto mark = store::from_text<Mark>(entry.value);
  if (!mark) throw BrokenMark(entry.key, host);
  mark->host = std::move(host);
  if constexpr (requires { mark->version; }) mark->version = entry.version;
  return *std::move(mark);
}

template <class Mark>
std::optional<Mark> get(store::Store& store, std::string_view prefix, const std::string& host) {
  const auto entry = store.get(key_of(prefix, host));
  return entry ? std::optional(mark_of<Mark>(*entry, prefix)) : std::nullopt;
}

template <class Mark>
std::vector<Mark> all(store::Store& store, std::string_view prefix, BrokenMarks* broken) {
  std::vector<Mark> marks;
  for (const auto& entry : store.list(prefix)) {
    try {
      marks.push_back(mark_of<Mark>(entry, prefix));
    } catch (const BrokenMark& mark) {
      if (broken == nullptr) throw;
      broken->push_back(mark);
    }
  }
  return marks;
}

template <class Mark>
void put_any(store::Store& store, std::string_view prefix, const Mark& mark) {
  store.commit({{}, {{key_of(prefix, mark.host), store::to_text(mark)}}, {}});
}

bool remove_any(store::Store& store, std::string_view prefix, const std::string& host) {
  const auto entry = store.get(key_of(prefix, host));
  if (!entry) return false;
  return store.commit({{{entry->key, entry->version}}, {}, {entry->key}}).has_value();
}

}  // namespace

const store::Fields FenceMark::kFields{
    FIELD(FenceMark, id),
    FIELD(FenceMark, cause),
    FIELD(FenceMark, method),
    FIELD(FenceMark, time),
    FIELD(FenceMark, state, store::kRequired, store::Words<kStates>),
};
const store::Fields MaintenanceMark::kFields{
    FIELD(MaintenanceMark, reason),
    FIELD(MaintenanceMark, time),
    FIELD(MaintenanceMark, by, store::kLater),
    FIELD(MaintenanceMark, until, store::kOmitted),
    FIELD(MaintenanceMark, empty, store::kOmitted),
};
const store::Fields DrainMark::kFields{FIELD(DrainMark, reason), FIELD(DrainMark, time),
                                       FIELD(DrainMark, by, store::kLater),
                                       FIELD(DrainMark, until, store::kOmitted)};
const store::Fields HealthMark::kFields{
    FIELD(HealthMark, verdict),
    FIELD(HealthMark, reason),
    FIELD(HealthMark, since),
    FIELD(HealthMark, renewed),
    FIELD(HealthMark, by, store::kLater),
    FIELD(HealthMark, fence, store::kOmitted),
};

BrokenMark::BrokenMark(const std::string& key, std::string host_name)
    : Error(Status::kUnreachable, "read the mark", key, "it is not a mark of ours"),
      host(std::move(host_name)) {}

std::optional<FenceMark> fence_mark(store::Store& store, const std::string& host) {
  return get<FenceMark>(store, kFence, host);
}
std::vector<FenceMark> fence_marks(store::Store& store, BrokenMarks* broken) {
  return all<FenceMark>(store, kFence, broken);
}

bool put(store::Store& store, const FenceMark& mark) {
  const std::string key = key_of(kFence, mark.host);
  return store.commit({{{key, mark.version}}, {{key, store::to_text(mark)}}, {}}).has_value();
}

bool remove(store::Store& store, const FenceMark& mark) {
  const std::string key = key_of(kFence, mark.host);
  return store.commit({{{key, mark.version}}, {}, {key}}).has_value();
}

std::optional<MaintenanceMark> maintenance_mark(store::Store& store, const std::string& host) {
  return get<MaintenanceMark>(store, kMaintenance, host);
}
std::vector<MaintenanceMark> maintenance_marks(store::Store& store, BrokenMarks* broken) {
  return all<MaintenanceMark>(store, kMaintenance, broken);
}
void put(store::Store& store, const MaintenanceMark& mark) {
  put_any(store, kMaintenance, mark);
}
bool remove_maintenance(store::Store& store, const std::string& host) {
  return remove_any(store, kMaintenance, host);
}

std::optional<DrainMark> drain_mark(store::Store& store, const std::string& host) {
  return get<DrainMark>(store, kDrain, host);
}
std::vector<DrainMark> drain_marks(store::Store& store, BrokenMarks* broken) {
  return all<DrainMark>(store, kDrain, broken);
}
void put(store::Store& store, const DrainMark& mark) {
  put_any(store, kDrain, mark);
}
bool remove_drain(store::Store& store, const std::string& host) {
  return remove_any(store, kDrain, host);
}

std::optional<HealthMark> health_mark(store::Store& store, const std::string& host) {
  return get<HealthMark>(store, kHealth, host);
}
std::vector<HealthMark> health_marks(store::Store& store, BrokenMarks* broken) {
  return all<HealthMark>(store, kHealth, broken);
}
void put(store::Store& store, const HealthMark& mark) {
  put_any(store, kHealth, mark);
}
bool remove_health(store::Store& store, const std::string& host) {
  return remove_any(store, kHealth, host);
}

}  // namespace rackline::cluster
