// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "reserve/model.h"
#include "reserve/period.h"
#include "reserve/profile.h"
#include "reserve/write_set.h"

namespace rackline::reserve {

// What was asked for cannot be had: the answer, not an error.
struct Refusal {
  std::string request = {}, constraint = {};
  std::string id = {}, pool = {}, owner = {}, resource = {};
  std::optional<Unit> unit = {};
  std::optional<std::int64_t> requested = {}, available = {}, missing = {};
  std::optional<Second> conflict_at = {}, fits_at = {};
  std::vector<std::string> held_by = {}, waits_for = {}, shortages = {};
  std::string reason = {};
};
template <class T>
using Answer = std::variant<T, Refusal>;

struct ClaimRequest {
  std::string id = {};  // empty: one is made up
  std::string pool = {}, owner = {};
  Quantities amounts = {};
  Period period = {};
  std::int64_t priority = 0;
  std::vector<std::string> tags = {};
  std::string vm = {}, host = {};
  Quantities limits = {};
  std::optional<Headroom> headroom = {};
  bool borrow = false, lendable = false;
  bool preempt = false;  // ends what matters less in its pool when there is no room
};
// What is not given stays as it is.
struct ChangeRequest {
  std::string id = {};
  Period period = {};  // a length counts from its beginning
  bool forever = false;
  Quantities amounts = {};
  std::optional<std::int64_t> priority = {};
};
struct Hit {
  bool is_loan = false;
  std::string id = {}, lender = {}, pool = {}, owner = {};
  std::int64_t priority = 0;
  Amounts amounts = {};
  Second until_before = 0, until = 0;
};
struct Granted {
  Claim claim = {};
  std::string outcome = {};
  std::vector<Loan> loans = {};
  std::vector<Hit> hits = {};           // what made room for it
  std::vector<std::string> notes = {};  // for a person, see Period
};

struct LoanRequest {
  std::string id = {};
  std::string borrower = {};
  std::string lender = {};  // empty: whoever has most
  std::string owner = {};
  Quantities amounts = {};
  Period period = {};
  std::int64_t priority = 0;
};
struct Lent {
  std::vector<Loan> loans = {};
  std::string outcome = {};
  std::vector<std::string> notes = {};
};

struct Ended {
  std::optional<Claim> claim = {};
  std::optional<Loan> loan = {};
  std::string outcome = {};
};

struct ReclaimRequest {
  std::string lender = {};
  std::string borrower = {};  // empty: whoever has borrowed
  Quantities amounts = {};    // empty: all
  Second grace = 0;           // seconds
  bool part = false;          // no more than the amounts: loans are split
};
struct Reclaimed {
  Second at = 0;
  std::vector<Hit> hits = {};
};

// What is not given stays as it is.
struct PoolRequest {
  std::string name = {};
  std::optional<std::string> parent = {};
  Quantities capacity = {}, reservation = {}, limit = {}, borrow_limit = {}, never_lent = {};
  std::map<std::string, std::int64_t> ratios = {}, shares = {};  // no name: of all resources
  std::vector<std::string> no_limit = {}, no_borrow_limit = {};  // resources whose limit goes
  std::optional<std::vector<std::string>> hosts = {};
  std::optional<Headroom> headroom = {};
  std::optional<bool> expandable = {};
};
struct PoolAnswer {
  Pool pool = {};
  std::string outcome = {};
};

// One resource of a pool at one instant.
struct PoolState {
  std::int64_t granted = 0, borrowed = 0, lent = 0, free = 0, lendable = 0, headroom = 0;
};

// The rules of the reservation ledger, over what one transaction sees. Nothing reaches the store before
// save() and the commit of the write set; a verb that refuses has changed nothing, so that several may share
// a transaction.
//
// A pool has a size (capacity times overcommit). A root's is its own; a child's is guaranteed to it by its
// parent, which can no longer grant it. So at every instant, for each pool and resource,
//
//     claims + lent - borrowed <= size - what the children are guaranteed
//
// and the sum over a tree says that no more is granted than the root has. Borrowing moves a part of the
// right-hand side from one pool of the tree to another, for a time, and only what the lender has not granted:
// so no loan cuts anybody's guarantee. A pool that borrows lends nothing at the same time, so that what is
// reclaimed from it comes from its own claims and not from a third pool.
class Ledger {
 public:
  // `clock` is the wall clock's time. With `accept_clock` an earlier time than the ledger's last write is
  // taken for true.
  Ledger(WriteSet& writes, Second clock, bool accept_clock = false)
      : writes_(writes), clock_(clock), now_(clock), accept_clock_(accept_clock) {}

  Answer<Granted> claim(const ClaimRequest& request);
  Answer<Granted> extend(const std::string& id, const Period& period);
  Answer<Granted> change(const ChangeRequest& request);
  Answer<Ended> release(const std::string& id);
  Answer<Lent> borrow(const LoanRequest& request);
  Answer<Reclaimed> reclaim(const ReclaimRequest& request);

  Answer<PoolAnswer> add_pool(const PoolRequest& request);
  Answer<PoolAnswer> set_pool(const PoolRequest& request);
  Answer<PoolAnswer> remove_pool(const std::string& name);
  // Of the pool's part in `resource`, at `time`.
  PoolState state(const Pool& pool, const std::string& resource, Second time);
  // The most that the pool has granted and lent, less what it has borrowed, at any time in the span.
  std::int64_t held(const std::string& pool, const std::string& resource, Span span) {
    return peak(pool, resource, {span});
  }

  std::optional<Pool> find_pool(const std::string& name);
  // The hosts of the pool, else those of the nearest pool above it that has some.
  std::vector<std::string> hosts_of(const std::string& pool);

  // The time that this transaction goes by: the clock's, or the ledger's last write when that is a little
  // later.
  Second now() const { return now_; }
  void save();

 private:
  struct Terms;
  struct Lending;
  struct Worst {
    std::int64_t held = 0;
    Second at = 0;
  };
  // A pool that is known to be there.
  Pool& pool(const std::string& name);
  Pool* lookup(const std::string& name);
  Profile& profile(const std::string& pool);
  void changed(const std::string& pool) { dirty_.insert_or_assign(pool, true); }
  // The pool and those above it, itself first.
  std::vector<std::string> chain(const std::string& pool);
  std::vector<std::string> tree(const std::string& pool);
  void enter(const std::string& pool);

  std::vector<Span> spans_of(const Period& period, std::vector<std::string>& notes);
  // What a claim holds when it lasts until then, beyond what it holds already.
  std::vector<Span> spans_until(const Claim& claim, Second until, std::vector<std::string>& notes);
  // The answer to a request whose id is known; nothing when it is new.
  std::optional<Answer<Granted>> repeated(const Claim& wanted);
  std::optional<Answer<Lent>> repeated(const LoanRequest& request);
  // A reservation that is not over.
  std::variant<Claim, Refusal> current(const std::string& verb, const std::string& id);
  void check_host(const ClaimRequest& request);
  std::int64_t peak(const std::string& pool, const std::string& series, const std::vector<Span>& spans);
  std::int64_t largest_host(const Pool& pool, const std::string& resource);
  std::int64_t headroom_of(const Pool& pool, const Headroom& headroom, const std::string& resource);
  // What has to stay free in the pool or one above it: as the pool says, and not less when the claim says so.
  static bool demands_headroom(const Terms& terms, const Pool& pool);
  std::int64_t kept_free(const Terms& terms, const Pool& pool, const std::string& resource);

  std::optional<Refusal> check_resources(const Terms& terms, const Pool& pool, const Quantities& amounts);
  std::optional<Refusal> admit(const Terms& terms, std::vector<Loan>& loans);
  std::optional<Refusal> check_headroom(const Terms& terms, const std::vector<Loan>& loans);
  std::optional<Refusal> check_loans(const Terms& terms, std::vector<Loan>& loans);
  Lending lending(const std::string& lender, const std::string& borrower, const std::string& resource,
                  const std::vector<Span>& spans);
  std::optional<Refusal> find_lenders(const Terms& terms, const std::string& resource, std::int64_t need,
                                      std::map<std::string, Amounts>& from);
  std::vector<std::string> lenders_for(const Terms& terms, const std::string& resource);
  void limit_entry(const std::string& into, const std::string& resource, const std::vector<Span>& spans,
                   std::int64_t entered, std::int64_t need, Lending& offer);
  std::vector<std::string> lenders_above(const Terms& terms, const std::string& resource);
  std::optional<Refusal> check_lender(const Terms& terms, const LoanRequest& request);
  void find_time(const Terms& terms, Refusal& refusal);
  // When most of it is held, and how much: what a refusal says is all of that one time.
  Worst worst(const std::string& pool, const std::string& series, const std::vector<Span>& spans);
  // With `ending`, only those whose part ends then.
  std::vector<std::string> holders(const Pool& pool, const std::string& resource, Second time,
                                   std::optional<Second> ending = {});
  Refusal shortage(const Terms& terms, const std::string& constraint, const std::string& pool,
                   const std::string& resource, const std::string& series, std::int64_t available,
                   std::int64_t missing, const std::string& reason);
  Refusal joined(const Terms& terms, const std::vector<Refusal>& shortages);

  // How the ledger's sums change.
  void adjust(const std::string& pool, const Amounts& amounts, const std::vector<Span>& spans, int sign);
  void adjust_loan(const Loan& loan, const std::vector<Span>& spans, int sign);
  // What was admitted becomes the claim's.
  void hold(Claim& claim, std::vector<Loan>& loans, const std::vector<Span>& spans);
  // What the claim holds from `at` on, with what was borrowed for it.
  void weigh(const Claim& claim, Second at, int sign);
  // Takes away from `at` on, in their order, those that help until it fits, and gives back those taken last
  // as long as it still does. All stay in the sums as they are; which ones it takes is the answer.
  std::vector<Claim> least(const std::vector<Claim>& claims, Second at,
                           const std::function<bool(const Claim&)>& helps, const std::function<bool()>& fits);

  std::optional<std::string> place_of(const std::string& id);
  void put(const Claim& claim, const std::string& old_key = {});
  void put(const Loan& loan, const std::string& old_key = {});
  void cut(Claim& claim, Second at, const std::string& why);
  void cut(Loan& loan, Second at, const std::string& why);
  std::vector<Claim> claims_ending_after(const std::string& pool, Second time, std::size_t most);
  std::vector<Loan> loans_ending_after(const std::string& lender, Second time);
  void end_what_lacks_room(const std::string& borrower, const std::set<std::string>& made_for,
                           const std::string& lender, Reclaimed& answer);
  std::optional<Refusal> make_room(const Terms& terms, Granted& granted);
  // The changed reservation as far as it does not depend on what there is room for; its spans are those from
  // now on.
  Claim redrawn(const ChangeRequest& request, const Claim& claim, std::vector<std::string>& notes);
  // Before it was changed it held other amounts: that stays in the ledger under an id of its own.
  void keep_past(Claim past);
  // What of a loan that was cut at `at` its borrower keeps is a loan of its own.
  void keep_part(const Loan& loan, const Amounts& amounts, const std::vector<Span>& spans);
  std::vector<Loan> loans_to_take(const ReclaimRequest& request, Second at);

  std::optional<Refusal> check_held(const Pool& before, const Pool& after, const std::string& resource);
  std::optional<Refusal> check_parent(const Pool& before, const Pool& after, const std::string& resource);
  std::optional<Refusal> resize(const Pool& before, const Pool& after);

  WriteSet& writes_;
  Second clock_, now_;
  bool accept_clock_;
  std::map<std::string, std::optional<Pool>> pools_;
  std::map<std::string, bool> dirty_;
  std::map<std::string, Profile> profiles_;
};

// What a profile's series are called: what is granted by the pool itself, and what it has lent less what it
// has borrowed, is the resource's name alone.
std::string in_series(const std::string& resource);   // borrowed from outside of the pool and all below it
std::string out_series(const std::string& resource);  // lent to the outside
std::string use_series(const std::string& resource);  // granted in the pool and all below it

}  // namespace rackline::reserve
