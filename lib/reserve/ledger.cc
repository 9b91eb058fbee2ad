// SPDX-License-Identifier: Apache-2.0
#include "reserve/ledger.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
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

Refusal taken_id(const std::string& request, const std::string& id, const std::string& pool,
                 const std::string& owner) {
  return {.request = request,
          .constraint = "duplicate",
          .id = id,
          .pool = pool,
          .owner = owner,
          .reason = "the id " + id + " belongs to something else that was granted"};
}

Refusal over_id(const std::string& request, const std::string& id, const std::string& pool,
                const std::string& owner, Second until) {
  return {.request = request,
          .constraint = "ended",
          .id = id,
          .pool = pool,
          .owner = owner,
          .reason = "the id " + id + " is of one that has ended at " + when(until) +
                    " and holds nothing; another one needs another id"};
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

std::vector<Span> Ledger::spans_of(const Period& period, std::vector<std::string>& notes) {
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
  auto spans =
      occurrences(parse_recurrence(period.every), {from, until == kForever ? from + kYear : until}, &notes);
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

}  // namespace rackline::reserve
