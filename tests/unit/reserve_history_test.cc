// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>

#include "base/error.h"
#include "reserve/check.h"
#include "reserve/ledger.h"
#include "reserve_support.h"

namespace rackline::reserve {
namespace {

// Random histories of the ledgers in simulated time, beside a model that knows nothing of trees of sums: it
// keeps lists, and adds up every instant.

constexpr std::int64_t kCore = 1000;

struct Held {
  std::string id, pool;
  std::int64_t amount;
  std::vector<Span> spans;
};
struct Moved {
  std::string id, lender, borrower;
  std::int64_t amount;
  std::vector<Span> spans;
};

bool covers(const std::vector<Span>& spans, Second time) {
  return std::any_of(spans.begin(), spans.end(),
                     [time](const Span& s) { return s.from <= time && time < s.until; });
}

// r has two parts, one of which has a part itself.
struct Model {
  std::map<std::string, std::int64_t> size{
      {"r", 20 * kCore}, {"a", 6 * kCore}, {"b", 8 * kCore}, {"c", 3 * kCore}};
  std::map<std::string, std::string> parent{{"r", ""}, {"a", "r"}, {"b", "r"}, {"c", "b"}};
  std::map<std::string, std::int64_t> never_lent{{"a", 2 * kCore}};
  std::vector<Held> claims;
  std::vector<Moved> loans;

  std::int64_t own(const std::string& pool) const {
    std::int64_t rest = size.at(pool);
    for (const auto& [name, up] : parent) {
      if (up == pool) rest -= size.at(name);
    }
    return rest;
  }
  std::int64_t held(const std::string& pool, Second time) const {
    std::int64_t sum = 0;
    for (const auto& claim : claims) {
      if (claim.pool == pool && covers(claim.spans, time)) sum += claim.amount;
    }
    for (const auto& loan : loans) {
      if (!covers(loan.spans, time)) continue;
      if (loan.lender == pool) sum += loan.amount;
      if (loan.borrower == pool) sum -= loan.amount;
    }
    return sum;
  }
  std::int64_t lent(const std::string& pool, Second time) const {
    std::int64_t sum = 0;
    for (const auto& loan : loans) {
      if (loan.lender == pool && covers(loan.spans, time)) sum += loan.amount;
    }
    return sum;
  }
  // All instants of the span at which anything can change.
  std::vector<Second> instants(Span span) const {
    std::set<Second> all{span.from};
    const auto add = [&](const std::vector<Span>& spans) {
      for (const auto& each : spans) {
        for (const Second at : {each.from, each.until}) {
          if (at > span.from && at < span.until) all.insert(at);
        }
      }
    };
    for (const auto& claim : claims) add(claim.spans);
    for (const auto& loan : loans) add(loan.spans);
    return {all.begin(), all.end()};
  }
  bool fits(const std::string& pool, std::int64_t amount, Span span) const {
    for (const Second at : instants(span)) {
      if (held(pool, at) + amount > own(pool)) return false;
    }
    return true;
  }
  bool fits_all(const std::string& pool, Second from) const {
    for (const Second at : instants({from, kForever})) {
      if (held(pool, at) > own(pool)) return false;
    }
    return true;
  }
  // Whatever has happened: nowhere more than there is.
  void expect_sound(Second from) const {
    for (const Second at : instants({from, kForever})) {
      std::int64_t granted = 0;
      for (const auto& claim : claims) {
        if (covers(claim.spans, at)) granted += claim.amount;
      }
      ASSERT_LE(granted, size.at("r")) << "at " << at;
      for (const auto& [pool, total] : size) {
        ASSERT_LE(held(pool, at), own(pool)) << pool << " at " << at;
        const auto kept = never_lent.contains(pool) ? never_lent.at(pool) : 0;
        ASSERT_LE(lent(pool, at), total - kept) << pool << " at " << at;
      }
    }
  }
  template <class T>
  static void cut(std::vector<T>& all, const std::string& id, Second at) {
    for (auto& each : all) {
      if (each.id == id) each.spans = before(each.spans, at);
    }
  }
};

class History {
 public:
  History(std::uint64_t seed, Second step) : random_(seed), step_(step) {
    for (const char* name : {"r", "a", "b", "c"}) {
      PoolRequest request;
      request.name = name;
      if (!model_.parent.at(name).empty()) request.parent = model_.parent.at(name);
      request.capacity["cpu"] = {model_.size.at(name), Unit::kCores};
      if (model_.never_lent.contains(name)) {
        request.never_lent["cpu"] = {model_.never_lent.at(name), Unit::kCores};
      }
      run<PoolAnswer>([&](Ledger& ledger) { return ledger.add_pool(request); });
    }
  }

  void play(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      clock_.advance(Milliseconds{1000 * step_ * pick(3)});
      switch (pick(9)) {
        case 0:
          release();
          break;
        case 1:
          extend();
          break;
        case 2:
        case 3:
          borrow();
          break;
        case 4:
          reclaim();
          break;
        default:
          claim();
      }
      model_.expect_sound(now());
    }
    const auto found = check(store_, [](const record::LedgerFault& fault) {
      ADD_FAILURE() << fault.fault << ": " << fault.subject << ": " << fault.reason;
    });
    ASSERT_TRUE(found.sound);
  }

 private:
  std::int64_t pick(std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(0, most)(random_);
  }
  std::string any_pool() {
    return std::array<const char*, 4>{"r", "a", "b", "c"}[static_cast<std::size_t>(pick(3))];
  }
  Second now() const { return clock_.wall().time_since_epoch().count(); }

  template <class T>
  Answer<T> run(const std::function<Answer<T>(Ledger&)>& verb) {
    std::optional<Answer<T>> answer;
    LedgerStore(store_, clock_).run([&](Ledger& ledger) {
      answer = verb(ledger);
      return std::holds_alternative<T>(*answer);
    });
    return *answer;
  }

  Period period() {
    Period period;
    if (pick(1) == 0) period.from = now() + step_ * pick(20);
    if (pick(4) != 0) period.length = step_ * (1 + pick(20));
    return period;
  }
  Span span_of(const Period& period) const {
    const Second from = period.from.value_or(now());
    return {from, period.length ? from + *period.length : kForever};
  }

  void claim() {
    ClaimRequest request;
    request.id = std::to_string(++last_);
    request.pool = any_pool();
    request.owner = "x";
    const std::int64_t amount = kCore * (1 + pick(5)) / 2;
    request.amounts["cpu"] = {amount, Unit::kCores};
    request.period = period();
    request.priority = pick(3);
    request.borrow = pick(3) == 0;
    const Span span = span_of(request.period);
    const bool fits = model_.fits(request.pool, amount, span);
    const auto answer = run<Granted>([&](Ledger& ledger) { return ledger.claim(request); });
    const auto* granted = std::get_if<Granted>(&answer);
    if (!request.borrow) {
      ASSERT_EQ(granted != nullptr, fits);
    } else if (fits) {
      ASSERT_NE(granted, nullptr);
      ASSERT_TRUE(granted->loans.empty());
    }
    if (granted == nullptr) {
      expect_fits_at(std::get<Refusal>(answer), request, amount, span);
      return;
    }
    ASSERT_EQ(granted->claim.spans, std::vector<Span>{span});
    model_.claims.push_back({request.id, request.pool, amount, granted->claim.spans});
    for (const auto& loan : granted->loans) take(loan);
  }

  // The time that a refusal names is one at which it fits, and no earlier one does.
  void expect_fits_at(const Refusal& refusal, const ClaimRequest& request, std::int64_t amount, Span span) {
    const Second length = span.until == kForever ? kForever : span.until - span.from;
    const auto from = [&](Second at) { return Span{at, length >= kForever - at ? kForever : at + length}; };
    if (refusal.fits_at) {
      ASSERT_TRUE(model_.fits(request.pool, amount, from(*refusal.fits_at)));
    }
    for (const Second at : model_.instants({span.from, refusal.fits_at.value_or(kForever - 1)})) {
      if (refusal.fits_at && at >= *refusal.fits_at) continue;
      ASSERT_FALSE(model_.fits(request.pool, amount, from(at))) << "at " << at;
    }
  }

  void take(const Loan& loan) {
    model_.loans.push_back({loan.id, loan.lender, loan.borrower, loan.amounts.at("cpu"), loan.spans});
  }

  void release() {
    if (model_.claims.empty()) return;
    const auto held =
        model_.claims[static_cast<std::size_t>(pick(static_cast<std::int64_t>(model_.claims.size()) - 1))];
    const auto answer = run<Ended>([&](Ledger& ledger) { return ledger.release(held.id); });
    ASSERT_TRUE(std::holds_alternative<Ended>(answer));
    Model::cut(model_.claims, held.id, now());
    for (const auto& id : std::get<Ended>(answer).claim->loans) Model::cut(model_.loans, id, now());
  }

  void extend() {
    if (model_.claims.empty()) return;
    auto& held =
        model_.claims[static_cast<std::size_t>(pick(static_cast<std::int64_t>(model_.claims.size()) - 1))];
    const Second end = held.spans.empty() ? 0 : held.spans.back().until;
    if (end <= now() || end == kForever) return;
    const Second length = step_ * (1 + pick(9));
    const bool fits = model_.fits(held.pool, held.amount, {end, end + length});
    const auto answer = run<Granted>([&](Ledger& ledger) {
      return ledger.extend(held.id, {{}, {}, length, {}});
    });
    const auto* granted = std::get_if<Granted>(&answer);
    if (granted == nullptr) {
      ASSERT_FALSE(fits);
      return;
    }
    held.spans = granted->claim.spans;
    for (const auto& loan : granted->loans) take(loan);
  }

  void borrow() {
    LoanRequest request;
    request.borrower = any_pool();
    if (pick(1) == 0) request.lender = any_pool();
    if (request.lender == request.borrower) return;
    request.amounts["cpu"] = {kCore * (1 + pick(4)), Unit::kCores};
    request.period = period();
    request.priority = pick(3);
    const auto answer = run<Lent>([&](Ledger& ledger) { return ledger.borrow(request); });
    if (const auto* lent = std::get_if<Lent>(&answer)) {
      for (const auto& loan : lent->loans) take(loan);
    }
  }

  void reclaim() {
    ReclaimRequest request;
    request.lender = any_pool();
    request.grace = step_ * pick(3);
    const auto answer = run<Reclaimed>([&](Ledger& ledger) { return ledger.reclaim(request); });
    ASSERT_TRUE(std::holds_alternative<Reclaimed>(answer));
    const auto& reclaimed = std::get<Reclaimed>(answer);
    std::set<std::string> borrowers;
    std::set<std::string> returned;
    for (const auto& hit : reclaimed.hits) {
      if (!hit.is_loan) continue;
      borrowers.insert(hit.pool);
      returned.insert(hit.id);
    }
    std::map<std::string, std::pair<bool, std::int64_t>> last;
    for (const auto& hit : reclaimed.hits) {
      if (hit.is_loan) {
        Model::cut(model_.loans, hit.id, reclaimed.at);
        continue;
      }
      // Nobody is hit but who had borrowed from it: what the loans were made for, then the lower priorities
      // first.
      ASSERT_TRUE(borrowers.contains(hit.pool));
      const auto loans = loans_of(hit.id);
      const bool within = std::none_of(loans.begin(), loans.end(),
                                       [&](const std::string& id) { return returned.contains(id); });
      const std::pair rank{within, hit.priority};
      ASSERT_GE(rank, last[hit.pool]);
      last[hit.pool] = rank;
      // There was no room for it any more.
      ASSERT_FALSE(model_.fits_all(hit.pool, reclaimed.at)) << hit.id;
      Model::cut(model_.claims, hit.id, reclaimed.at);
      for (const auto& loan : loans) Model::cut(model_.loans, loan, reclaimed.at);
    }
    // The lender has the whole of it back.
    for (const Second at : model_.instants({reclaimed.at, kForever})) {
      ASSERT_EQ(model_.lent(request.lender, at), 0);
    }
  }

  std::vector<std::string> loans_of(const std::string& id) {
    for (const auto& [key, entry] : store_.entries) {
      if (!key.starts_with("reserve/c/")) continue;
      const Claim claim = claim_from(key, entry.first);
      if (claim.id == id) return claim.loans;
    }
    return {};
  }

  std::mt19937_64 random_;
  Second step_;
  int last_ = 0;
  MemoryStore store_;
  FakeClock clock_;
  Model model_;
};

TEST(ReserveHistory, TenThousandRandomOnesGrantNothingTwiceAndReturnEveryShare) {
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
    History history(seed, std::array<Second, 4>{1, 61, 4'099, 1'000'003}[seed % 4]);
    history.play(24);
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
}

TEST(ReserveHistory, LongOnesToo) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    History history(seed, std::array<Second, 3>{7, 3'001, 777'777}[seed % 3]);
    history.play(400);
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace rackline::reserve
