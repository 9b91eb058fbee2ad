// SPDX-License-Identifier: Apache-2.0
#include "reserve/ledger.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/id.h"
#include "base/time.h"
#include "base/units.h"
#include "reserve/ledger_terms.h"
#include "store/document.h"

namespace rackline::reserve {
namespace {

// Clocks of several machines differ a little, and NTP steps; an earlier clock than this is wrong.
constexpr Second kSmallStep = 60;

}  // namespace

std::string when(Second time) {
  return format_time(std::chrono::sys_seconds{std::chrono::seconds{time}});
}

Refusal unknown_pool(const std::string& request, const std::string& pool) {
  return {.request = request,
          .constraint = "unknown_pool",
          .pool = pool,
          .reason = "there is no pool " + pool + "; reserve pool add " + pool +
                    " --capacity cpu=64,memory=512GiB makes one"};
}

std::string in_series(const std::string& resource) {
  return resource + ":in";
}
std::string out_series(const std::string& resource) {
  return resource + ":out";
}
std::string use_series(const std::string& resource) {
  return resource + ":use";
}

Pool* Ledger::lookup(const std::string& name) {
  const auto [place, fresh] = pools_.try_emplace(name);
  if (fresh) {
    if (const auto text = writes_.read(pool_key(name))) place->second = pool_from(pool_key(name), *text);
  }
  return place->second ? &*place->second : nullptr;
}

Pool& Ledger::pool(const std::string& name) {
  Pool* found = lookup(name);
  if (found == nullptr) {
    throw Error(Status::kUnreachable, "read ledger", pool_key(name), "it is not there", "see reserve check");
  }
  return *found;
}

std::optional<Pool> Ledger::find_pool(const std::string& name) {
  const Pool* found = lookup(name);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

Profile& Ledger::profile(const std::string& name) {
  const auto found = profiles_.find(name);
  if (found != profiles_.end()) return found->second;
  return profiles_.emplace(name, Profile(writes_, profile_prefix(name))).first->second;
}

std::vector<std::string> Ledger::chain(const std::string& name) {
  std::vector<std::string> names;
  for (std::string at = name; !at.empty(); at = pool(at).parent) {
    // A damaged ledger must not keep anybody in a circle.
    if (std::find(names.begin(), names.end(), at) != names.end()) {
      throw Error(Status::kUnreachable, "read ledger", pool_key(at), "it is its own ancestor",
                  "see reserve check");
    }
    names.push_back(at);
  }
  return names;
}

std::vector<std::string> Ledger::tree(const std::string& name) {
  std::vector<std::string> names{chain(name).back()};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& children = pool(names[i]).children;
    names.insert(names.end(), children.begin(), children.end());
  }
  return names;
}

std::vector<std::string> Ledger::hosts_of(const std::string& name) {
  for (const auto& each : chain(name)) {
    if (!pool(each).hosts.empty()) return pool(each).hosts;
  }
  return {};
}

// With a clock that runs backwards, what is over would be held again, and what begins now would have begun
// before. A small step is waited out: the transaction goes by the time of the last write. A large one is
// somebody's fault, and which of the two clocks is wrong cannot be told from here.
void Ledger::enter(const std::string& name) {
  Second last = 0;
  for (const auto& each : chain(name)) last = std::max(last, profile(each).written());
  if (clock_ >= last || accept_clock_) return;
  if (last - clock_ > kSmallStep) {
    throw Error(Status::kRefused, "read the clock", name,
                "it says " + when(clock_) + ", but the ledger was written at " + when(last) +
                    ": it ran backwards by " + format_duration(std::chrono::seconds{last - clock_}),
                "set the clock, or take it for true with --accept-clock");
  }
  now_ = std::max(now_, last);
}

std::vector<Span> Ledger::spans_of(const Period& period) {
  const Second from = period.from.value_or(now_);
  const auto refuse = [](const std::string& what, const std::string& why) -> Error {
    return {Status::kUsage, "read times", what, why};
  };
  if (from < now_) throw refuse(when(from), "it begins in the past");
  if (from >= kForever) throw refuse("its beginning", "it is too late to be kept");
  Second until = period.until.value_or(kForever);
  if (period.length) until = *period.length >= kForever - from ? kForever : from + *period.length;
  if (until <= from) {
    throw refuse(when(until), "it ends before it begins" + std::string(" (") + when(from) + ")");
  }
  until = std::min(until, kForever);
  if (period.every.empty()) return {{from, until}};
  constexpr Second kYear = Second{366} * 24 * 3600;
  auto spans = occurrences(parse_recurrence(period.every), {from, until == kForever ? from + kYear : until});
  if (spans.empty()) throw refuse(period.every, "there is no such time between its beginning and its end");
  return spans;
}

std::int64_t Ledger::peak(const std::string& name, const std::string& series,
                          const std::vector<Span>& spans) {
  auto most = std::numeric_limits<std::int64_t>::min();
  for (const auto& span : spans) most = std::max(most, profile(name).peak(series, span));
  return spans.empty() ? 0 : most;
}

void Ledger::adjust(const std::string& name, const Amounts& amounts, const std::vector<Span>& spans,
                    int sign) {
  for (const auto& each : chain(name)) {
    const bool tracks = pool(each).tracks_use;
    for (const auto& [resource, amount] : amounts) {
      for (const auto& span : spans) {
        if (each == name) profile(each).add(resource, span, sign * amount);
        if (tracks) profile(each).add(use_series(resource), span, sign * amount);
      }
    }
    // Every pool that the change concerns remembers when: the clock must not run backwards for it.
    if (each == name || tracks) profile(each).set_written(now_);
  }
}

// --- documents ---

std::optional<std::string> Ledger::place_of(const std::string& id) {
  const auto text = writes_.read(index_key(id));
  if (!text) return std::nullopt;
  const auto index = store::from_text<Index>(*text);
  if (!index) {
    throw Error(Status::kUnreachable, "read ledger", index_key(id), "it names no key", "see reserve check");
  }
  return index->key;
}

void Ledger::put(const Claim& claim, const std::string& old_key) {
  const std::string key = claim_key(claim);
  if (!old_key.empty() && old_key != key) writes_.erase(old_key);
  writes_.write(key, to_text(claim));
  if (old_key != key) writes_.write(index_key(claim.id), to_text(Index{key}));
}

void Ledger::put(const Loan& loan, const std::string& old_key) {
  const std::string key = loan_key(loan);
  if (!old_key.empty() && old_key != key) writes_.erase(old_key);
  writes_.write(key, to_text(loan));
  if (old_key != key) writes_.write(index_key(loan.id), to_text(Index{key}));
}

std::vector<Claim> Ledger::claims_ending_after(const std::string& name, Second time, std::size_t most) {
  std::vector<Claim> claims;
  writes_.scan(ending_after(claims_prefix(name), time), above(claims_prefix(name)),
               [&](const std::string& key, const std::string& text) {
                 claims.push_back(claim_from(key, text));
                 return claims.size() < most;
               });
  return claims;
}

std::vector<Loan> Ledger::loans_ending_after(const std::string& lender, Second time) {
  std::vector<Loan> loans;
  writes_.scan(ending_after(loans_prefix(lender), time), above(loans_prefix(lender)),
               [&](const std::string& key, const std::string& text) {
                 loans.push_back(loan_from(key, text));
                 return true;
               });
  return loans;
}

void Ledger::cut(Claim& claim, Second at, const std::string& why) {
  const std::string old_key = claim_key(claim);
  adjust(claim.pool, claim.amounts, after(claim.spans, at), -1);
  claim.spans = before(claim.spans, at);
  claim.ended = why;
  put(claim, old_key);
  for (const auto& id : claim.loans) {
    const auto place = place_of(id);
    const auto text = place ? writes_.read(*place) : std::nullopt;
    if (!text) continue;
    Loan loan = loan_from(*place, *text);
    if (!after(loan.spans, at).empty()) cut(loan, at, why);
  }
}

void Ledger::cut(Loan& loan, Second at, const std::string& why) {
  const std::string old_key = loan_key(loan);
  adjust_loan(loan, after(loan.spans, at), -1);
  loan.spans = before(loan.spans, at);
  loan.ended = why;
  put(loan, old_key);
}

void Ledger::save() {
  for (auto& [name, each] : profiles_) each.save();
  for (const auto& [name, gone] : dirty_) {
    const auto& each = pools_.at(name);
    if (each) {
      writes_.write(pool_key(name), to_text(*each));
    } else {
      writes_.erase(pool_key(name));
    }
  }
  dirty_.clear();
}

// --- claims ---

Answer<Granted> Ledger::claim(const ClaimRequest& request) {
  if (request.owner.empty()) throw Error(Status::kUsage, "read claim", request.pool, "it has no owner");
  if (request.amounts.empty())
    throw Error(Status::kUsage, "read claim", request.pool, "it has no amount",
                "cpu=4,memory=16GiB for example; in a record \"amount\":\"cpu=4,memory=16GiB\"");
  Terms terms{.request = "claim",
              .id = request.id,
              .pool = request.pool,
              .owner = request.owner,
              .amounts = bases(request.amounts),
              .priority = request.priority,
              .borrow = request.borrow,
              .headroom = request.headroom};
  if (!request.id.empty()) check_id(request.id);
  Pool* const from = lookup(request.pool);
  if (from == nullptr) {
    auto refusal = unknown_pool("claim", request.pool);
    refusal.id = request.id;
    refusal.owner = request.owner;
    return refusal;
  }
  enter(request.pool);
  if (!request.id.empty()) {
    if (const auto place = place_of(request.id)) {
      const auto text = writes_.read(*place);
      if (text && place->starts_with("reserve/c/")) {
        const Claim there = claim_from(*place, *text);
        if (there.pool == request.pool && there.owner == request.owner && there.amounts == terms.amounts &&
            there.every == request.period.every) {
          return Granted{there, "already", {}};
        }
      }
      return Refusal{.request = "claim",
                     .constraint = "duplicate",
                     .id = request.id,
                     .pool = request.pool,
                     .owner = request.owner,
                     .reason = "the id " + request.id + " belongs to something else that was granted"};
    }
  }
  if (auto refusal = check_resources(terms, *from, request.amounts)) return *refusal;
  for (const auto& [name, quantity] : request.limits) {
    const auto found = terms.amounts.find(name);
    if (found != terms.amounts.end() && quantity.base < found->second) {
      throw Error(Status::kUsage, "read limit", name, "it is lower than the amount that is claimed");
    }
  }
  if (!request.host.empty()) {
    const auto hosts = hosts_of(request.pool);
    if (!hosts.empty() && std::find(hosts.begin(), hosts.end(), request.host) == hosts.end()) {
      throw Error(Status::kUsage, "read host", request.host, "it is none of the hosts of " + request.pool);
    }
  }
  terms.spans = spans_of(request.period);
  std::vector<Loan> loans;
  if (auto refusal = admit(terms, loans)) return *refusal;

  Claim claim;
  claim.id = request.id.empty() ? random_id() : request.id;
  claim.pool = request.pool;
  claim.owner = request.owner;
  claim.priority = request.priority;
  claim.amounts = terms.amounts;
  claim.spans = terms.spans;
  claim.every = request.period.every;
  claim.tags = request.tags;
  claim.vm = request.vm;
  claim.host = request.host;
  claim.limits = bases(request.limits);
  claim.borrow = request.borrow;
  claim.lendable = request.lendable;
  claim.made = now_;
  claim.from = terms.spans.front().from;
  for (auto& loan : loans) {
    loan.claim = claim.id;
    claim.loans.push_back(loan.id);
    adjust_loan(loan, loan.spans, 1);
    put(loan);
  }
  adjust(claim.pool, claim.amounts, claim.spans, 1);
  put(claim);
  return Granted{claim, "granted", loans};
}

Answer<Granted> Ledger::extend(const std::string& id, const Period& period) {
  const auto place = place_of(id);
  const auto text = place && place->starts_with("reserve/c/") ? writes_.read(*place) : std::nullopt;
  if (!text) {
    return Refusal{
        .request = "extend", .constraint = "unknown_id", .id = id, .reason = "there is no reservation " + id};
  }
  Claim claim = claim_from(*place, *text);
  // A pool is removed only when nothing is held in it any more.
  const bool pool_is_there = lookup(claim.pool) != nullptr;
  if (pool_is_there) enter(claim.pool);
  const Second end = claim.until();
  if (end <= now_ || !pool_is_there) {
    return Refusal{.request = "extend",
                   .constraint = "ended",
                   .id = id,
                   .pool = claim.pool,
                   .owner = claim.owner,
                   .reason = id + " has ended at " + when(end)};
  }
  Second until = period.until.value_or(kForever);
  if (period.length) until = *period.length >= kForever - end ? kForever : end + *period.length;
  if (period.until && *period.until < end) {
    throw Error(Status::kUsage, "extend", id, "it lasts longer already",
                "reserve release " + id + " ends it");
  }
  if (until == end) return Granted{claim, "already", {}};
  Terms terms{.request = "extend",
              .id = id,
              .pool = claim.pool,
              .owner = claim.owner,
              .amounts = claim.amounts,
              .priority = claim.priority,
              .borrow = claim.borrow};
  if (claim.every.empty()) {
    terms.spans = {{end, until}};
  } else {
    if (until == kForever) {
      throw Error(Status::kUsage, "extend", id, "one that recurs needs an end", "give --until or --for");
    }
    terms.spans = occurrences(parse_recurrence(claim.every), {end, until});
    if (terms.spans.empty()) return Granted{claim, "already", {}};
    if (claim.spans.size() + terms.spans.size() > kMostOccurrences) {
      throw Error(Status::kUsage, "extend", id,
                  "it would recur more than " + std::to_string(kMostOccurrences) + " times");
    }
  }
  std::vector<Loan> loans;
  if (auto refusal = admit(terms, loans)) return *refusal;
  for (auto& loan : loans) {
    loan.claim = claim.id;
    claim.loans.push_back(loan.id);
    adjust_loan(loan, loan.spans, 1);
    put(loan);
  }
  adjust(claim.pool, claim.amounts, terms.spans, 1);
  for (const auto& span : terms.spans) {
    if (claim.spans.back().until == span.from) {
      claim.spans.back().until = span.until;
    } else {
      claim.spans.push_back(span);
    }
  }
  claim.ended.clear();  // one that was cut short, and has room again
  put(claim, *place);
  return Granted{claim, "extended", loans};
}

Answer<Ended> Ledger::release(const std::string& id) {
  const auto place = place_of(id);
  const auto text = place ? writes_.read(*place) : std::nullopt;
  if (!text) {
    return Refusal{.request = "release",
                   .constraint = "unknown_id",
                   .id = id,
                   .reason = "there is no reservation or loan " + id};
  }
  if (place->starts_with("reserve/c/")) {
    Claim claim = claim_from(*place, *text);
    if (lookup(claim.pool) == nullptr) return Ended{claim, std::nullopt, "already"};
    enter(claim.pool);
    if (claim.until() <= now_) return Ended{claim, std::nullopt, "already"};
    cut(claim, now_, "released");
    return Ended{claim, std::nullopt, "released"};
  }
  Loan loan = loan_from(*place, *text);
  if (lookup(loan.borrower) == nullptr || lookup(loan.lender) == nullptr) {
    return Ended{std::nullopt, loan, "already"};
  }
  enter(loan.borrower);
  if (loan.until() <= now_) return Ended{std::nullopt, loan, "already"};
  if (!loan.claim.empty()) {
    return Refusal{.request = "release",
                   .constraint = "in_use",
                   .id = id,
                   .pool = loan.borrower,
                   .reason = "it was borrowed for the reservation " + loan.claim +
                             ", and ends with it; reserve reclaim " + loan.lender + " takes it back"};
  }
  const Terms terms{.request = "release",
                    .id = id,
                    .pool = loan.borrower,
                    .owner = loan.owner,
                    .amounts = loan.amounts,
                    .spans = after(loan.spans, now_)};
  for (const auto& [name, amount] : loan.amounts) {
    const Resource& resource = pool(loan.borrower).resources.at(name);
    const auto room = resource.own() - peak(loan.borrower, name, terms.spans);
    if (room < amount) {  // @rule 18-in-use
      return shortage(terms, "in_use", loan.borrower, name, name, room, amount - room,
                      "what was borrowed is granted");
    }
  }
  cut(loan, now_, "released");
  return Ended{std::nullopt, loan, "released"};
}

}  // namespace rackline::reserve
