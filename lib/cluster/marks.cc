// SPDX-License-Identifier: Apache-2.0
#include "cluster/marks.h"

#include "base/time.h"
#include "store/document.h"

namespace rackline::cluster {
namespace {

using store::Json;

constexpr std::string_view kFence = "fence/";
constexpr std::string_view kMaintenance = "maintenance/";
constexpr std::string_view kDrain = "drain/";
constexpr std::string_view kHealth = "health/";

std::string key_of(std::string_view prefix, const std::string& host) {
  return std::string(prefix) + store::key_part(host);
}

// One mark as it is stored.
class Document {
 public:
  Document(const store::Entry& entry, std::string_view prefix)
      : key_(entry.key),
        host_(store::from_key_part(std::string_view(entry.key).substr(prefix.size()))),
        document_(Json::parse(entry.value, nullptr, false)) {
    if (!document_.is_object()) throw broken();
  }

  BrokenMark broken() const { return {key_, host_}; }
  const std::string& host() const { return host_; }
  std::string text(const char* name) const {
    const auto found = document_.find(name);
    if (found == document_.end() || !found->is_string()) throw broken();
    return found->get<std::string>();
  }
  // Fields that were added later: marks of older programs lack them.
  std::string text_or_empty(const char* name) const {
    return document_.contains(name) ? text(name) : std::string();
  }
  bool flag(const char* name) const {
    const auto found = document_.find(name);
    return found != document_.end() && found->is_boolean() && found->get<bool>();
  }
  std::chrono::sys_seconds time(const char* name) const {
    const auto time = parse_time(text(name));
    if (!time) throw broken();
    return *time;
  }
  std::optional<std::chrono::sys_seconds> time_or_none(const char* name) const {
    return document_.contains(name) ? std::optional(time(name)) : std::nullopt;
  }

 private:
  std::string key_, host_;
  Json document_;
};

void read(const Document& document, FenceMark& mark) {
  mark.id = document.text("id");
  mark.cause = document.text("cause");
  mark.method = document.text("method");
  mark.time = document.time("time");
  const std::string state = document.text("state");
  if (state != "fenced" && state != "returning") throw document.broken();
  mark.state = state == "fenced" ? FenceMark::State::kFenced : FenceMark::State::kReturning;
}

// Marks that a person sets, maintenance and drain, hold the same.
template <class Mark>
void read(const Document& document, Mark& mark) {
  mark.reason = document.text("reason");
  mark.time = document.time("time");
  mark.by = document.text_or_empty("by");
  mark.until = document.time_or_none("until");
  if constexpr (requires { mark.empty; }) mark.empty = document.flag("empty");
}

void read(const Document& document, HealthMark& mark) {
  mark.verdict = document.text("verdict");
  mark.reason = document.text("reason");
  mark.since = document.time("since");
  mark.renewed = document.time("renewed");
  mark.by = document.text_or_empty("by");
  mark.fence = document.text_or_empty("fence");
}

template <class Mark>
Mark mark_of(const store::Entry& entry, std::string_view prefix) {
  const Document document(entry, prefix);
  Mark mark;
  mark.host = document.host();
  read(document, mark);
  if constexpr (requires { mark.version; }) mark.version = entry.version;
  return mark;
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
void put_persons(store::Store& store, std::string_view prefix, const Mark& mark) {
  Json document = {{"reason", mark.reason}, {"time", format_time(mark.time)}, {"by", mark.by}};
  if (mark.until) document["until"] = format_time(*mark.until);
  if constexpr (requires { mark.empty; }) {
    if (mark.empty) document["empty"] = true;
  }
  store.commit({{}, {{key_of(prefix, mark.host), store::dump(document)}}, {}});
}

bool remove_any(store::Store& store, std::string_view prefix, const std::string& host) {
  const auto entry = store.get(key_of(prefix, host));
  if (!entry) return false;
  return store.commit({{{entry->key, entry->version}}, {}, {entry->key}}).has_value();
}

}  // namespace

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
  const Json document = {{"id", mark.id},
                         {"cause", mark.cause},
                         {"method", mark.method},
                         {"time", format_time(mark.time)},
                         {"state", mark.state == FenceMark::State::kFenced ? "fenced" : "returning"}};
  const std::string key = key_of(kFence, mark.host);
  return store.commit({{{key, mark.version}}, {{key, store::dump(document)}}, {}}).has_value();
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
  put_persons(store, kMaintenance, mark);
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
  put_persons(store, kDrain, mark);
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
  Json document = {{"verdict", mark.verdict},
                   {"reason", mark.reason},
                   {"since", format_time(mark.since)},
                   {"renewed", format_time(mark.renewed)},
                   {"by", mark.by}};
  if (!mark.fence.empty()) document["fence"] = mark.fence;
  store.commit({{}, {{key_of(kHealth, mark.host), store::dump(document)}}, {}});
}
bool remove_health(store::Store& store, const std::string& host) {
  return remove_any(store, kHealth, host);
}

}  // namespace rackline::cluster
