// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reserve/ledger.h"

namespace rackline::reserve {

// What is to be granted, whoever asks for it. For the parts of the ledger's own implementation alone.
struct Ledger::Terms {
  std::string request = {};
  std::string id = {}, pool = {}, owner = {};
  Amounts amounts = {};
  std::vector<Span> spans = {};
  std::int64_t priority = 0;
  // A claim may borrow what it lacks; a loan is all borrowed.
  bool borrow = false;
  bool all_borrowed = false;
  // Its lender has reclaimed what it had borrowed: it has to do with what its pool has.
  bool taken_back = false;
  std::string lender = {};
  std::optional<Headroom> headroom = {};
};

// What a pool could lend, and the rule that allows no more.
struct Ledger::Lending {
  std::int64_t room = 0;
  std::string constraint = {};
};

// As messages have it: "2026-11-22T12:00:00Z".
std::string when(Second time);
Refusal unknown_pool(const std::string& request, const std::string& pool);
// The id is that of something else, or of what is over.
Refusal taken_id(const std::string& request, const std::string& id, const std::string& pool,
                 const std::string& owner);
Refusal over_id(const std::string& request, const std::string& id, const std::string& pool,
                const std::string& owner, Second until);

}  // namespace rackline::reserve
