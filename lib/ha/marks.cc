// SPDX-License-Identifier: Apache-2.0
#include "ha/marks.h"

#include "base/error.h"
#include "base/time.h"
#include "store/document.h"

namespace rackline::ha {
namespace {

using store::Json;

constexpr const char* kFence = "fence/";
constexpr const char* kMaintenance = "maintenance/";

Error broken(const store::Entry& entry) {
  return {Status::kUnreachable, "read the mark", entry.key, "it is not a mark of ours"};
}

// The member of that name, a string.
std::string text(const Json& document, const char* name, const store::Entry& entry) {
  const auto found = document.find(name);
  if (found == document.end() || !found->is_string()) throw broken(entry);
  return found->get<std::string>();
}

Json parse(const store::Entry& entry) {
  Json document = Json::parse(entry.value, nullptr, false);
  if (!document.is_object()) throw broken(entry);
  return document;
}

std::chrono::sys_seconds time_of(const Json& document, const store::Entry& entry) {
  const auto time = parse_time(text(document, "time", entry));
  if (!time) throw broken(entry);
  return *time;
}

FenceMark fence_mark_of(const store::Entry& entry) {
  const Json document = parse(entry);
  FenceMark mark;
  mark.host = entry.key.substr(std::string_view(kFence).size());
  mark.id = text(document, "id", entry);
  mark.cause = text(document, "cause", entry);
  mark.method = text(document, "method", entry);
  mark.time = time_of(document, entry);
  const std::string state = text(document, "state", entry);
  if (state != "fenced" && state != "returning") throw broken(entry);
  mark.state = state == "fenced" ? FenceMark::State::kFenced : FenceMark::State::kReturning;
  mark.version = entry.version;
  return mark;
}

MaintenanceMark maintenance_mark_of(const store::Entry& entry) {
  const Json document = parse(entry);
  return {entry.key.substr(std::string_view(kMaintenance).size()), text(document, "reason", entry),
          time_of(document, entry)};
}

}  // namespace

std::optional<FenceMark> fence_mark(store::Store& store, const std::string& host) {
  const auto entry = store.get(kFence + host);
  if (!entry) return std::nullopt;
  return fence_mark_of(*entry);
}

std::vector<FenceMark> fence_marks(store::Store& store) {
  std::vector<FenceMark> marks;
  for (const auto& entry : store.list(kFence)) marks.push_back(fence_mark_of(entry));
  return marks;
}

bool put(store::Store& store, const FenceMark& mark) {
  const Json document = {{"id", mark.id},
                         {"cause", mark.cause},
                         {"method", mark.method},
                         {"time", format_time(mark.time)},
                         {"state", mark.state == FenceMark::State::kFenced ? "fenced" : "returning"}};
  const std::string key = kFence + mark.host;
  return store.commit({{{key, mark.version}}, {{key, store::dump(document)}}, {}}).has_value();
}

bool remove(store::Store& store, const FenceMark& mark) {
  const std::string key = kFence + mark.host;
  return store.commit({{{key, mark.version}}, {}, {key}}).has_value();
}

std::optional<MaintenanceMark> maintenance_mark(store::Store& store, const std::string& host) {
  const auto entry = store.get(kMaintenance + host);
  if (!entry) return std::nullopt;
  return maintenance_mark_of(*entry);
}

std::vector<MaintenanceMark> maintenance_marks(store::Store& store) {
  std::vector<MaintenanceMark> marks;
  for (const auto& entry : store.list(kMaintenance)) marks.push_back(maintenance_mark_of(entry));
  return marks;
}

void put(store::Store& store, const MaintenanceMark& mark) {
  const Json document = {{"reason", mark.reason}, {"time", format_time(mark.time)}};
  store.commit({{}, {{kMaintenance + mark.host, store::dump(document)}}, {}});
}

bool remove_maintenance(store::Store& store, const std::string& host) {
  const auto entry = store.get(kMaintenance + host);
  if (!entry) return false;
  return store.commit({{{entry->key, entry->version}}, {}, {entry->key}}).has_value();
}

}  // namespace rackline::ha
