// SPDX-License-Identifier: Apache-2.0
#include "store/journal.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/error.h"
#include "store/document.h"
#include "store/json.h"

namespace rackline::store {
namespace {

constexpr std::size_t kForgottenAtOnce = 100;

Json parse(const std::string& attempted, const std::string& key, const std::string& text) {
  Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) throw Error(Status::kUnreachable, attempted, key, "not JSON");
  return document;
}

std::optional<std::chrono::sys_seconds> time_of(const Json& document, const char* field) {
  const auto found = document.find(field);
  if (found == document.end() || !found->is_string()) return std::nullopt;
  return parse_time(found->get<std::string>());
}

RawJournal::Item item_of(const std::string& id, const Entry& entry) {
  const Json document = parse("read journal", entry.key, entry.value);
  const auto begun = time_of(document, "begun");
  if (!document.contains("intent") || !begun) {
    throw Error(Status::kUnreachable, "read journal", entry.key, "not an entry of a journal");
  }
  RawJournal::Item item{id, dump(document["intent"]), std::nullopt, *begun, time_of(document, "ended")};
  if (document.contains("result")) item.result = dump(document["result"]);
  return item;
}

}  // namespace

RawJournal::RawJournal(Store& store, std::string actor, const Clock& clock)
    : store_(store), prefix_("journal/" + std::move(actor) + "/"), clock_(clock) {}

std::string RawJournal::key(const std::string& id) const {
  return prefix_ + key_part(id);
}

void RawJournal::intent(const std::string& id, const std::string& document) {
  const auto present = store_.get(key(id));
  if (present && !item_of(id, *present).result) {  // @rule 12-begun-twice
    throw Error(Status::kRefused, "begin", id, "an earlier attempt is open in the journal");
  }
  Json entry;
  entry["begun"] = format_time(clock_.wall());
  entry["intent"] = parse("write journal", key(id), document);
  const Transaction write{{{key(id), present ? present->version : 0}}, {{key(id), dump(entry)}}, {}};
  if (!store_.commit(write)) throw Error(Status::kRefused, "begin", id, "somebody else has just begun it");
}

void RawJournal::change_open(const char* attempted, const std::string& id,
                             const std::map<std::string, std::string>& fields) {
  const auto present = store_.get(key(id));
  if (!present || item_of(id, *present).result) {
    throw Error(Status::kRefused, attempted, id, "no open intent in the journal");
  }
  Json entry = parse("read journal", key(id), present->value);
  for (const auto& [name, document] : fields) entry[name] = parse("write journal", key(id), document);
  if (!store_.commit({{{key(id), present->version}}, {{key(id), dump(entry)}}, {}})) {
    throw Error(Status::kRefused, attempted, id, "the journal's entry has changed meanwhile");
  }
}

void RawJournal::amend(const std::string& id, const std::string& document) {
  change_open("amend", id, {{"intent", document}});
}

void RawJournal::result(const std::string& id, const std::string& document) {
  change_open("write result", id, {{"ended", '"' + format_time(clock_.wall()) + '"'}, {"result", document}});
}

std::optional<RawJournal::Item> RawJournal::find(const std::string& id) {
  const auto entry = store_.get(key(id));
  if (!entry) return std::nullopt;
  return item_of(id, *entry);
}

std::vector<RawJournal::Item> RawJournal::all(std::vector<Unread>* broken) {
  std::vector<Item> items;
  for (const Entry& entry : store_.list(prefix_)) {
    const std::string id = from_key_part(std::string_view(entry.key).substr(prefix_.size()));
    try {
      items.push_back(item_of(id, entry));
    } catch (const Error& error) {
      if (broken == nullptr) throw;
      broken->push_back({id, error.what()});
    }
  }
  return items;
}

std::vector<RawJournal::Item> RawJournal::open(std::vector<Unread>* broken) {
  auto items = all(broken);
  std::erase_if(items, [](const Item& item) { return item.result.has_value(); });
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.begun < b.begun; });
  return items;
}

void RawJournal::prune(std::chrono::seconds age, std::size_t number) {
  auto items = all();
  std::erase_if(items, [](const Item& item) { return !item.result.has_value(); });  // @rule 12-forgotten
  const auto end_of = [](const Item& item) { return item.ended.value_or(item.begun); };
  std::stable_sort(items.begin(), items.end(),
                   [&](const Item& a, const Item& b) { return end_of(a) > end_of(b); });  // newest first
  Transaction forget;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i >= number || clock_.wall() - end_of(items[i]) > age) forget.deletes.push_back(key(items[i].id));
    // In parts, because etcd limits a transaction: each entry is forgotten for itself.
    if (forget.deletes.size() == kForgottenAtOnce) {
      store_.commit(forget);
      forget.deletes.clear();
    }
  }
  if (!forget.deletes.empty()) store_.commit(forget);
}

}  // namespace rackline::store
