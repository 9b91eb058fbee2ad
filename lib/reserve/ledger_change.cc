// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.h"
#include "reserve/ledger.h"
#include "reserve/ledger_terms.h"

namespace rackline::reserve {
namespace {

Error misused(const std::string& id, const std::string& why, const std::string& hint = {}) {
  return {Status::kUsage, "change", id, why, hint};
}

Second end_after(const ChangeRequest& request, const Claim& claim, Second from) {
  if (request.forever) return kForever;
  if (request.period.until) return std::min(*request.period.until, kForever);
  if (!request.period.length) return claim.until();
  return *request.period.length >= kForever - from ? kForever : from + *request.period.length;
}

void append(std::vector<Span>& to, const std::vector<Span>& spans) {
  for (const auto& span : spans) {
    if (!to.empty() && to.back().until == span.from) {
      to.back().until = span.until;
    } else {
      to.push_back(span);
    }
  }
}

}  // namespace

Claim Ledger::redrawn(const ChangeRequest& request, const Claim& claim, std::vector<std::string>& notes) {
  Claim changed = claim;
  for (const auto& [name, quantity] : request.amounts) {
    changed.amounts[name] = quantity.base;
    const auto limit = claim.limits.find(name);
    if (limit != claim.limits.end() && limit->second < quantity.base) {
      throw misused(claim.id, "the amount of " + name + " is higher than the limit of its virtual server");
    }
  }
  changed.priority = request.priority.value_or(claim.priority);
  const bool begun = claim.from <= now_;
  if (request.period.from && begun) throw misused(claim.id, "it has begun at " + when(claim.from));
  if (request.period.from.value_or(now_) < now_) throw misused(claim.id, "it would begin in the past");
  const Second from = request.period.from.value_or(claim.from);
  const Second until = end_after(request, claim, from);
  const Span rest{std::max(from, now_), until};
  if (rest.from >= rest.until) {
    throw misused(claim.id, "it would have ended by " + when(rest.from),
                  "reserve release " + claim.id + " ends it");
  }
  if (claim.every.empty()) {
    changed.spans = {rest};
    return changed;
  }
  if (until == kForever) throw misused(claim.id, "one that recurs needs an end", "give --until or --for");
  Recurrence rule = parse_recurrence(claim.every);
  rule.zone = claim.zone;
  changed.spans = occurrences(rule, rest, &notes);
  if (changed.spans.empty())
    throw misused(claim.id, "there is no such time between its beginning and its end");
  return changed;
}

void Ledger::keep_past(Claim past) {
  const std::string old_key = claim_key(past);
  const std::string id = past.id;
  for (int i = 1;; ++i) {
    past.id = id + "~" + std::to_string(i);
    if (!place_of(past.id)) break;
  }
  put(past, old_key);
}

Answer<Granted> Ledger::change(const ChangeRequest& request) {
  auto found = current("change", request.id);
  if (const auto* refusal = std::get_if<Refusal>(&found)) return *refusal;
  Claim& claim = std::get<Claim>(found);
  Granted granted{.outcome = "changed", .notes = request.period.notes};
  Claim changed = redrawn(request, claim, granted.notes);
  const Terms terms{.request = "change",
                    .id = claim.id,
                    .pool = claim.pool,
                    .owner = claim.owner,
                    .amounts = changed.amounts,
                    .spans = changed.spans,
                    .priority = changed.priority,
                    .borrow = claim.borrow,
                    .taken_back = claim.ended == "reclaimed"};
  if (auto refusal = check_resources(terms, pool(claim.pool), request.amounts)) return *refusal;
  // What it holds is free for what it becomes.
  weigh(claim, now_, -1);
  const auto refusal = admit(terms, granted.loans);
  weigh(claim, now_, 1);
  if (refusal) return *refusal;
  const bool same_amounts = changed.amounts == claim.amounts;
  const auto rest = changed.spans;
  cut(claim, now_, "changed");
  const bool has_past = !claim.spans.empty();
  if (has_past && !same_amounts) {
    keep_past(claim);
    changed.loans.clear();
  } else {
    writes_.erase(claim_key(claim));
    changed.spans = claim.spans;
    append(changed.spans, rest);
  }
  if (!has_past || !same_amounts) changed.from = rest.front().from;
  changed.ended.clear();
  hold(changed, granted.loans, rest);
  put(changed);
  granted.claim = changed;
  return granted;
}

}  // namespace rackline::reserve
