// SPDX-License-Identifier: Apache-2.0
#include "cluster/contacts.h"

#include "store/describe.h"

namespace rackline::cluster {
namespace {

constexpr std::string_view kKey = "contacts";

bool pass_contacts(store::Value& value, void* contacts) {
  return store::pass(value, *static_cast<Contacts*>(contacts));
}

}  // namespace

Contacts contacts(store::Store& store) {
  Contacts found;
  const auto entry = store.get(kKey);
  if (entry && !store::from_text(entry->value, pass_contacts, &found)) found.clear();
  return found;
}

void put(store::Store& store, const Contacts& contacts) {
  store.commit({{}, {{std::string(kKey), store::to_text(pass_contacts, &contacts)}}, {}});
}

}  // namespace rackline::cluster
