// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.h"
#include "reserve/ledger.h"
#include "reserve/ledger_terms.h"

namespace rackline::reserve {
namespace {

constexpr std::int64_t kMostShares = 1'000'000;

Refusal refusal_of(const std::string& verb, const std::string& constraint, const std::string& pool,
                   const std::string& reason) {
  return {.request = verb, .constraint = constraint, .pool = pool, .reason = reason};
}

[[noreturn]] void misused(const std::string& pool, const std::string& why, const std::string& hint = {}) {
  throw Error(Status::kUsage, "read pool", pool, why, hint);
}

Resource& resource_of(Pool& pool, const std::string& name, const Quantity& quantity) {
  const auto [place, fresh] = pool.resources.try_emplace(name);
  if (fresh) place->second.unit = quantity.unit;
  if (place->second.unit != quantity.unit) {
    misused(pool.name, name + " is counted in " + std::string(unit_name(place->second.unit)) +
                           " there, not in " + std::string(unit_name(quantity.unit)));
  }
  return place->second;
}

Resource& known_resource(Pool& pool, const std::string& name, const char* what) {
  const auto found = pool.resources.find(name);
  if (found == pool.resources.end()) {
    misused(pool.name, "it has no " + name + ", of which " + what + " is given");
  }
  return found->second;
}

void set_sizes(const PoolRequest& request, Pool& to) {
  if (to.parent.empty() && !request.reservation.empty()) {
    misused(to.name, "a reservation is a part of a parent, and it has none", "give --capacity, or --parent");
  }
  for (const auto& [name, quantity] : request.capacity) {
    Resource& about = resource_of(to, name, quantity);
    about.capacity = quantity.base;
    // What is a pool's capacity is all that it has; a reservation is the least that it has.
    about.expandable = false;
  }
  for (const auto& [name, quantity] : request.reservation) {
    if (request.capacity.contains(name)) {
      misused(to.name, name + " has both a capacity and a reservation",
              "the capacity of a part is what it is guaranteed; --limit is the most that it may have");
    }
    Resource& about = resource_of(to, name, quantity);
    about.capacity = quantity.base;
    about.expandable = true;
  }
  for (const auto& [name, quantity] : request.limit) {
    Resource& about = resource_of(to, name, quantity);
    about.limit = quantity.base;
    if (!to.parent.empty() && !request.capacity.contains(name)) about.expandable = true;
  }
}

void set_rules(const PoolRequest& request, Pool& to) {
  // A figure without a name is for all that the pool has.
  const auto each = [&](const std::string& name, const char* what, const auto& set) {
    if (!name.empty()) return set(known_resource(to, name, what));
    for (auto& [own, about] : to.resources) set(about);
  };
  for (const auto& [name, ratio] : request.ratios)
    each(name, "an overcommit ratio", [r = ratio](Resource& about) { about.ratio = r; });
  for (const auto& [name, shares] : request.shares) {
    if (shares <= 0 || shares > kMostShares)
      misused(to.name, "shares are 1 to " + std::to_string(kMostShares));
    each(name, "a number of shares", [n = shares](Resource& about) { about.shares = n; });
  }
  for (const auto& [name, quantity] : request.borrow_limit)
    resource_of(to, name, quantity).borrow_limit = quantity.base;
  for (const auto& [name, quantity] : request.never_lent)
    resource_of(to, name, quantity).never_lent = quantity.base;
  for (const auto& name : request.no_limit) known_resource(to, name, "a limit").limit.reset();
  for (const auto& name : request.no_borrow_limit)
    known_resource(to, name, "a borrowing limit").borrow_limit.reset();
  if (request.hosts) to.hosts = *request.hosts;
  if (request.headroom) to.headroom = *request.headroom;
  if (request.expandable) {
    for (auto& [name, about] : to.resources) about.expandable = *request.expandable;
  }
}

void check_figures(const Pool& pool) {
  if (pool.resources.empty())
    misused(pool.name, "it has no resources", "give --capacity cpu=64,memory=512GiB");
  for (const auto& [name, about] : pool.resources) {
    if (times(about.capacity, about.ratio) >= kMost && about.ratio > 1000) {
      misused(pool.name, name + ": capacity times overcommit is more than can be kept");
    }
    if (!pool.parent.empty() && about.limit && *about.limit < about.size()) {
      misused(pool.name, name + ": the limit is lower than what it is guaranteed");
    }
    if (about.never_lent > about.size()) {
      misused(pool.name, name + ": more is never lent than it has");
    }
  }
  for (const auto& [name, amount] : pool.headroom.amounts) {
    if (!pool.resources.contains(name))
      misused(pool.name, "it has no " + name + " of which headroom could be kept");
  }
}

// The request's figures into the pool.
void shape(const PoolRequest& request, Pool& to) {
  set_sizes(request, to);
  set_rules(request, to);
  check_figures(to);
}

// Of one resource of a pool that is to have another size.
Refusal too_little(const std::string& constraint, const std::string& where, const std::string& resource,
                   Unit unit, std::int64_t requested, std::int64_t available, std::int64_t missing,
                   const std::string& why) {
  auto refusal = refusal_of("pool", constraint, where, why);
  refusal.resource = resource;
  refusal.unit = unit;
  refusal.requested = requested;
  refusal.available = available;
  refusal.missing = missing;
  return refusal;
}

}  // namespace

// Whether what is granted, lent and borrowed in the pool still fits.
std::optional<Refusal> Ledger::check_held(const Pool& before, const Pool& after, const std::string& name) {
  const std::vector<Span> always{{now_, kForever}};
  const Resource& about = after.resources.at(name);
  const auto less = [&](std::int64_t requested, std::int64_t available, std::int64_t missing,
                        const std::string& why) {
    return too_little("below_grants", after.name, name, about.unit, requested, available, missing, why);
  };
  const auto held = peak(after.name, name, always);
  if (about.own() < held) {
    auto refusal = less(about.size(), held + about.given, held - about.own(),
                        readable(held + about.given, about.unit) + " " + name +
                            " are granted, lent or guaranteed to its children");
    refusal.conflict_at = profile(after.name).first_above(name, always.front(), about.own());
    if (before.resources.contains(name)) {
      refusal.held_by = holders(before, name, refusal.conflict_at.value_or(now_));
    }
    return refusal;
  }
  const auto lent = peak(after.name, out_series(name), always);
  if (lent > about.size() - about.never_lent) {
    return less(about.size() - about.never_lent, lent, lent - about.size() + about.never_lent,
                readable(lent, about.unit) + " " + name + " are lent; reserve reclaim " + after.name +
                    " brings them back");
  }
  const auto borrowed = peak(after.name, in_series(name), always);
  if (borrowed > 0 && ((about.borrow_limit && borrowed > *about.borrow_limit) ||
                       (about.limit && about.size() + borrowed > *about.limit))) {
    return less(about.limit.value_or(0), borrowed, borrowed,
                readable(borrowed, about.unit) + " " + name + " are borrowed");
  }
  return std::nullopt;
}

// Whether the parent has what the pool is to have more.
std::optional<Refusal> Ledger::check_parent(const Pool& before, const Pool& after, const std::string& name) {
  const std::vector<Span> always{{now_, kForever}};
  const Resource& about = after.resources.at(name);
  const auto old = before.resources.find(name);
  const std::int64_t size_before = old == before.resources.end() ? 0 : old->second.size();
  const Pool& parent = pool(after.parent);
  const auto theirs = parent.resources.find(name);
  if (theirs == parent.resources.end()) {
    if (about.size() == 0 && size_before == 0) return std::nullopt;
    auto refusal = refusal_of("pool", "unknown_resource", parent.name,
                              "pool " + parent.name + ", of which it is a part, has no " + name);
    refusal.resource = name;
    return refusal;
  }
  if (theirs->second.unit != about.unit) {
    misused(after.name,
            name + " is counted in " + std::string(unit_name(theirs->second.unit)) + " in " + parent.name);
  }
  // What the parent has borrowed may be taken back, so it is not given away for good.
  const auto room =
      theirs->second.own() - peak(parent.name, name, always) - peak(parent.name, in_series(name), always);
  const auto left = std::max<std::int64_t>(room, 0);
  const auto more = about.size() - size_before;
  if (more <= left) return std::nullopt;
  auto refusal =
      too_little("capacity", parent.name, name, about.unit, more, left, more - left,
                 after.name + " asks for " + readable(more, about.unit) + (size_before > 0 ? " more " : " ") +
                     name + ", and " + parent.name + " has " + readable(left, about.unit) + " to give away");
  refusal.conflict_at = worst(parent.name, name, always).at;
  refusal.held_by = holders(parent, name, *refusal.conflict_at);
  return refusal;
}

// Whether it still fits; if so, the parent guarantees it.
std::optional<Refusal> Ledger::resize(const Pool& before, const Pool& after) {
  for (const auto& [name, about] : after.resources) {
    if (auto refusal = check_held(before, after, name)) return refusal;
    if (after.parent.empty()) continue;
    if (auto refusal = check_parent(before, after, name)) return refusal;
  }
  if (after.parent.empty()) return std::nullopt;
  Pool& parent = pool(after.parent);
  for (const auto& [name, about] : after.resources) {
    const auto old = before.resources.find(name);
    const auto more = about.size() - (old == before.resources.end() ? 0 : old->second.size());
    if (more == 0) continue;
    parent.resources.at(name).given += more;
    parent.since = now_;  // what it can grant itself is another amount from now on
  }
  changed(parent.name);
  profile(parent.name).set_written(now_);
  return std::nullopt;
}

Answer<PoolAnswer> Ledger::add_pool(const PoolRequest& request) {
  check_pool_name(request.name);
  Pool fresh;
  fresh.name = request.name;
  fresh.parent = request.parent.value_or("");
  if (fresh.parent == fresh.name)
    return refusal_of("pool", "cycle", fresh.name, "it would be its own parent");
  if (!fresh.parent.empty()) {
    if (lookup(fresh.parent) == nullptr) {
      return unknown_pool("pool", fresh.parent);
    }
    enter(fresh.parent);
  }
  fresh.since = fresh.made = now_;
  if (const Pool* there = lookup(request.name)) {
    // The same once more is done already. What its children are guaranteed is not part of the request.
    Pool same = *there;
    same.since = same.made = fresh.since;
    same.children.clear();
    same.tracks_use = false;
    for (auto& [name, about] : same.resources) about.given = 0;
    shape(request, fresh);
    if (to_text(same) == to_text(fresh)) return PoolAnswer{*there, "already"};
    return refusal_of("pool", "duplicate", request.name,
                      "there is a pool of that name with other figures; reserve pool set changes it");
  }
  shape(request, fresh);
  if (auto refusal = resize(Pool{}, fresh)) return *refusal;
  if (!fresh.parent.empty()) {
    Pool& parent = pool(fresh.parent);
    if (!parent.tracks_use) {
      // Until now all that was granted in it was its own.
      for (const auto& [name, about] : parent.resources) profile(parent.name).copy(name, use_series(name));
      parent.tracks_use = true;
    }
    parent.children.push_back(fresh.name);
    changed(parent.name);
  }
  profile(fresh.name).set_written(now_);
  pools_[fresh.name] = fresh;
  changed(fresh.name);
  return PoolAnswer{fresh, "added"};
}

Answer<PoolAnswer> Ledger::set_pool(const PoolRequest& request) {
  const Pool* there = lookup(request.name);
  if (there == nullptr) {
    return unknown_pool("pool", request.name);
  }
  enter(request.name);
  const Pool before = *there;
  Pool after = before;
  if (request.parent && *request.parent != before.parent) {
    if (!request.parent->empty()) {
      if (lookup(*request.parent) == nullptr) {
        return unknown_pool("pool", *request.parent);
      }
      const auto above_it = chain(*request.parent);
      if (std::find(above_it.begin(), above_it.end(), request.name) != above_it.end()) {
        return refusal_of("pool", "cycle", request.name,
                          *request.parent + " is a part of " + request.name + " itself");
      }
    }
    return refusal_of("pool", "not_empty", request.name,
                      "a pool stays where it is: what is granted in it is counted in all pools above it; "
                      "remove it, and add it again elsewhere");
  }
  shape(request, after);
  if (to_text(after) == to_text(before)) return PoolAnswer{before, "already"};
  if (auto refusal = resize(before, after)) return *refusal;
  after.since = now_;
  pools_[request.name] = after;
  changed(request.name);
  profile(request.name).set_written(now_);
  return PoolAnswer{after, "changed"};
}

Answer<PoolAnswer> Ledger::remove_pool(const std::string& name) {
  const Pool* there = lookup(name);
  if (there == nullptr) return refusal_of("pool", "unknown_pool", name, "there is no pool " + name);
  enter(name);
  const Pool gone = *there;
  if (!gone.children.empty()) {
    return refusal_of("pool", "not_empty", name, "it has children: " + gone.children.front());
  }
  if (!claims_ending_after(name, now_, 1).empty()) {
    auto refusal = refusal_of("pool", "not_empty", name, "something is granted in it");
    for (const auto& [resource, about] : gone.resources) {
      const auto at = profile(name).first_above(resource, {now_, kForever}, 0);
      if (!at) continue;
      refusal.conflict_at = at;
      refusal.resource = resource;
      refusal.held_by = holders(gone, resource, *at);
      break;
    }
    return refusal;
  }
  const std::vector<Span> always{{now_, kForever}};
  for (const auto& [resource, about] : gone.resources) {
    if (peak(name, in_series(resource), always) > 0 || peak(name, out_series(resource), always) > 0) {
      return refusal_of("pool", "not_empty", name, "it has lent or borrowed " + resource);
    }
  }
  if (!gone.parent.empty()) {
    Pool& parent = pool(gone.parent);
    std::erase(parent.children, name);
    for (const auto& [resource, about] : gone.resources) {
      const auto theirs = parent.resources.find(resource);
      if (theirs != parent.resources.end()) theirs->second.given -= about.size();
    }
    changed(parent.name);
    profile(parent.name).set_written(now_);
    // What was granted in it no longer adds up in the pools above it; from now on it is nothing.
    for (const auto& each : chain(gone.parent)) {
      pool(each).since = now_;
      changed(each);
    }
  }
  std::vector<std::string> keys;
  writes_.scan(profile_prefix(name), above(profile_prefix(name)),
               [&](const std::string& key, const std::string&) {
                 keys.push_back(key);
                 return true;
               });
  for (const auto& key : keys) writes_.erase(key);
  profiles_.erase(name);
  pools_[name] = std::nullopt;
  changed(name);
  return PoolAnswer{gone, "removed"};
}

PoolState Ledger::state(const Pool& of, const std::string& resource, Second time) {
  Profile& mine = profile(of.name);
  const Resource& about = of.resources.at(resource);
  PoolState state;
  const auto held = mine.at(resource, time);
  // Counted where loans cross the pool's border; its own part of them is what its own sum has.
  state.borrowed = mine.at(in_series(resource), time);
  state.lent = mine.at(out_series(resource), time);
  state.granted = held - state.lent + state.borrowed;
  state.free = std::max<std::int64_t>(about.own() - held, 0);
  state.lendable =
      state.borrowed > 0
          ? 0
          : std::max<std::int64_t>(0, std::min(state.free, about.size() - about.never_lent - state.lent));
  state.headroom = of.headroom.empty() ? 0 : headroom_of(of, of.headroom, resource);
  return state;
}

}  // namespace rackline::reserve
