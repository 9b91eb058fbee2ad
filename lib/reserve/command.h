// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "reserve/calendar.h"
#include "reserve/ledger.h"
#include "reserve/listing.h"

namespace rackline::reserve {

// What was typed, and what it means: the words of the command line as the program's options have them. Each
// function throws Error(kUsage) for words that make no sense.
struct Command {
  // claim, extend, borrow, list
  std::string pool, owner, amount, from, until, every, id, vm, host, limit, headroom, lender, tag, state;
  std::vector<std::string> tags, ids;
  Milliseconds length{0}, grace{0};
  std::int64_t priority = 0;
  std::optional<std::int64_t> new_priority;
  bool borrow = false, lendable = false, preempt = false, part = false, atomic = false, accept_clock = false,
       forever = false;
  bool all = false, calendar = false, loans_only = false;
  std::string time;  // --at

  // pool add, pool set
  std::optional<std::string> parent;
  std::string capacity, reservation, borrow_limit, never_lent, shares, overcommit;
  std::vector<std::string> hosts;
  bool expandable = false, fixed = false;

  Period period(Second now) const;
  Period extension(Second now) const;  // says how long, or --forever
  ClaimRequest claim(Second now) const;
  ChangeRequest change(Second now) const;
  LoanRequest loan(Second now) const;
  ReclaimRequest reclaim() const;
  PoolRequest pool_request() const;
  void check_release() const;
  // A stream of requests says everything itself.
  void check_stream() const;

  Second at(Second now) const;
  Filter filter(Second now) const;
  Window window(Second now) const;
};

}  // namespace rackline::reserve
