// SPDX-License-Identifier: Apache-2.0
#include "cluster/contacts.h"

#include "base/time.h"
#include "store/document.h"

namespace rackline::cluster {
namespace {

constexpr std::string_view kKey = "contacts";

}  // namespace

Contacts contacts(store::Store& store) {
  Contacts found;
  const auto entry = store.get(kKey);
  if (!entry) return found;
  const auto document = store::Json::parse(entry->value, nullptr, false);
  if (!document.is_object()) return found;
  for (const auto& [host, value] : document.items()) {
    if (!value.is_string()) continue;
    if (const auto time = parse_time(value.get<std::string>())) found[host] = *time;
  }
  return found;
}

void put(store::Store& store, const Contacts& contacts) {
  store::Json document = store::Json::object();
  for (const auto& [host, time] : contacts) document[host] = format_time(time);
  store.commit({{}, {{std::string(kKey), store::dump(document)}}, {}});
}

}  // namespace rackline::cluster
