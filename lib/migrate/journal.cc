// SPDX-License-Identifier: Apache-2.0
#include "migrate/journal.h"

#include "base/error.h"
#include "store/document.h"

namespace rackline::migrate {
namespace {

using store::Json;

template <class T>
Json nullable(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <class T>
std::optional<T> optional_of(const Json& document, const char* field) {
  const auto found = document.find(field);
  if (found == document.end() || found->is_null()) return std::nullopt;
  return found->get<T>();
}

}  // namespace

std::string to_document(const MoveIntent& intent) {
  const Move& move = intent.move;
  Json document;
  document["vm"] = move.vm;
  document["from"] = move.from;
  document["to"] = move.to;
  document["uuid"] = nullable(move.uuid);
  document["domain_id"] = nullable(move.domain_id);
  document["cause"] = nullable(move.cause);
  document["stage"] = move.stage;
  document["memory_bytes"] = nullable(move.memory_bytes);
  document["live"] = intent.live;
  document["autostart"] = intent.autostart;
  return store::dump(document);
}

MoveIntent intent_of(const store::Journal::Item& item) {
  try {
    const Json document = Json::parse(item.intent);
    MoveIntent intent;
    Move& move = intent.move;
    move.id = item.id;
    document.at("vm").get_to(move.vm);
    document.at("from").get_to(move.from);
    document.at("to").get_to(move.to);
    move.uuid = optional_of<std::string>(document, "uuid");
    move.domain_id = optional_of<std::int64_t>(document, "domain_id");
    move.cause = optional_of<std::string>(document, "cause");
    move.stage = document.value("stage", std::int64_t{1});
    move.memory_bytes = optional_of<std::int64_t>(document, "memory_bytes");
    document.at("live").get_to(intent.live);
    intent.autostart = document.value("autostart", false);
    return intent;
  } catch (const Json::exception&) {
    throw Error(Status::kUnreachable, "read journal", item.id, "not the intent of a migration");
  }
}

std::string to_document(const MoveReport& report) {
  Json document;
  document["outcome"] = act::word_of(report.outcome);
  document["reason"] = report.reason;
  document["attempts"] = report.attempts;
  document["elapsed_ms"] = report.elapsed.count();
  return store::dump(document);
}

bool was_done(const store::Journal::Item& item) {
  if (!item.result) return false;
  const Json document = Json::parse(*item.result, nullptr, false);
  return document.is_object() &&
         document.value("outcome", std::string{}) == act::word_of(act::Outcome::kDone);
}

}  // namespace rackline::migrate
