// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/id.h"
#include "reserve/ledger.h"
#include "reserve/ledger_terms.h"

namespace rackline::reserve {
namespace {

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Those of `chain` through which a loan with that other end leaves: the pool itself, and what of the pools
// above it does not have the other end in it.
std::vector<std::string> crossed(const std::vector<std::string>& chain,
                                 const std::vector<std::string>& other) {
  std::vector<std::string> names;
  for (const auto& name : chain) {
    if (name == chain.front() || !contains(other, name)) names.push_back(name);
  }
  return names;
}

}  // namespace

void Ledger::adjust_loan(const Loan& loan, const std::vector<Span>& spans, int sign) {
  if (spans.empty()) return;
  adjust(loan.lender, loan.amounts, spans, sign);
  adjust(loan.borrower, loan.amounts, spans, -sign);
  const auto from = chain(loan.lender);
  const auto to = chain(loan.borrower);
  const auto count = [&](const std::string& name, std::string (*series)(const std::string&)) {
    for (const auto& [resource, amount] : loan.amounts) {
      for (const auto& span : spans) profile(name).add(series(resource), span, sign * amount);
    }
  };
  for (const auto& name : crossed(from, to)) count(name, out_series);
  for (const auto& name : crossed(to, from)) count(name, in_series);
}

Ledger::Lending Ledger::lending(const std::string& lender, const std::string& borrower,
                                const std::string& resource, const std::vector<Span>& spans) {
  const auto& resources = pool(lender).resources;
  const auto found = resources.find(resource);
  if (found == resources.end()) return {0, "unknown_resource"};
  if (found->second.unit != pool(borrower).resources.at(resource).unit) return {0, "unknown_resource"};
  if (peak(lender, in_series(resource), spans) > 0) return {0, "borrowed"};
  Lending answer{found->second.own() - peak(lender, resource, spans), "capacity"};
  for (const auto& name : crossed(chain(lender), chain(borrower))) {
    const auto& about = pool(name).resources.at(resource);
    const auto room = about.size() - about.never_lent - peak(name, out_series(resource), spans);
    if (room < answer.room) answer = {room, "never_lent"};
  }
  answer.room = std::max<std::int64_t>(answer.room, 0);
  return answer;
}

// From the pools above first: what they have not given away is nobody's. Only who asked to borrow gets what
// others are guaranteed and do not use: from whoever has most of it.
std::optional<Refusal> Ledger::find_lenders(const Terms& terms, const std::string& resource,
                                            std::int64_t need, std::map<std::string, Amounts>& from) {
  const auto above_mine = chain(terms.pool);
  const Unit unit = pool(terms.pool).resources.at(resource).unit;
  const auto refuse = [&](const std::string& constraint, const std::string& where, const std::string& why) {
    return shortage(terms, constraint, where, resource, resource, terms.amounts.at(resource) - need, need,
                    why);
  };
  if (const auto lent = peak(terms.pool, out_series(resource), terms.spans); lent > 0) {
    return refuse("lent", terms.pool,
                  "it has lent " + readable(lent, unit) + " itself; reserve reclaim " + terms.pool +
                      " brings them back");
  }
  std::vector<std::string> lenders;
  if (!terms.lender.empty()) {
    lenders = {terms.lender};
  } else {
    lenders.assign(above_mine.begin() + 1, above_mine.end());
    if (terms.borrow || terms.all_borrowed) {
      std::vector<std::pair<std::int64_t, std::string>> others;
      for (const auto& name : tree(terms.pool)) {
        if (contains(above_mine, name)) continue;
        const auto room = lending(name, terms.pool, resource, terms.spans).room;
        if (room > 0) others.emplace_back(-room, name);
      }
      std::sort(others.begin(), others.end());
      for (const auto& [room, name] : others) lenders.push_back(name);
    }
  }
  // How much may still come into a pool is used up by each loan of this request that enters it.
  std::map<std::string, std::int64_t> entered;
  std::string constraint = "capacity";  // of the last that could not lend all that was still needed
  bool kept_back = false;
  for (const auto& lender : lenders) {
    if (need == 0) break;
    auto offer = lending(lender, terms.pool, resource, terms.spans);
    kept_back = kept_back || offer.constraint == "never_lent";
    if (offer.room == 0) {
      constraint = offer.constraint;
      continue;
    }
    const auto entering = crossed(above_mine, chain(lender));
    for (const auto& name : entering) {
      const auto found = pool(name).resources.find(resource);
      if (found == pool(name).resources.end()) continue;
      const auto in = peak(name, in_series(resource), terms.spans) + entered[name];
      const auto& about = found->second;
      if (about.limit) {
        const auto room = std::max<std::int64_t>(*about.limit - about.size() - in, 0);
        if (room < std::min(offer.room, need)) offer = {room, "limit"};
      }
      if (about.borrow_limit) {
        const auto room = std::max<std::int64_t>(*about.borrow_limit - in, 0);
        if (room < std::min(offer.room, need)) offer = {room, "borrow_limit"};
      }
    }
    const auto taken = std::min(offer.room, need);
    if (taken > 0) {
      from[lender][resource] += taken;
      for (const auto& name : entering) entered[name] += taken;
      need -= taken;
    }
    if (need > 0) constraint = offer.constraint;
  }
  if (need == 0) return std::nullopt;
  if (constraint == "capacity" && kept_back) constraint = "never_lent";
  if (constraint == "unknown_resource") constraint = "capacity";
  std::string why = "nobody who may lend has it idle";
  if (constraint == "limit" || constraint == "borrow_limit") why = "it may have no more (" + constraint + ")";
  if (constraint == "never_lent") why = "the rest of what is idle is never lent";
  if (constraint == "borrowed") why = "who borrows lends nothing";
  const bool at_lender = !terms.lender.empty() && constraint != "limit" && constraint != "borrow_limit" &&
                         pool(terms.lender).resources.contains(resource);
  return refuse(constraint, at_lender ? terms.lender : terms.pool, why);
}

Answer<Lent> Ledger::borrow(const LoanRequest& request) {
  if (request.amounts.empty()) throw Error(Status::kUsage, "borrow", request.borrower, "it has no amount");
  if (!request.id.empty()) check_id(request.id);
  Terms terms{.request = "borrow",
              .id = request.id,
              .pool = request.borrower,
              .owner = request.owner,
              .amounts = bases(request.amounts),
              .priority = request.priority,
              .borrow = true,
              .all_borrowed = true,
              .lender = request.lender};
  const auto unknown = [&](const std::string& name) {
    auto refusal = unknown_pool("borrow", name);
    refusal.id = request.id;
    refusal.owner = request.owner;
    return refusal;
  };
  if (lookup(request.borrower) == nullptr) return unknown(request.borrower);
  if (!request.lender.empty() && lookup(request.lender) == nullptr) return unknown(request.lender);
  enter(request.borrower);
  if (!request.id.empty()) {
    if (const auto place = place_of(request.id)) {
      const auto text = writes_.read(*place);
      if (text && place->starts_with("reserve/l/")) {
        const Loan there = loan_from(*place, *text);
        if (there.borrower == request.borrower && there.amounts == terms.amounts &&
            (request.lender.empty() || request.lender == there.lender)) {
          return Lent{{there}, "already"};
        }
      }
      return Refusal{.request = "borrow",
                     .constraint = "duplicate",
                     .id = request.id,
                     .pool = request.borrower,
                     .owner = request.owner,
                     .reason = "the id " + request.id + " belongs to something else that was granted"};
    }
  }
  if (auto refusal = check_resources(terms, pool(request.borrower), request.amounts)) return *refusal;
  if (!request.lender.empty()) {
    if (auto refusal = check_resources(terms, pool(request.lender), request.amounts)) return *refusal;
    if (request.lender == request.borrower) {
      throw Error(Status::kUsage, "borrow", request.borrower, "nobody borrows from himself");
    }
    if (!contains(tree(request.borrower), request.lender)) {
      return Refusal{.request = "borrow",
                     .constraint = "other_tree",
                     .id = request.id,
                     .pool = request.lender,
                     .owner = request.owner,
                     .reason = request.lender + " and " + request.borrower +
                               " are not parts of one pool: nothing can be moved between them"};
    }
  }
  terms.spans = spans_of(request.period);
  std::vector<Loan> loans;
  if (auto refusal = admit(terms, loans)) return *refusal;
  if (!request.id.empty()) {
    // One id for several loans: the first has it, so that the repeated request is recognised.
    loans.front().id = request.id;
  }
  for (auto& loan : loans) {
    adjust_loan(loan, loan.spans, 1);
    put(loan);
  }
  return Lent{loans, "granted"};
}

Answer<Reclaimed> Ledger::reclaim(const ReclaimRequest& request) {
  for (const auto& name : {request.lender, request.borrower}) {
    if (!name.empty() && lookup(name) == nullptr) return unknown_pool("reclaim", name);
  }
  enter(request.lender);
  if (auto refusal = check_resources({.request = "reclaim"}, pool(request.lender), request.amounts)) {
    return *refusal;
  }
  Reclaimed answer;
  answer.at = std::min(now_ + request.grace, kForever - 1);
  auto loans = loans_ending_after(request.lender, answer.at);
  std::erase_if(loans, [&](const Loan& loan) {
    return !request.borrower.empty() && loan.borrower != request.borrower;
  });
  // The lowest priority first, and of equals the youngest.
  const auto order = [](const auto& a, const auto& b) {
    return std::tuple(a.priority, -a.made, a.id) < std::tuple(b.priority, -b.made, b.id);
  };
  std::sort(loans.begin(), loans.end(), order);
  Amounts wanted = bases(request.amounts);
  std::vector<std::string> borrowers;
  std::set<std::string> made_for;
  for (auto& loan : loans) {
    if (!request.amounts.empty()) {
      const bool helps = std::any_of(wanted.begin(), wanted.end(), [&](const auto& want) {
        return want.second > 0 && loan.amounts.contains(want.first);
      });
      if (!helps) continue;
      for (auto& [resource, amount] : wanted) {
        if (loan.amounts.contains(resource)) amount -= loan.amounts.at(resource);
      }
    }
    answer.hits.push_back({.is_loan = true,
                           .id = loan.id,
                           .lender = loan.lender,
                           .pool = loan.borrower,
                           .owner = loan.owner,
                           .priority = loan.priority,
                           .amounts = loan.amounts,
                           .until_before = loan.until(),
                           .until = answer.at});
    cut(loan, answer.at, "reclaimed");
    if (!loan.claim.empty()) made_for.insert(loan.claim);
    if (!contains(borrowers, loan.borrower)) borrowers.push_back(loan.borrower);
  }
  // Whom it hits: claims of a borrower for which there is no room without the loan. First those that the loan
  // was made for, whatever their priority: the others are within what the borrower is guaranteed.
  for (const auto& borrower : borrowers) {
    auto claims = claims_ending_after(borrower, answer.at, kAll);
    std::sort(claims.begin(), claims.end(), order);
    std::stable_partition(claims.begin(), claims.end(),
                          [&](const Claim& claim) { return made_for.contains(claim.id); });
    for (auto& claim : claims) {
      const auto rest = after(claim.spans, answer.at);
      const bool too_much = std::any_of(claim.amounts.begin(), claim.amounts.end(), [&](const auto& amount) {
        return peak(borrower, amount.first, rest) > pool(borrower).resources.at(amount.first).own();
      });
      if (!too_much) continue;
      answer.hits.push_back({.is_loan = false,
                             .id = claim.id,
                             .lender = request.lender,
                             .pool = borrower,
                             .owner = claim.owner,
                             .priority = claim.priority,
                             .amounts = claim.amounts,
                             .until_before = claim.until(),
                             .until = answer.at});
      cut(claim, answer.at, "reclaimed");
    }
  }
  return answer;
}

}  // namespace rackline::reserve
