// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "base/id.h"
#include "reserve/ledger.h"
#include "reserve/ledger_terms.h"

namespace rackline::reserve {
namespace {

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

// The lowest priority first, and of equals the youngest.
constexpr auto kFirstToGo = [](const auto& a, const auto& b) {
  return std::tuple(a.priority, -a.made, a.id) < std::tuple(b.priority, -b.made, b.id);
};

bool holds_any(const Amounts& amounts, const Amounts& wanted) {
  return std::any_of(wanted.begin(), wanted.end(),
                     [&](const auto& want) { return want.second > 0 && amounts.contains(want.first); });
}

// What of each loan its borrower keeps when no more is taken than is wanted: of those taken last first.
std::vector<Amounts> parts_kept(const std::vector<Loan>& loans, const Amounts& wanted) {
  Amounts spare;
  for (const auto& loan : loans) {
    for (const auto& [resource, amount] : loan.amounts) spare[resource] += amount;
  }
  for (const auto& [resource, amount] : wanted) spare[resource] -= amount;
  std::vector<Amounts> kept(loans.size());
  for (auto i = loans.size(); i-- > 0;) {
    for (const auto& [resource, amount] : loans[i].amounts) {
      const auto part = std::min(amount, spare[resource]);
      if (part <= 0) continue;
      kept[i][resource] = part;
      spare[resource] -= part;
    }
  }
  return kept;
}

Amounts without(Amounts amounts, const Amounts& kept) {
  for (const auto& [resource, amount] : kept) {
    amounts[resource] -= amount;
    if (amounts[resource] == 0) amounts.erase(resource);
  }
  return amounts;
}

Hit hit_of(const Claim& claim, const std::string& lender, Second at) {
  return {.is_loan = false,
          .id = claim.id,
          .lender = lender,
          .pool = claim.pool,
          .owner = claim.owner,
          .priority = claim.priority,
          .amounts = claim.amounts,
          .until_before = claim.until(),
          .until = at};
}

}  // namespace

void Ledger::weigh(const Claim& claim, Second at, int sign) {
  adjust(claim.pool, claim.amounts, after(claim.spans, at), sign);
  for (const auto& id : claim.loans) {
    const auto place = place_of(id);
    const auto text = place ? writes_.read(*place) : std::nullopt;
    if (!text) continue;
    const Loan loan = loan_from(*place, *text);
    adjust_loan(loan, after(loan.spans, at), sign);
  }
}

std::vector<Claim> Ledger::least(const std::vector<Claim>& claims, Second at,
                                 const std::function<bool(const Claim&)>& helps,
                                 const std::function<bool()>& fits) {
  std::vector<const Claim*> taken;
  for (const auto& claim : claims) {
    if (fits()) break;
    if (!helps(claim)) continue;
    weigh(claim, at, -1);
    taken.push_back(&claim);
  }
  const bool enough = fits();
  std::vector<Claim> needed;
  for (auto each = taken.rbegin(); each != taken.rend(); ++each) {
    weigh(**each, at, 1);
    if (enough && fits()) continue;
    weigh(**each, at, -1);
    needed.push_back(**each);
  }
  std::reverse(needed.begin(), needed.end());
  for (const auto& claim : needed) weigh(claim, at, 1);
  return needed;
}

// Not given how much: all. Otherwise loans until it is enough, and then those taken last stay as long as it
// still is.
std::vector<Loan> Ledger::loans_to_take(const ReclaimRequest& request, Second at) {
  auto loans = loans_ending_after(request.lender, at);
  std::erase_if(loans, [&](const Loan& loan) {
    return !request.borrower.empty() && loan.borrower != request.borrower;
  });
  std::sort(loans.begin(), loans.end(), kFirstToGo);
  if (request.amounts.empty()) return loans;
  Amounts wanted = bases(request.amounts);
  const auto count = [&](const Loan& loan, int sign) {
    for (auto& [resource, amount] : wanted) {
      if (loan.amounts.contains(resource)) amount -= sign * loan.amounts.at(resource);
    }
  };
  std::vector<Loan> taken;
  for (auto& loan : loans) {
    if (!holds_any(loan.amounts, wanted)) continue;
    count(loan, 1);
    taken.push_back(std::move(loan));
  }
  const Amounts lacking = wanted;  // of what is more than all of them
  for (auto i = taken.size(); i-- > 0;) {
    count(taken[i], -1);
    const bool needed = std::any_of(wanted.begin(), wanted.end(), [&](const auto& want) {
      return want.second > std::max<std::int64_t>(lacking.at(want.first), 0);
    });
    if (!needed) {
      taken.erase(taken.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      count(taken[i], 1);
    }
  }
  return taken;
}

void Ledger::keep_part(const Loan& loan, const Amounts& amounts, const std::vector<Span>& spans) {
  Loan part = loan;
  part.id = random_id();
  part.amounts = amounts;
  part.spans = spans;
  part.from = spans.front().from;
  part.ended.clear();
  part.asked = {};
  part.others.clear();
  adjust_loan(part, spans, 1);
  put(part);
  const auto place = loan.claim.empty() ? std::nullopt : place_of(loan.claim);
  const auto text = place ? writes_.read(*place) : std::nullopt;
  if (!text) return;
  Claim claim = claim_from(*place, *text);
  claim.loans.push_back(part.id);
  put(claim, *place);
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
  std::set<std::string> borrowers, made_for;
  auto loans = loans_to_take(request, answer.at);
  const auto kept =
      request.part ? parts_kept(loans, bases(request.amounts)) : std::vector<Amounts>(loans.size());
  for (std::size_t i = 0; i < loans.size(); ++i) {
    Loan& loan = loans[i];
    answer.hits.push_back({.is_loan = true,
                           .id = loan.id,
                           .lender = loan.lender,
                           .pool = loan.borrower,
                           .owner = loan.owner,
                           .priority = loan.priority,
                           .amounts = without(loan.amounts, kept[i]),
                           .until_before = loan.until(),
                           .until = answer.at});
    const auto rest = after(loan.spans, answer.at);
    cut(loan, answer.at, "reclaimed");
    if (!kept[i].empty()) keep_part(loan, kept[i], rest);
    if (!loan.claim.empty()) made_for.insert(loan.claim);
    borrowers.insert(loan.borrower);
  }
  for (const auto& borrower : borrowers) end_what_lacks_room(borrower, made_for, request.lender, answer);
  return answer;
}

// Whom it hits: claims of a borrower for which there is no room without the loan. First those that the loan
// was made for, whatever their priority: the others are within what the borrower is guaranteed.
void Ledger::end_what_lacks_room(const std::string& borrower, const std::set<std::string>& made_for,
                                 const std::string& lender, Reclaimed& answer) {
  const auto too_much = [&](const std::string& resource, const std::vector<Span>& spans) {
    return peak(borrower, resource, spans) > pool(borrower).resources.at(resource).own();
  };
  auto claims = claims_ending_after(borrower, answer.at, kAll);
  std::sort(claims.begin(), claims.end(), kFirstToGo);
  std::stable_partition(claims.begin(), claims.end(),
                        [&](const Claim& claim) { return made_for.contains(claim.id); });
  const auto helps = [&](const Claim& claim) {
    const auto rest = after(claim.spans, answer.at);
    return std::any_of(claim.amounts.begin(), claim.amounts.end(),
                       [&](const auto& amount) { return too_much(amount.first, rest); });
  };
  const auto fits = [&] {
    const auto& resources = pool(borrower).resources;
    return std::none_of(resources.begin(), resources.end(), [&](const auto& resource) {
      return too_much(resource.first, {{answer.at, kForever}});
    });
  };
  for (auto& claim : least(claims, answer.at, helps, fits)) {
    answer.hits.push_back(hit_of(claim, lender, answer.at));
    cut(claim, answer.at, "reclaimed");
  }
}

// Those of its own pool that matter less end when the claim begins, no more of them than must.
std::optional<Refusal> Ledger::make_room(const Terms& terms, Granted& granted) {
  const Second at = terms.spans.front().from;
  auto claims = claims_ending_after(terms.pool, at, kAll);
  const auto matters = [&](const Claim& claim) { return claim.priority >= terms.priority; };
  std::erase_if(claims, matters);  // @rule 18-preempt
  std::sort(claims.begin(), claims.end(), kFirstToGo);
  std::optional<Refusal> refusal;
  const auto fits = [&] {
    granted.loans.clear();
    refusal = admit(terms, granted.loans);
    return !refusal;
  };
  const auto helps = [&](const Claim& claim) {
    const Second end = terms.spans.back().until;
    return holds_any(claim.amounts, terms.amounts) && !before(after(claim.spans, at), end).empty();
  };
  auto goes = least(claims, at, helps, fits);
  for (const auto& claim : goes) weigh(claim, at, -1);
  const bool enough = fits();
  for (const auto& claim : goes) weigh(claim, at, 1);
  if (!enough) {
    fits();
    return refusal;
  }
  for (auto& claim : goes) {
    granted.hits.push_back(hit_of(claim, claim.pool, at));
    cut(claim, at, "preempted");
  }
  return std::nullopt;
}

}  // namespace rackline::reserve
