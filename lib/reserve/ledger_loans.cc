// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.h"
#include "reserve/ledger.h"
#include "reserve/ledger_terms.h"

namespace rackline::reserve {
namespace {

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

// Who did not ask to borrow gets it only through pools whose claims may take what those above them have.
std::vector<std::string> Ledger::lenders_above(const Terms& terms, const std::string& resource) {
  const auto above = chain(terms.pool);
  std::vector<std::string> lenders;
  for (std::size_t i = 1; i < above.size(); ++i) {
    lenders.push_back(above[i]);
    const auto& about = pool(above[i]).resources;
    const bool fixed = about.contains(resource) && !about.at(resource).expandable;
    if (fixed && !terms.borrow) break;  // @rule 18-fixed
  }
  return lenders;
}

// The one that is named; else the pools above, and for who asked to borrow then whoever has most idle.
std::vector<std::string> Ledger::lenders_for(const Terms& terms, const std::string& resource) {
  if (!terms.lender.empty()) return {terms.lender};
  auto lenders = lenders_above(terms, resource);
  if (!terms.borrow && !terms.all_borrowed) return lenders;
  const auto above_mine = chain(terms.pool);
  std::vector<std::pair<std::int64_t, std::string>> others;
  for (const auto& name : tree(terms.pool)) {
    if (contains(above_mine, name)) continue;
    const auto room = lending(name, terms.pool, resource, terms.spans).room;
    if (room > 0) others.emplace_back(-room, name);
  }
  std::sort(others.begin(), others.end());
  for (const auto& [room, name] : others) lenders.push_back(name);
  return lenders;
}

// What comes into a pool is bounded by its limits; `entered` has come already.
void Ledger::limit_entry(const std::string& into, const std::string& resource, const std::vector<Span>& spans,
                         std::int64_t entered, std::int64_t need, Lending& offer) {
  const auto found = pool(into).resources.find(resource);
  if (found == pool(into).resources.end()) return;
  const auto in = peak(into, in_series(resource), spans) + entered;
  const auto& about = found->second;
  const auto at_most = [&](std::int64_t room, const char* constraint) {
    room = std::max<std::int64_t>(room, 0);
    if (room < std::min(offer.room, need)) offer = {room, constraint};
  };
  if (about.limit) at_most(*about.limit - about.size() - in, "limit");
  if (about.borrow_limit) at_most(*about.borrow_limit - in, "borrow_limit");
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
  // How much may still come into a pool is used up by each loan of this request that enters it.
  std::map<std::string, std::int64_t> entered;
  std::string constraint = "capacity";  // of the last that could not lend all that was still needed
  bool kept_back = false;
  for (const auto& lender : lenders_for(terms, resource)) {
    if (need == 0) break;
    auto offer = lending(lender, terms.pool, resource, terms.spans);
    kept_back = kept_back || offer.constraint == "never_lent";
    if (offer.room == 0) {
      constraint = offer.constraint;
      continue;
    }
    const auto entering = crossed(above_mine, chain(lender));
    for (const auto& name : entering) limit_entry(name, resource, terms.spans, entered[name], need, offer);
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

std::optional<Answer<Lent>> Ledger::repeated(const LoanRequest& request) {
  const auto place = request.id.empty() ? std::nullopt : place_of(request.id);
  if (!place) return std::nullopt;
  const auto text = writes_.read(*place);
  const auto taken = [&] { return taken_id("borrow", request.id, request.borrower, request.owner); };
  if (!text || !place->starts_with("reserve/l/")) return taken();
  Lent lent{{loan_from(*place, *text)}, "already"};
  const Loan there = lent.loans.front();
  Amounts amounts = there.amounts;
  for (const auto& id : there.others) {
    const auto other_place = place_of(id);
    const auto other = other_place ? writes_.read(*other_place) : std::nullopt;
    if (!other) return taken();
    lent.loans.push_back(loan_from(*other_place, *other));
    for (const auto& [resource, amount] : lent.loans.back().amounts) amounts[resource] += amount;
  }
  const bool same = there.borrower == request.borrower && there.owner == request.owner &&
                    amounts == bases(request.amounts) && there.priority == request.priority &&
                    there.asked == request.period.asked &&
                    (request.lender.empty() || request.lender == there.lender);
  if (!same) return taken();
  if (there.until() <= now_) {
    return over_id("borrow", request.id, request.borrower, request.owner, there.until());
  }
  return lent;
}

std::optional<Refusal> Ledger::check_lender(const Terms& terms, const LoanRequest& request) {
  if (auto refusal = check_resources(terms, pool(request.borrower), request.amounts)) return refusal;
  if (request.lender.empty()) return std::nullopt;
  if (auto refusal = check_resources(terms, pool(request.lender), request.amounts)) return refusal;
  if (request.lender == request.borrower) {
    throw Error(Status::kUsage, "borrow", request.borrower, "nobody borrows from himself");
  }
  if (contains(tree(request.borrower), request.lender)) return std::nullopt;
  return Refusal{.request = "borrow",
                 .constraint = "other_tree",
                 .id = request.id,
                 .pool = request.lender,
                 .owner = request.owner,
                 .reason = request.lender + " and " + request.borrower +
                           " are not parts of one pool: nothing can be moved between them"};
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
  for (const auto& name : {request.borrower, request.lender}) {
    if ((name.empty() && name != request.borrower) || lookup(name) != nullptr) continue;
    auto refusal = unknown_pool("borrow", name);
    refusal.id = request.id;
    refusal.owner = request.owner;
    return refusal;
  }
  enter(request.borrower);
  if (auto known = repeated(request)) return *known;
  if (auto refusal = check_lender(terms, request)) return *refusal;
  Lent lent{.outcome = "granted", .notes = request.period.notes};
  terms.spans = spans_of(request.period, lent.notes);
  if (auto refusal = admit(terms, lent.loans)) return *refusal;
  // One id for several loans: the first has it and knows the others, so that the repeated request is
  // recognised.
  Loan& first = lent.loans.front();
  if (!request.id.empty()) first.id = request.id;
  for (std::size_t i = 1; i < lent.loans.size(); ++i) first.others.push_back(lent.loans[i].id);
  first.asked = request.period.asked;
  for (auto& loan : lent.loans) {
    adjust_loan(loan, loan.spans, 1);
    put(loan);
  }
  return lent;
}

}  // namespace rackline::reserve
