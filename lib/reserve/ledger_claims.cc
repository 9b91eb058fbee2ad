// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "base/id.h"
#include "base/local_time.h"
#include "reserve/ledger.h"
#include "reserve/ledger_terms.h"

namespace rackline::reserve {
namespace {

// What was asked for, before it is known whether and when it can be had.
Claim claim_of(const ClaimRequest& request) {
  if (request.owner.empty()) throw Error(Status::kUsage, "read claim", request.pool, "it has no owner");
  if (request.amounts.empty())
    throw Error(Status::kUsage, "read claim", request.pool, "it has no amount",
                "cpu=4,memory=16GiB for example; in a record \"amount\":\"cpu=4,memory=16GiB\"");
  if (!request.id.empty()) check_id(request.id);
  for (const auto& [name, quantity] : request.limits) {
    const auto found = request.amounts.find(name);
    if (found != request.amounts.end() && quantity.base < found->second.base) {
      throw Error(Status::kUsage, "read limit", name, "it is lower than the amount that is claimed");
    }
  }
  Claim claim;
  claim.id = request.id;
  claim.pool = request.pool;
  claim.owner = request.owner;
  claim.priority = request.priority;
  claim.amounts = bases(request.amounts);
  claim.every = request.period.every;
  if (!claim.every.empty()) claim.zone = local_zone();
  claim.tags = request.tags;
  claim.vm = request.vm;
  claim.host = request.host;
  claim.limits = bases(request.limits);
  claim.borrow = request.borrow;
  claim.lendable = request.lendable;
  claim.asked = request.period.asked;
  return claim;
}

// All that a request says of a claim.
bool same_request(const Claim& a, const Claim& b) {
  const auto said = [](const Claim& claim) {
    return std::tie(claim.pool, claim.owner, claim.priority, claim.amounts, claim.every, claim.zone,
                    claim.tags, claim.vm, claim.host, claim.limits, claim.borrow, claim.lendable,
                    claim.asked);
  };
  return said(a) == said(b);
}

}  // namespace

std::optional<Answer<Granted>> Ledger::repeated(const Claim& wanted) {
  const auto place = wanted.id.empty() ? std::nullopt : place_of(wanted.id);
  if (!place) return std::nullopt;
  const auto text = writes_.read(*place);
  const bool is_claim = text && place->starts_with("reserve/c/");
  const Claim there = is_claim ? claim_from(*place, *text) : Claim{};
  if (!is_claim || !same_request(there, wanted)) {  // @rule 18-same-id
    return taken_id("claim", wanted.id, wanted.pool, wanted.owner);
  }
  if (there.until() <= now_) return over_id("claim", wanted.id, wanted.pool, wanted.owner, there.until());
  return Granted{there, "already"};
}

void Ledger::check_host(const ClaimRequest& request) {
  if (request.host.empty()) return;
  const auto hosts = hosts_of(request.pool);
  if (!hosts.empty() && std::find(hosts.begin(), hosts.end(), request.host) == hosts.end()) {
    throw Error(Status::kUsage, "read host", request.host, "it is none of the hosts of " + request.pool);
  }
}

void Ledger::hold(Claim& claim, std::vector<Loan>& loans, const std::vector<Span>& spans) {
  for (auto& loan : loans) {
    loan.claim = claim.id;
    claim.loans.push_back(loan.id);
    adjust_loan(loan, loan.spans, 1);
    put(loan);
  }
  adjust(claim.pool, claim.amounts, spans, 1);
}

Answer<Granted> Ledger::claim(const ClaimRequest& request) {
  Claim claim = claim_of(request);
  Pool* const from = lookup(request.pool);
  if (from == nullptr) {
    auto refusal = unknown_pool("claim", request.pool);
    refusal.id = request.id;
    refusal.owner = request.owner;
    return refusal;
  }
  enter(request.pool);
  if (auto known = repeated(claim)) return *known;
  Terms terms{.request = "claim",
              .id = request.id,
              .pool = request.pool,
              .owner = request.owner,
              .amounts = claim.amounts,
              .priority = request.priority,
              .borrow = request.borrow,
              .headroom = request.headroom};
  if (auto refusal = check_resources(terms, *from, request.amounts)) return *refusal;
  check_host(request);
  Granted granted{.outcome = "granted", .notes = request.period.notes};
  terms.spans = spans_of(request.period, granted.notes);
  auto refusal = admit(terms, granted.loans);
  if (refusal && request.preempt) refusal = make_room(terms, granted);
  if (refusal) return *refusal;
  if (claim.id.empty()) claim.id = random_id();
  claim.spans = terms.spans;
  claim.made = now_;
  claim.from = terms.spans.front().from;
  hold(claim, granted.loans, claim.spans);
  put(claim);
  granted.claim = claim;
  return granted;
}

std::variant<Claim, Refusal> Ledger::current(const std::string& verb, const std::string& id) {
  const auto place = place_of(id);
  const auto text = place && place->starts_with("reserve/c/") ? writes_.read(*place) : std::nullopt;
  if (!text) {
    return Refusal{
        .request = verb, .constraint = "unknown_id", .id = id, .reason = "there is no reservation " + id};
  }
  const Claim claim = claim_from(*place, *text);
  // A pool is removed only when nothing is held in it any more.
  const bool pool_is_there = lookup(claim.pool) != nullptr;
  if (pool_is_there) enter(claim.pool);
  if (claim.until() <= now_ || !pool_is_there) {
    return Refusal{.request = verb,
                   .constraint = "ended",
                   .id = id,
                   .pool = claim.pool,
                   .owner = claim.owner,
                   .reason = id + " has ended at " + when(claim.until())};
  }
  return claim;
}

std::vector<Span> Ledger::spans_until(const Claim& claim, Second until, std::vector<std::string>& notes) {
  const Second end = claim.until();
  if (claim.every.empty()) return {{end, until}};
  if (until == kForever) {
    throw Error(Status::kUsage, "extend", claim.id, "one that recurs needs an end", "give --until or --for");
  }
  Recurrence rule = parse_recurrence(claim.every);
  rule.zone = claim.zone;
  auto spans = occurrences(rule, {end, until}, &notes);
  if (claim.spans.size() + spans.size() > kMostOccurrences) {
    throw Error(Status::kUsage, "extend", claim.id,
                "it would recur more than " + std::to_string(kMostOccurrences) + " times");
  }
  return spans;
}

Answer<Granted> Ledger::extend(const std::string& id, const Period& period) {
  auto found = current("extend", id);
  if (const auto* refusal = std::get_if<Refusal>(&found)) return *refusal;
  Claim& claim = std::get<Claim>(found);
  const std::string old_key = claim_key(claim);
  const Second end = claim.until();
  Second until = period.until.value_or(kForever);
  if (period.length) until = *period.length >= kForever - end ? kForever : end + *period.length;
  if (period.until && *period.until < end) {
    throw Error(Status::kUsage, "extend", id, "it lasts longer already",
                "reserve release " + id + " ends it");
  }
  if (until == end) return Granted{claim, "already"};
  Granted granted{.outcome = "extended", .notes = period.notes};
  Terms terms{.request = "extend",
              .id = id,
              .pool = claim.pool,
              .owner = claim.owner,
              .amounts = claim.amounts,
              .priority = claim.priority,
              .borrow = claim.borrow,
              .taken_back = claim.ended == "reclaimed"};
  terms.spans = spans_until(claim, until, granted.notes);
  if (terms.spans.empty()) return Granted{.claim = claim, .outcome = "already", .notes = granted.notes};
  if (auto refusal = admit(terms, granted.loans)) return *refusal;
  hold(claim, granted.loans, terms.spans);
  for (const auto& span : terms.spans) {
    if (claim.spans.back().until == span.from) {
      claim.spans.back().until = span.until;
    } else {
      claim.spans.push_back(span);
    }
  }
  claim.ended.clear();  // one that was cut short, and has room again
  put(claim, old_key);
  granted.claim = claim;
  return granted;
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
