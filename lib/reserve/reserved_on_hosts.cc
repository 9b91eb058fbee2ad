// SPDX-License-Identifier: Apache-2.0
#include "reserve/reserved_on_hosts.h"

#include <map>

#include "reserve/ledger_store.h"
#include "reserve/listing.h"

namespace rackline::reserve {

std::vector<ReservedOnHost> reserved_on_hosts(store::Store& store, Second now) {
  std::map<std::string, std::vector<std::string>> hosts;
  for (const auto& pool : all_pools(store)) {
    // A part has the hosts of its whole where it names none; parents come first.
    hosts[pool.name] = pool.hosts.empty() && !pool.parent.empty() ? hosts[pool.parent] : pool.hosts;
  }
  std::vector<ReservedOnHost> all;
  const auto take = [&](const Claim& claim) {
    if (state_of(claim.spans, claim.ended, now) != "active") return;
    ReservedOnHost held;
    held.id = claim.id;
    held.owner = claim.owner;
    held.vm = claim.vm;
    held.lendable = claim.lendable;
    held.host = claim.host;
    if (const auto& of_pool = hosts[claim.pool]; held.host.empty() && of_pool.size() == 1) {
      held.host = of_pool.front();
    }
    if (held.host.empty()) return;
    const auto amount = [&](const char* name) {
      const auto found = claim.amounts.find(name);
      return found == claim.amounts.end() ? 0 : found->second;
    };
    held.cpu_thousandths = amount("cpu");
    held.memory_bytes = amount("memory");
    if (held.cpu_thousandths > 0 || held.memory_bytes > 0) all.push_back(held);
  };
  list(store, {}, now, {.claim = take, .loan = [](const Loan&) {}});
  return all;
}

}  // namespace rackline::reserve
