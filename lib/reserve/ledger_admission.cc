// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/id.h"
#include "reserve/ledger.h"
#include "reserve/ledger_terms.h"

namespace rackline::reserve {
namespace {

// Who holds a pool is told to a person: the first so many are looked through, the largest are named.
constexpr std::size_t kLookedThrough = 4096;
constexpr std::size_t kNamed = 10;
// Those that end at a given time come first of all that end after it.
constexpr std::size_t kSoonest = 256;
// Steps of the search for the time when it would fit.
constexpr int kSearchSteps = 512;

}  // namespace

std::int64_t Ledger::largest_host(const Pool& of, const std::string& resource) {
  std::int64_t largest = 0;
  for (const auto& name : of.children) {
    const Pool& child = pool(name);
    const auto found = child.resources.find(resource);
    if (!child.hosts.empty() && found != child.resources.end()) {
      const auto count = static_cast<std::int64_t>(child.hosts.size());
      largest = std::max(largest, (found->second.size() + count - 1) / count);
    }
  }
  const auto mine = of.resources.find(resource);
  if (largest > 0 || of.hosts.empty() || mine == of.resources.end()) return largest;
  const auto count = static_cast<std::int64_t>(of.hosts.size());
  return (mine->second.size() + count - 1) / count;
}

std::int64_t Ledger::headroom_of(const Pool& of, const Headroom& headroom, const std::string& resource) {
  if (headroom.largest_host) return largest_host(of, resource);
  const auto found = headroom.amounts.find(resource);
  return found == headroom.amounts.end() ? 0 : found->second;
}

bool Ledger::demands_headroom(const Terms& terms, const Pool& of) {
  return !of.headroom.empty() || (of.name == terms.pool && terms.headroom && !terms.headroom->empty());
}

std::int64_t Ledger::kept_free(const Terms& terms, const Pool& of, const std::string& resource) {
  std::int64_t kept = 0;
  if (of.name == terms.pool && terms.headroom) kept = headroom_of(of, *terms.headroom, resource);
  kept = std::max(kept, headroom_of(of, of.headroom, resource));  // @rule 18-headroom
  return kept;
}

std::optional<Refusal> Ledger::check_resources(const Terms& terms, const Pool& in,
                                               const Quantities& amounts) {
  for (const auto& [name, quantity] : amounts) {
    const auto found = in.resources.find(name);
    if (found == in.resources.end()) {
      Refusal refusal{.request = terms.request,
                      .constraint = "unknown_resource",
                      .id = terms.id,
                      .pool = in.name,
                      .owner = terms.owner,
                      .resource = name};
      refusal.reason = "pool " + in.name + " has no " + name;
      return refusal;
    }
    if (found->second.unit != quantity.unit) {
      throw Error(Status::kUsage, "read amount", name,
                  "it is counted in " + std::string(unit_name(found->second.unit)) + " in pool " + in.name +
                      ", not in " + std::string(unit_name(quantity.unit)));
    }
  }
  return std::nullopt;
}

Ledger::Worst Ledger::worst(const std::string& name, const std::string& series,
                            const std::vector<Span>& spans) {
  Worst worst{std::numeric_limits<std::int64_t>::min(), spans.front().from};
  for (const auto& span : spans) {
    const auto most = profile(name).peak(series, span);
    if (most <= worst.held) continue;
    worst = {most, profile(name).first_above(series, span, most - 1).value_or(span.from)};
  }
  return worst;
}

std::vector<std::string> Ledger::holders(const Pool& of, const std::string& resource, Second time,
                                         std::optional<Second> ending) {
  struct Holder {
    std::int64_t amount;
    std::string text;
  };
  std::vector<Holder> holding;
  const Unit unit = of.resources.at(resource).unit;
  const auto covers = [&](const std::vector<Span>& spans) {
    return std::any_of(spans.begin(), spans.end(), [&](const Span& s) {
      return s.from <= time && time < s.until && (!ending || s.until == *ending);
    });
  };
  const auto add = [&](const Amounts& amounts, const std::string& who) {
    const auto found = amounts.find(resource);
    if (found == amounts.end() || found->second == 0) return;
    holding.push_back({found->second, resource + "=" + plain(found->second, unit) + " " + who});
  };
  for (const auto& claim : claims_ending_after(of.name, time, ending ? kSoonest : kLookedThrough)) {
    if (covers(claim.spans)) add(claim.amounts, claim.owner + " " + claim.id);
  }
  for (const auto& loan : loans_ending_after(of.name, time)) {
    if (covers(loan.spans)) add(loan.amounts, "lent to " + loan.borrower + " " + loan.id);
  }
  for (const auto& name : of.children) {
    const Pool& child = pool(name);
    const auto found = child.resources.find(resource);
    if (!ending && found != child.resources.end())
      add({{resource, found->second.size()}}, "guaranteed to " + name);
  }
  std::stable_sort(holding.begin(), holding.end(),
                   [](const Holder& a, const Holder& b) { return a.amount > b.amount; });
  std::vector<std::string> names;
  for (const auto& holder : holding) {
    if (names.size() == kNamed) break;
    names.push_back(holder.text);
  }
  return names;
}

// The next time from which on there is room for all of it without borrowing, for as long as was asked, and
// who holds it until then. What is extended or changed has its time, and fits at no other one.
void Ledger::find_time(const Terms& terms, Refusal& refusal) {
  if (terms.spans.size() != 1 || terms.all_borrowed || terms.request == "extend" || terms.request == "change")
    return;
  struct Bound {
    std::string pool, resource, series;
    std::int64_t most;
  };
  std::vector<Bound> bounds;
  const Pool& mine = pool(terms.pool);
  for (const auto& [name, amount] : terms.amounts) {
    bounds.push_back({mine.name, name, name, mine.resources.at(name).own() - amount});
    for (const auto& each : chain(terms.pool)) {
      const Pool& above = pool(each);
      const auto found = above.resources.find(name);
      if (!demands_headroom(terms, above) || found == above.resources.end()) continue;
      bounds.push_back({each, name, above.tracks_use ? use_series(name) : name,
                        found->second.size() - kept_free(terms, above, name) - amount});
    }
  }
  Second at = terms.spans.front().from;
  const Bound* last = nullptr;
  const Second length = terms.spans.front().until == kForever ? kForever : terms.spans.front().until - at;
  for (int step = 0; step < kSearchSteps; ++step) {
    bool fits = true;
    for (const auto& bound : bounds) {
      const Span span{at, length >= kForever - at ? kForever : at + length};
      const auto conflict = profile(bound.pool).first_above(bound.series, span, bound.most);
      if (!conflict) continue;
      const auto free = profile(bound.pool).first_not_above(bound.series, {*conflict, kForever}, bound.most);
      if (!free) return;
      at = *free;
      last = &bound;
      fits = false;
    }
    if (!fits) continue;
    refusal.fits_at = at;
    refusal.reason += "; it would fit at " + when(at);
    if (last == nullptr) return;
    refusal.waits_for = holders(pool(last->pool), last->resource, at - 1, at);
    if (refusal.waits_for.empty()) return;
    const std::string& who = refusal.waits_for.front();
    refusal.reason += ", when " + who.substr(who.find(' ') + 1) + " ends";
    return;
  }
}

// One answer that names all that is too little. Its figures are those of the first.
Refusal Ledger::joined(const Terms& terms, const std::vector<Refusal>& shortages) {
  Refusal whole = shortages.front();
  for (auto other = shortages.begin() + 1; other != shortages.end(); ++other) {
    whole.shortages.insert(whole.shortages.end(), other->shortages.begin(), other->shortages.end());
    whole.reason += "; " + other->reason;
  }
  find_time(terms, whole);
  return whole;
}

Refusal Ledger::shortage(const Terms& terms, const std::string& constraint, const std::string& where,
                         const std::string& resource, const std::string& series, std::int64_t available,
                         std::int64_t missing, const std::string& reason) {
  const Pool& short_of = pool(where);
  const Resource& about = short_of.resources.at(resource);
  Refusal refusal{.request = terms.request,
                  .constraint = constraint,
                  .id = terms.id,
                  .pool = where,
                  .owner = terms.owner,
                  .resource = resource,
                  .unit = about.unit};
  const std::int64_t requested = terms.amounts.at(resource);
  refusal.requested = requested;
  refusal.available = std::max<std::int64_t>(available, 0);
  refusal.missing = missing;
  refusal.shortages = {resource + "=" + plain(missing, about.unit)};
  const Second at = worst(where, series, terms.spans).at;
  refusal.conflict_at = at;
  refusal.held_by = holders(short_of, resource, at);
  // What is changed does not stand in its own way.
  if (terms.request == "change") {
    std::erase_if(refusal.held_by, [&](const std::string& text) { return text.ends_with(" " + terms.id); });
  }
  refusal.reason = where + " lacks " + readable(missing, about.unit) + " of " +
                   readable(requested, about.unit) + " " + resource + (at > now_ ? " at " + when(at) : "") +
                   ": " + reason;
  return refusal;
}

std::optional<Refusal> Ledger::check_headroom(const Terms& terms, const std::vector<Loan>& loans) {
  std::map<std::string, Amounts> more;
  const auto count = [&](const std::string& from, const Amounts& amounts, int sign) {
    for (const auto& each : chain(from)) {
      for (const auto& [name, amount] : amounts) more[each][name] += sign * amount;
    }
  };
  if (!terms.all_borrowed) count(terms.pool, terms.amounts, 1);
  for (const auto& loan : loans) {
    count(loan.lender, loan.amounts, 1);
    count(loan.borrower, loan.amounts, -1);
  }
  for (const auto& [name, amounts] : more) {
    const Pool& above = pool(name);
    if (!demands_headroom(terms, above)) continue;
    const bool largest_host =
        above.headroom.largest_host || (name == terms.pool && terms.headroom && terms.headroom->largest_host);
    if (largest_host && above.hosts.empty() &&
        std::none_of(above.children.begin(), above.children.end(),
                     [this](const std::string& child) { return !pool(child).hosts.empty(); })) {
      throw Error(Status::kUsage, "keep headroom", name, "it is not known of which hosts the pool is made",
                  "reserve pool set " + name + " --host h1 --host h2, or pools of single hosts below it");
    }
    std::vector<Refusal> shortages;
    for (const auto& [resource, amount] : amounts) {
      const auto found = above.resources.find(resource);
      if (amount <= 0 || found == above.resources.end()) continue;
      const auto kept = kept_free(terms, above, resource);
      const auto series = above.tracks_use ? use_series(resource) : resource;
      const auto room = found->second.size() - kept - peak(name, series, terms.spans);
      if (amount > room) {
        shortages.push_back(shortage(terms, "headroom", name, resource, series, room, amount - room,
                                     readable(kept, found->second.unit) + " have to stay free"));
      }
    }
    if (!shortages.empty()) return joined(terms, shortages);
  }
  return std::nullopt;
}

std::optional<Refusal> Ledger::admit(const Terms& terms, std::vector<Loan>& loans) {
  std::map<std::string, Amounts> from;
  std::vector<Refusal> shortages;
  const Pool& mine = pool(terms.pool);
  for (const auto& [name, amount] : terms.amounts) {
    const Resource& resource = mine.resources.at(name);
    const auto held = peak(terms.pool, name, terms.spans);  // @rule 18-twice: 0
    const auto room = terms.all_borrowed ? 0 : resource.own() - held;
    const auto need = amount - std::max<std::int64_t>(room, 0);
    if (need <= 0) continue;
    bool may_borrow = terms.borrow || terms.all_borrowed || (resource.expandable && !mine.parent.empty());
    if (terms.taken_back) may_borrow = false;  // @rule 18-taken-back
    if (may_borrow) {
      if (auto refusal = find_lenders(terms, name, need, from)) shortages.push_back(*refusal);
      continue;
    }
    const auto lent = peak(terms.pool, out_series(name), terms.spans);
    const std::string why = lent >= need ? readable(lent, resource.unit) + " are lent; reserve reclaim " +
                                               terms.pool + " brings them back"
                                         : readable(std::max<std::int64_t>(room, 0), resource.unit) +
                                               " are free of " + readable(resource.own(), resource.unit);
    shortages.push_back(
        shortage(terms, lent >= need ? "lent" : "capacity", terms.pool, name, name, room, need, why));
  }
  if (!shortages.empty()) return joined(terms, shortages);
  for (const auto& [lender, amounts] : from) {
    Loan loan;
    loan.id = random_id();
    loan.lender = lender;
    loan.borrower = terms.pool;
    loan.owner = terms.owner;
    loan.priority = terms.priority;
    loan.amounts = amounts;
    loan.spans = terms.spans;
    loan.made = now_;
    loan.from = terms.spans.front().from;
    loans.push_back(std::move(loan));
  }
  return check_headroom(terms, loans);
}

}  // namespace rackline::reserve
