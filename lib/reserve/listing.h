// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "record/kinds_reserve.h"
#include "reserve/ledger.h"
#include "store/store.h"

namespace rackline::reserve {

// Which reservations and loans are wanted; empty: any.
struct Filter {
  std::string pool, owner, tag, vm, host, id;
  std::string state;         // at the time that list() is told
  bool ended = false;        // those that are over, too
  std::optional<Span> span;  // only those that hold something within it
};

struct Listing {
  std::function<void(const Claim&)> claim;
  std::function<void(const Loan&)> loan;
};

// Hands over what is in the ledger, in the order of pools and ends, without holding all of it.
void list(store::Store& store, const Filter& filter, Second now, const Listing& to);

// Turns what the ledger has into records. Knows the pools, for units and hosts.
class Records {
 public:
  Records() = default;
  explicit Records(const std::vector<Pool>& pools);
  void add(const Pool& pool) { pools_.insert_or_assign(pool.name, pool); }

  record::Reservation reservation(const Claim& claim, Second now) const;
  record::Reservation reservation(const Granted& granted, Second now) const;
  record::Loan loan(const Loan& loan, Second now) const;
  record::RequestRefused refused(const Refusal& refusal) const;
  record::ReclaimHit hit(const Hit& hit) const;
  record::PoolShare share(const Pool& pool, const std::string& resource) const;
  // With what is granted, borrowed and lent at the ledger's time, or at another one.
  record::PoolShare share(const Pool& pool, const std::string& resource, const PoolState& state) const;

  Unit unit(const std::string& pool, const std::string& resource) const;
  std::vector<std::string> texts(const std::string& pool, const Amounts& amounts, bool for_people) const;

 private:
  void put(record::Amounts& to, const std::string& pool, const Amounts& amounts) const;
  std::vector<std::string> hosts(const std::string& pool) const;
  std::map<std::string, Pool> pools_;
};

// A claim from a record; what is wrong with it is thrown as Error(kUsage).
ClaimRequest request_from(const record::ReservationRequest& record, Second now);

}  // namespace rackline::reserve
