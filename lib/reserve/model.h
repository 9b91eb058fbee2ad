// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reserve/amount.h"
#include "reserve/recurrence.h"
#include "store/document.h"

namespace rackline::reserve {

// What the ledger is made of, and how it stands in the store: JSON documents below "reserve/".
//
//   reserve/c/POOL/UNTIL/ID   a claim that was granted
//   reserve/l/LENDER/UNTIL/ID a loan
//   reserve/i/ID              {"key": where the claim or the loan of that id stands}
//   reserve/p/NAME            a pool
//   reserve/t/NAME/...        how much of it is held when (profile.h)
//   reserve/v/ID              what was set on a hypervisor for a claim, and what was there before
//
// UNTIL is the end in ten hexadecimal digits: what has not ended is one range of keys, so that nothing has to
// be removed for that a command does not look at what is long over. Amounts in documents are whole numbers of
// base units (amount.h), times are seconds since 1970.

struct Resource {
  Unit unit = Unit::kPieces;
  std::int64_t capacity = 0;
  std::int64_t ratio = 1000;  // thousandths
  std::int64_t given = 0;     // what the children are guaranteed: the sum of their sizes
  std::optional<std::int64_t> limit, borrow_limit, shares;
  std::int64_t never_lent = 0;
  bool expandable = false;  // claims take what the parent has not given away
  static const store::Fields kFields;

  std::int64_t size() const { return times(capacity, ratio); }
  // What the pool itself can grant: not what its children are guaranteed. A limit below the size, which only
  // a root can have, holds for the whole of it.
  std::int64_t own() const { return std::min(size(), limit.value_or(kMost)) - given; }
};

// What must stay free after each grant.
struct Headroom {
  bool largest_host = false;  // N+1: what the largest host has
  Amounts amounts;
  bool empty() const { return !largest_host && amounts.empty(); }
};
// "N+1" or amounts; "none" for nothing. Throws Error(kUsage).
Headroom parse_headroom(std::string_view text);
std::string headroom_text(const Headroom& headroom, const std::map<std::string, Resource>& resources);

struct Pool {
  std::string name;
  std::string parent;  // empty: a root
  std::vector<std::string> hosts, children;
  std::map<std::string, Resource> resources;
  Headroom headroom;
  // The profile has what is granted in the pool and in all below it, for the headroom; it has had children.
  bool tracks_use = false;
  Second since = 0;  // when its sizes last changed: before that, other ones held
  Second made = 0;   // what ended by then was of an earlier pool of that name
  static const store::Fields kFields;
};

// The times of a request as they were asked for, by which a repeated request is known; what counts from when
// it was asked, such as "in two hours", is left out.
struct Asked {
  std::optional<Second> from, until, length;
  bool operator==(const Asked&) const = default;
};

struct Claim {
  std::string id, pool, owner;
  std::int64_t priority = 0;
  Amounts amounts;
  std::vector<Span> spans;  // in order; what was cut off is gone
  std::string every;        // as given, when it recurs
  std::string zone;         // whose clocks that goes by
  std::vector<std::string> tags, loans;
  std::string vm, host;
  Amounts limits;
  bool borrow = false, lendable = false;
  Second made = 0;
  Second from = 0;    // as it was granted
  std::string ended;  // why it was cut short: "released", "reclaimed", "changed", "preempted"
  Asked asked;
  static const store::Fields kFields;

  // One that was ended before it began never held anything, and is over since it was made.
  Second until() const { return spans.empty() ? made : spans.back().until; }
};

struct Loan {
  std::string id, lender, borrower, owner;
  std::int64_t priority = 0;
  Amounts amounts;
  std::vector<Span> spans;
  std::string claim;  // that it was made for, and ends with
  Second made = 0;
  Second from = 0;
  std::string ended;
  Asked asked = {};
  std::vector<std::string> others = {};  // of the one with the request's id: those that were made with it
  static const store::Fields kFields;

  // One that was ended before it began never held anything, and is over since it was made.
  Second until() const { return spans.empty() ? made : spans.back().until; }
};

// "pending", "active", "idle", "ended", or why it was cut short.
std::string state_of(const std::vector<Span>& spans, const std::string& ended, Second now);
// What of the spans lies before `end`, and what lies from it on.
std::vector<Span> before(const std::vector<Span>& spans, Second end);
std::vector<Span> after(const std::vector<Span>& spans, Second begin);

// What is found by an id.
struct Index {
  std::string key;  // of the claim or the loan
  static const store::Fields kFields;
};

using store::to_text;
// Throw Error(kUnreachable) naming the key, for a document that is none of ours.
Pool pool_from(const std::string& key, const std::string& text);
Claim claim_from(const std::string& key, const std::string& text);
Loan loan_from(const std::string& key, const std::string& text);

std::string pool_key(std::string_view name);
std::string profile_prefix(std::string_view pool);
std::string index_key(std::string_view id);
std::string claims_prefix(std::string_view pool);
std::string loans_prefix(std::string_view lender);
std::string claim_key(const Claim& claim);
std::string loan_key(const Loan& loan);
std::string applied_key(std::string_view id);
// The first key of what ends after `time`, below a prefix of claims or loans; and the end of a prefix.
std::string ending_after(const std::string& prefix, Second time);
std::string above(const std::string& prefix);

// Throw Error(kUsage).
void check_pool_name(std::string_view name);
void check_id(std::string_view id);

}  // namespace rackline::reserve
