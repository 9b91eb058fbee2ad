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
// Who holds a pool is told to a person: the first so many are looked through, the largest are named.
constexpr std::size_t kLookedThrough = 4096;
constexpr std::size_t kNamed = 10;
// Steps of the search for the time when it would fit.
constexpr int kSearchSteps = 512;

std::string when(Second time) {
  return format_time(std::chrono::sys_seconds{std::chrono::seconds{time}});
}

}  // namespace

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
    if (const auto text = pages_.read(pool_key(name))) place->second = pool_from(pool_key(name), *text);
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
  return profiles_.emplace(name, Profile(pages_, profile_prefix(name))).first->second;
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

// --- what is there, and what is too little ---

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

std::vector<std::string> Ledger::holders(const Pool& of, const std::string& resource, Second time) {
  struct Holder {
    std::int64_t amount;
    std::string text;
  };
  std::vector<Holder> holding;
  const Unit unit = of.resources.at(resource).unit;
  const auto covers = [time](const std::vector<Span>& spans) {
    return std::any_of(spans.begin(), spans.end(),
                       [time](const Span& s) { return s.from <= time && time < s.until; });
  };
  const auto add = [&](const Amounts& amounts, const std::string& who) {
    const auto found = amounts.find(resource);
    if (found == amounts.end() || found->second == 0) return;
    holding.push_back({found->second, resource + "=" + plain(found->second, unit) + " " + who});
  };
  for (const auto& claim : claims_ending_after(of.name, time, kLookedThrough)) {
    if (covers(claim.spans)) add(claim.amounts, claim.owner + " " + claim.id);
  }
  for (const auto& loan : loans_ending_after(of.name, time)) {
    if (covers(loan.spans)) add(loan.amounts, "lent to " + loan.borrower + " " + loan.id);
  }
  for (const auto& name : of.children) {
    const Pool& child = pool(name);
    const auto found = child.resources.find(resource);
    if (found != child.resources.end()) add({{resource, found->second.size()}}, "guaranteed to " + name);
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

// The next time from which on there is room for all of it without borrowing, for as long as was asked.
std::optional<Second> Ledger::fits_at(const Terms& terms) {
  if (terms.spans.size() != 1 || terms.all_borrowed) return std::nullopt;
  struct Bound {
    std::string pool, series;
    std::int64_t most;
  };
  std::vector<Bound> bounds;
  const Pool& mine = pool(terms.pool);
  for (const auto& [name, amount] : terms.amounts) {
    bounds.push_back({mine.name, name, mine.resources.at(name).own() - amount});
    for (const auto& each : chain(terms.pool)) {
      const Pool& above = pool(each);
      const Headroom& headroom = each == terms.pool && terms.headroom ? *terms.headroom : above.headroom;
      const auto found = above.resources.find(name);
      if (headroom.empty() || found == above.resources.end()) continue;
      bounds.push_back({each, above.tracks_use ? use_series(name) : name,
                        found->second.size() - headroom_of(above, headroom, name) - amount});
    }
  }
  Second at = terms.spans.front().from;
  const Second length = terms.spans.front().until == kForever ? kForever : terms.spans.front().until - at;
  for (int step = 0; step < kSearchSteps; ++step) {
    bool fits = true;
    for (const auto& bound : bounds) {
      const Span span{at, length >= kForever - at ? kForever : at + length};
      const auto conflict = profile(bound.pool).first_above(bound.series, span, bound.most);
      if (!conflict) continue;
      const auto free = profile(bound.pool).first_not_above(bound.series, {*conflict, kForever}, bound.most);
      if (!free) return std::nullopt;
      at = *free;
      fits = false;
    }
    if (fits) return at;
  }
  return std::nullopt;
}

Refusal Ledger::shortage(const Terms& terms, const std::string& constraint, const std::string& where,
                         const std::string& resource, std::int64_t available, std::int64_t missing,
                         const std::string& reason) {
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
  for (const auto& span : terms.spans) {
    refusal.conflict_at = profile(where).first_above(resource, span, about.own() - requested);
    if (refusal.conflict_at) break;
  }
  refusal.held_by = holders(short_of, resource, refusal.conflict_at.value_or(terms.spans.front().from));
  refusal.fits_at = fits_at(terms);
  refusal.reason = where + " lacks " + readable(missing, about.unit) + " of " +
                   readable(requested, about.unit) + " " + resource + ": " + reason;
  return refusal;
}

// --- admission ---

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
    const Headroom& headroom = name == terms.pool && terms.headroom ? *terms.headroom : above.headroom;
    if (headroom.empty()) continue;
    if (headroom.largest_host && above.hosts.empty() &&
        std::none_of(above.children.begin(), above.children.end(),
                     [this](const std::string& child) { return !pool(child).hosts.empty(); })) {
      throw Error(Status::kUsage, "keep headroom", name, "it is not known of which hosts the pool is made",
                  "reserve pool set " + name + " --host h1 --host h2, or pools of single hosts below it");
    }
    for (const auto& [resource, amount] : amounts) {
      const auto found = above.resources.find(resource);
      if (amount <= 0 || found == above.resources.end()) continue;
      const auto kept = headroom_of(above, headroom, resource);
      const auto used = peak(name, above.tracks_use ? use_series(resource) : resource, terms.spans);
      const auto room = found->second.size() - kept - used;
      if (amount > room) {
        return shortage(terms, "headroom", name, resource, room, amount - room,
                        readable(kept, found->second.unit) + " have to stay free");
      }
    }
  }
  return std::nullopt;
}

std::optional<Refusal> Ledger::admit(const Terms& terms, std::vector<Loan>& loans) {
  std::map<std::string, Amounts> from;
  const Pool& mine = pool(terms.pool);
  for (const auto& [name, amount] : terms.amounts) {
    const Resource& resource = mine.resources.at(name);
    const auto held = peak(terms.pool, name, terms.spans);
    const auto room = terms.all_borrowed ? 0 : resource.own() - held;
    const auto need = amount - std::max<std::int64_t>(room, 0);
    if (need <= 0) continue;
    if (terms.borrow || terms.all_borrowed || (resource.expandable && !mine.parent.empty())) {
      if (auto refusal = find_lenders(terms, name, need, from)) return refusal;
      continue;
    }
    const auto lent = peak(terms.pool, out_series(name), terms.spans);
    if (lent >= need) {
      return shortage(
          terms, "lent", terms.pool, name, room, need,
          readable(lent, resource.unit) + " are lent; reserve reclaim " + terms.pool + " brings them back");
    }
    return shortage(terms, "capacity", terms.pool, name, room, need,
                    readable(std::max<std::int64_t>(room, 0), resource.unit) + " are free of " +
                        readable(resource.own(), resource.unit));
  }
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
  const auto text = pages_.read(index_key(id));
  if (!text) return std::nullopt;
  const auto document = store::Json::parse(*text, nullptr, false);
  if (!document.is_object() || !document.contains("key") || !document.at("key").is_string()) {
    throw Error(Status::kUnreachable, "read ledger", index_key(id), "it names no key", "see reserve check");
  }
  return document.at("key").get<std::string>();
}

void Ledger::put(const Claim& claim, const std::string& old_key) {
  const std::string key = claim_key(claim);
  if (!old_key.empty() && old_key != key) pages_.erase(old_key);
  pages_.write(key, to_text(claim));
  if (old_key != key) pages_.write(index_key(claim.id), store::dump({{"key", key}}));
}

void Ledger::put(const Loan& loan, const std::string& old_key) {
  const std::string key = loan_key(loan);
  if (!old_key.empty() && old_key != key) pages_.erase(old_key);
  pages_.write(key, to_text(loan));
  if (old_key != key) pages_.write(index_key(loan.id), store::dump({{"key", key}}));
}

std::vector<Claim> Ledger::claims_ending_after(const std::string& name, Second time, std::size_t most) {
  std::vector<Claim> claims;
  pages_.scan(ending_after(claims_prefix(name), time), above(claims_prefix(name)),
              [&](const std::string& key, const std::string& text) {
                claims.push_back(claim_from(key, text));
                return claims.size() < most;
              });
  return claims;
}

std::vector<Loan> Ledger::loans_ending_after(const std::string& lender, Second time) {
  std::vector<Loan> loans;
  pages_.scan(ending_after(loans_prefix(lender), time), above(loans_prefix(lender)),
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
    const auto text = place ? pages_.read(*place) : std::nullopt;
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
      pages_.write(pool_key(name), to_text(*each));
    } else {
      pages_.erase(pool_key(name));
    }
  }
  dirty_.clear();
}

// --- claims ---

Answer<Granted> Ledger::claim(const ClaimRequest& request) {
  if (request.owner.empty()) throw Error(Status::kUsage, "read claim", request.pool, "it has no owner");
  if (request.amounts.empty()) throw Error(Status::kUsage, "read claim", request.pool, "it has no amount");
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
    return Refusal{.request = "claim",
                   .constraint = "unknown_pool",
                   .id = request.id,
                   .pool = request.pool,
                   .owner = request.owner,
                   .reason = "there is no pool " + request.pool};
  }
  enter(request.pool);
  if (!request.id.empty()) {
    if (const auto place = place_of(request.id)) {
      const auto text = pages_.read(*place);
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
  const auto text = place && place->starts_with("reserve/c/") ? pages_.read(*place) : std::nullopt;
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
  const auto text = place ? pages_.read(*place) : std::nullopt;
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
    if (room < amount) {
      auto refusal =
          shortage(terms, "in_use", loan.borrower, name, room, amount - room, "what was borrowed is granted");
      refusal.fits_at.reset();
      return refusal;
    }
  }
  cut(loan, now_, "released");
  return Ended{std::nullopt, loan, "released"};
}

}  // namespace rackline::reserve
