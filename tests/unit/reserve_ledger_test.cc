// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "base/local_time.h"
#include "reserve/check.h"
#include "reserve/ledger.h"
#include "reserve/listing.h"
#include "reserve_support.h"

namespace rackline::reserve {
namespace {

constexpr Second kMinute = 60;
constexpr Second kHour = 3600;

std::string when_of(Second at) {
  return format_time(std::chrono::sys_seconds{std::chrono::seconds{at}}).substr(0, 10);
}

class LedgerTest : public testing::Test {
 protected:
  template <class T>
  Answer<T> act(const std::function<Answer<T>(Ledger&)>& verb, bool accept_clock = false) {
    std::optional<Answer<T>> answer;
    LedgerStore(store, clock, accept_clock).run([&](Ledger& ledger) {
      answer = verb(ledger);
      return std::holds_alternative<T>(*answer);
    });
    std::int64_t faults = 0;
    const auto sound = check(store, [&](const record::LedgerFault& fault) {
      ADD_FAILURE() << fault.fault << ": " << fault.subject << ": " << fault.reason;
      ++faults;
    });
    EXPECT_EQ(sound.faults, faults);
    return *answer;
  }
  Answer<PoolAnswer> add(PoolRequest request) {
    return act<PoolAnswer>([&](Ledger& ledger) { return ledger.add_pool(request); });
  }
  Answer<PoolAnswer> set(PoolRequest request) {
    return act<PoolAnswer>([&](Ledger& ledger) { return ledger.set_pool(request); });
  }
  static PoolRequest pool(const std::string& name, const std::string& capacity,
                          const std::string& parent = {}) {
    PoolRequest request;
    request.name = name;
    if (!parent.empty()) request.parent = parent;
    if (!capacity.empty()) request.capacity = parse_amounts(capacity, true);
    return request;
  }
  static ClaimRequest wish(const std::string& pool, const std::string& owner, const std::string& amount) {
    ClaimRequest request;
    request.pool = pool;
    request.owner = owner;
    request.amounts = amounts(amount);
    return request;
  }
  Answer<Granted> claim(const ClaimRequest& request) {
    return act<Granted>([&](Ledger& ledger) { return ledger.claim(request); });
  }
  Answer<Granted> claim(const std::string& pool, const std::string& owner, const std::string& amount) {
    return claim(wish(pool, owner, amount));
  }
  Answer<Lent> borrow(const std::string& borrower, const std::string& lender, const std::string& amount,
                      std::int64_t priority = 0) {
    LoanRequest request;
    request.borrower = borrower;
    request.lender = lender;
    request.amounts = amounts(amount);
    request.priority = priority;
    return act<Lent>([&](Ledger& ledger) { return ledger.borrow(request); });
  }
  Answer<Reclaimed> reclaim(const std::string& lender, Second grace = 0, const std::string& amount = {}) {
    ReclaimRequest request;
    request.lender = lender;
    request.grace = grace;
    if (!amount.empty()) request.amounts = amounts(amount);
    return act<Reclaimed>([&](Ledger& ledger) { return ledger.reclaim(request); });
  }
  template <class T>
  static const Refusal& refusal(const Answer<T>& answer) {
    static const Refusal kNone;
    EXPECT_TRUE(std::holds_alternative<Refusal>(answer));
    return std::holds_alternative<Refusal>(answer) ? std::get<Refusal>(answer) : kNone;
  }
  template <class T>
  static bool granted(const Answer<T>& answer) {
    return std::holds_alternative<T>(answer);
  }
  PoolState state(const std::string& name, const std::string& resource) {
    PoolState found;
    LedgerStore(store, clock).look([&](Ledger& ledger) {
      found = ledger.state(*ledger.find_pool(name), resource, now());
    });
    return found;
  }
  Second now() const { return clock.wall().time_since_epoch().count(); }
  void pass(Second time) { clock.advance(Milliseconds{time * 1000}); }

  MemoryStore store;
  FakeClock clock;
};

TEST_F(LedgerTest, AllOrNothing) {
  add(pool("r", "cpu=4,memory=8GiB"));
  EXPECT_TRUE(granted(claim("r", "web", "cpu=3,memory=2GiB")));
  const auto answer = claim("r", "db", "cpu=1,memory=7GiB");
  EXPECT_EQ(refusal(answer).constraint, "capacity");
  EXPECT_EQ(refusal(answer).resource, "memory");
  EXPECT_EQ(refusal(answer).missing, std::int64_t{1} << 30);
  EXPECT_EQ(state("r", "cpu").granted, 3000);
}

TEST_F(LedgerTest, ARefusalSaysWhenItWouldFitAndWhoHoldsIt) {
  add(pool("r", "cpu=4"));
  auto long_one = wish("r", "web", "cpu=2");
  long_one.period.length = 10 * kHour;
  auto short_one = wish("r", "ci", "cpu=2");
  short_one.period.length = kHour;
  short_one.id = "short";
  claim(long_one);
  claim(short_one);
  auto want = wish("r", "db", "cpu=1");
  want.period.length = 2 * kHour;
  auto answer = claim(want);
  EXPECT_EQ(refusal(answer).fits_at, now() + kHour);
  EXPECT_EQ(refusal(answer).held_by.size(), 2U);
  EXPECT_EQ(refusal(answer).held_by.front(), "cpu=2 ci short");
  want.amounts = amounts("cpu=3");
  answer = claim(want);
  EXPECT_EQ(refusal(answer).fits_at, now() + 10 * kHour);
  want.amounts = amounts("cpu=5");
  EXPECT_FALSE(refusal(claim(want)).fits_at);
}

TEST_F(LedgerTest, WhatEndsIsFreeWithoutAnybodyDoingAnything) {
  add(pool("r", "cpu=4"));
  auto request = wish("r", "web", "cpu=4");
  request.period.length = kHour;
  claim(request);
  EXPECT_FALSE(granted(claim("r", "db", "cpu=1")));
  pass(kHour);
  EXPECT_TRUE(granted(claim("r", "db", "cpu=4")));
}

TEST_F(LedgerTest, TimesMeetWithoutTouching) {
  add(pool("r", "cpu=1"));
  auto first = wish("r", "a", "cpu=1");
  first.period = {now() + 100, now() + 200, {}, {}};
  auto second = first;
  second.period = {now() + 200, now() + 300, {}, {}};
  auto across = first;
  across.period = {now() + 199, now() + 201, {}, {}};
  EXPECT_TRUE(granted(claim(first)));
  EXPECT_TRUE(granted(claim(second)));
  EXPECT_EQ(refusal(claim(across)).conflict_at, now() + 199);
  auto between = first;
  between.period = {now(), now() + 100, {}, {}};
  EXPECT_TRUE(granted(claim(between)));
}

TEST_F(LedgerTest, ARepeatedIdIsGrantedOnce) {
  add(pool("r", "cpu=4"));
  auto request = wish("r", "web", "cpu=3");
  request.id = "job-7";
  EXPECT_EQ(std::get<Granted>(claim(request)).outcome, "granted");
  EXPECT_EQ(std::get<Granted>(claim(request)).outcome, "already");
  EXPECT_EQ(state("r", "cpu").granted, 3000);
  request.amounts = amounts("cpu=1");
  EXPECT_EQ(refusal(claim(request)).constraint, "duplicate");
}

TEST_F(LedgerTest, TheSameIdWithAnyOtherContentIsAnotherRequest) {
  add(pool("r", "cpu=9"));
  add(pool("r2", "cpu=9"));
  const auto timed = [&](ClaimRequest request, const PeriodWords& words) {
    request.period = read_period(words, now());
    return request;
  };
  auto request = timed(wish("r", "web", "cpu=1"), {"2028-01-01T00:00:00Z", "", "", Milliseconds{3'600'000}});
  request.id = "job";
  ASSERT_TRUE(granted(claim(request)));
  EXPECT_EQ(std::get<Granted>(claim(request)).outcome, "already");
  const std::vector<std::function<void(ClaimRequest&)>> others = {
      [](ClaimRequest& r) { r.pool = "r2"; },
      [](ClaimRequest& r) { r.owner = "db"; },
      [](ClaimRequest& r) { r.amounts = amounts("cpu=2"); },
      [](ClaimRequest& r) { r.priority = 1; },
      [](ClaimRequest& r) { r.tags = {"t"}; },
      [](ClaimRequest& r) { r.vm = "v"; },
      [](ClaimRequest& r) { r.host = "h"; },
      [](ClaimRequest& r) { r.limits = amounts("cpu=2"); },
      [](ClaimRequest& r) { r.borrow = true; },
      [](ClaimRequest& r) { r.lendable = true; },
      [&](ClaimRequest& r) {
        r = timed(r, {"2028-01-02T00:00:00Z", "", "", Milliseconds{3'600'000}});
      },
      [&](ClaimRequest& r) {
        r = timed(r, {"2028-01-01T00:00:00Z", "", "", Milliseconds{3'601'000}});
      },
      [&](ClaimRequest& r) {
        r = timed(r, {"2028-01-01T00:00:00Z", "2028-01-01T01:00:00Z"});
      },
      [&](ClaimRequest& r) { r = timed(r, {"2028-01-01T00:00:00Z"}); },
      [&](ClaimRequest& r) {
        r = timed(r, {"2028-01-01T00:00:00Z", "", "daily 8-18", Milliseconds{3'600'000}});
      },
  };
  for (std::size_t i = 0; i < others.size(); ++i) {
    auto other = request;
    others[i](other);
    EXPECT_EQ(refusal(claim(other)).constraint, "duplicate") << i;
  }
}

TEST_F(LedgerTest, WhatCountsFromNowIsTheSameRequestLaterAndAnEndedIdIsNone) {
  add(pool("r", "cpu=1"));
  const auto cron = [&](const PeriodWords& words) {
    auto request = wish("r", "web", "cpu=1");
    request.id = "cron";
    request.period = read_period(words, now());
    return claim(request);
  };
  const PeriodWords hour{"+1m", "+1h"};
  ASSERT_TRUE(granted(cron(hour)));
  pass(kMinute);
  EXPECT_EQ(std::get<Granted>(cron(hour)).outcome, "already");
  pass(kHour);
  EXPECT_EQ(refusal(cron(hour)).constraint, "ended");
  LoanRequest loan;
  add(pool("a", "cpu=1", "r"));
  add(pool("r3", "cpu=2"));
  add(pool("x", "cpu=1", "r3"));
  loan.id = "loan";
  loan.borrower = "x";
  loan.amounts = amounts("cpu=1");
  loan.period = read_period({"", "", "", Milliseconds{1500}}, now());
  const auto borrowed = [&] { return act<Lent>([&](Ledger& ledger) { return ledger.borrow(loan); }); };
  ASSERT_TRUE(granted(borrowed()));
  EXPECT_EQ(std::get<Lent>(borrowed()).outcome, "already");
  pass(1);
  EXPECT_EQ(std::get<Lent>(borrowed()).outcome, "already");  // of 1.5 s the second one counts
  loan.priority = 5;
  EXPECT_EQ(refusal(borrowed()).constraint, "duplicate");
  loan.priority = 0;
  pass(1);
  EXPECT_EQ(refusal(borrowed()).constraint, "ended");
}

TEST_F(LedgerTest, NobodyGetsLessTimeThanHeAskedFor) {
  for (const auto& [asked, seconds] : {std::pair{1, 1}, {600, 1}, {1000, 1}, {1001, 2}, {1999, 2}}) {
    EXPECT_EQ(read_period({"", "", "", Milliseconds{asked}}, now()).length, seconds) << asked;
    EXPECT_EQ(read_period({"", "+" + std::to_string(asked) + "ms"}, now()).until, now() + seconds) << asked;
  }
  for (const int asked : {0, -1, -1999})
    EXPECT_THROW(read_period({"", "", "", Milliseconds{asked}}, now()), Error);
}

TEST_F(LedgerTest, ExtendAndReleaseChangeOnlyTheRest) {
  add(pool("r", "cpu=2"));
  auto request = wish("r", "web", "cpu=2");
  request.id = "a";
  request.period.length = kHour;
  claim(request);
  auto later = wish("r", "db", "cpu=1");
  later.period = {now() + 2 * kHour, now() + 3 * kHour, {}, {}};
  claim(later);
  const auto extend = [&](Second length) {
    return act<Granted>([&](Ledger& ledger) { return ledger.extend("a", {{}, {}, length, {}}); });
  };
  EXPECT_EQ(refusal(extend(2 * kHour)).missing, 1000);
  EXPECT_TRUE(granted(extend(kHour)));
  pass(kMinute);
  const auto release = [&] { return act<Ended>([&](Ledger& ledger) { return ledger.release("a"); }); };
  EXPECT_EQ(std::get<Ended>(release()).outcome, "released");
  EXPECT_EQ(std::get<Ended>(release()).outcome, "already");
  EXPECT_TRUE(granted(claim("r", "ci", "cpu=1")));
  EXPECT_EQ(refusal(extend(kHour)).constraint, "ended");
}

TEST_F(LedgerTest, RecurringOnesHoldOnlyTheirTimes) {
  add(pool("r", "cpu=2"));
  const ZoneScope zone("UTC");
  auto office = wish("r", "office", "cpu=2");
  office.period = {{}, now() + 14 * 24 * kHour, {}, "weekdays 8-18"};
  const auto answer = claim(office);
  ASSERT_TRUE(granted(answer));
  EXPECT_EQ(std::get<Granted>(answer).claim.spans.size(), 10U);
  auto night = wish("r", "night", "cpu=2");
  night.period = {{}, now() + 14 * 24 * kHour, {}, "daily 18-8"};
  EXPECT_TRUE(granted(claim(night)));
  auto noon = wish("r", "noon", "cpu=1");
  noon.period = {{}, now() + 7 * 24 * kHour, {}, "mon 12-13"};
  EXPECT_EQ(refusal(claim(noon)).constraint, "capacity");
  noon.period.every = "sun 12-13";
  EXPECT_TRUE(granted(claim(noon)));
}

TEST_F(LedgerTest, OvercommitCountsTheSizeNotTheCapacity) {
  auto request = pool("r", "cpu=2,memory=4GiB");
  request.ratios["cpu"] = 4000;
  add(request);
  EXPECT_TRUE(granted(claim("r", "web", "cpu=8")));
  EXPECT_FALSE(granted(claim("r", "web", "cpu=0.001")));
  EXPECT_FALSE(granted(claim("r", "web", "memory=5GiB")));
}

TEST_F(LedgerTest, AChildIsGuaranteedItsPartAndNoMore) {
  add(pool("r", "cpu=10"));
  EXPECT_TRUE(granted(add(pool("web", "cpu=6", "r"))));
  EXPECT_EQ(refusal(add(pool("db", "cpu=5", "r"))).missing, 1000);
  EXPECT_FALSE(granted(claim("r", "x", "cpu=5")));
  EXPECT_TRUE(granted(claim("r", "x", "cpu=4")));
  EXPECT_TRUE(granted(claim("web", "x", "cpu=6")));
  EXPECT_EQ(refusal(claim("web", "x", "cpu=1")).constraint, "capacity");
}

TEST_F(LedgerTest, AReservationGrowsIntoWhatItsParentHasFreeUpToItsLimit) {
  add(pool("r", "cpu=10"));
  PoolRequest request = pool("web", "", "r");
  request.reservation = amounts("cpu=2");
  request.limit = amounts("cpu=5");
  add(request);
  add(pool("db", "cpu=4", "r"));
  const auto answer = claim("web", "x", "cpu=4");
  ASSERT_TRUE(granted(answer));
  EXPECT_EQ(std::get<Granted>(answer).loans.front().lender, "r");
  EXPECT_EQ(refusal(claim("web", "x", "cpu=2")).constraint, "limit");
  // What db is guaranteed is not the parent's to give.
  EXPECT_TRUE(granted(claim("r", "x", "cpu=2")));
  EXPECT_EQ(refusal(claim("web", "x", "cpu=1")).constraint, "capacity");
  EXPECT_TRUE(granted(claim("db", "x", "cpu=4")));
}

TEST_F(LedgerTest, CyclesAndUnknownParentsAreRefused) {
  EXPECT_EQ(refusal(add(pool("a", "cpu=1", "a"))).constraint, "cycle");
  EXPECT_EQ(refusal(add(pool("a", "cpu=1", "b"))).constraint, "unknown_pool");
  add(pool("a", "cpu=4"));
  add(pool("b", "cpu=2", "a"));
  auto move = pool("a", "");
  move.parent = "b";
  EXPECT_EQ(refusal(set(move)).constraint, "cycle");
}

TEST_F(LedgerTest, APoolIsNotShrunkBelowItsGrants) {
  add(pool("r", "cpu=10"));
  add(pool("web", "cpu=3", "r"));
  auto later = wish("r", "x", "cpu=5");
  later.period = {now() + kHour, now() + 2 * kHour, {}, {}};
  claim(later);
  const auto answer = set(pool("r", "cpu=7"));
  EXPECT_EQ(refusal(answer).constraint, "below_grants");
  EXPECT_EQ(refusal(answer).missing, 1000);
  EXPECT_EQ(refusal(answer).conflict_at, now() + kHour);
  EXPECT_TRUE(granted(set(pool("r", "cpu=8"))));
  pass(2 * kHour);
  EXPECT_TRUE(granted(set(pool("r", "cpu=3"))));
  EXPECT_EQ(refusal(set(pool("web", "cpu=4"))).constraint, "capacity");
}

TEST_F(LedgerTest, HeadroomKeepsTheLargestHostFree) {
  PoolRequest rack = pool("r", "cpu=10");
  rack.headroom = parse_headroom("N+1");
  add(rack);
  auto host = pool("h1", "cpu=4", "r");
  host.hosts = std::vector<std::string>{"h1"};
  add(host);
  host = pool("h2", "cpu=6", "r");
  host.hosts = std::vector<std::string>{"h2"};
  add(host);
  EXPECT_TRUE(granted(claim("h1", "x", "cpu=3")));
  EXPECT_EQ(refusal(claim("h2", "x", "cpu=2")).constraint, "headroom");
  EXPECT_EQ(refusal(claim("h2", "x", "cpu=2")).missing, 1000);
  EXPECT_TRUE(granted(claim("h2", "x", "cpu=1")));
}

TEST_F(LedgerTest, HeadroomOfOneClaim) {
  add(pool("r", "cpu=10"));
  auto request = wish("r", "x", "cpu=6");
  request.headroom = parse_headroom("cpu=5");
  EXPECT_EQ(refusal(claim(request)).constraint, "headroom");
  request.headroom = parse_headroom("cpu=4");
  EXPECT_TRUE(granted(claim(request)));
  request.amounts = amounts("cpu=1");
  request.headroom = parse_headroom("N+1");
  EXPECT_THROW(claim(request), Error);  // of which hosts?
}

TEST_F(LedgerTest, AClaimKeepsItsPoolsHeadroomWhateverItSaysItself) {
  PoolRequest rack = pool("r", "cpu=4");
  rack.headroom = parse_headroom("cpu=2");
  add(rack);
  auto request = wish("r", "x", "cpu=3");
  for (const char* own : {"none", "cpu=1", "cpu=2", "cpu=3"}) {
    request.headroom = parse_headroom(own);
    EXPECT_EQ(refusal(claim(request)).constraint, "headroom") << own;
  }
  request.amounts = amounts("cpu=2");
  EXPECT_EQ(refusal(claim(request)).constraint, "headroom");  // it asks for more than the pool does
  request.headroom = parse_headroom("cpu=1");
  EXPECT_TRUE(granted(claim(request)));
}

TEST_F(LedgerTest, ARecurrenceKeepsItsZoneAndTellsWhatTheClocksSkip) {
  const std::string berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
  const auto at = [](const char* text) { return parse_instant(text, 0); };
  clock.advance(Milliseconds{(at("2027-03-26T00:00:00Z") - now()) * 1000});
  add(pool("r", "cpu=9"));
  {
    const ZoneScope zone(berlin);
    auto request = wish("r", "a", "cpu=1");
    request.id = "a";
    request.period = read_period({"2027-03-27 00:00", "2027-03-30 00:00", "daily 2:30-3:30"}, now());
    const auto answer = std::get<Granted>(claim(request));
    ASSERT_EQ(answer.claim.spans.size(), 3U);
    EXPECT_EQ(answer.claim.spans[1], (Span{at("2027-03-28T01:00:00Z"), at("2027-03-28T01:30:00Z")}));
    ASSERT_EQ(answer.notes.size(), 1U);
    EXPECT_NE(answer.notes.front().find("2027-03-28"), std::string::npos);
    request.id = "gone";
    request.period = read_period({"2027-03-27 00:00", "2027-03-30 00:00", "daily 2:10-2:50"}, now());
    const auto gone = std::get<Granted>(claim(request));
    EXPECT_EQ(gone.claim.spans.size(), 2U);
    ASSERT_EQ(gone.notes.size(), 1U);
    EXPECT_NE(gone.notes.front().find("does not recur on 2027-03-28"), std::string::npos);
  }
  const ZoneScope zone("UTC");
  Period later;
  later.until = at("2027-04-01T00:00:00Z");
  const auto longer = act<Granted>([&](Ledger& ledger) { return ledger.extend("a", later); });
  const auto& spans = std::get<Granted>(longer).claim.spans;
  ASSERT_EQ(spans.size(), 5U);
  EXPECT_EQ(spans.back().from, at("2027-03-31T00:30:00Z"));
}

TEST_F(LedgerTest, RulesThatMeetOnTheClockMeetInTimeAndLoseNone) {
  const auto at = [](const char* text) { return parse_instant(text, 0); };
  for (const char* zone : {"CET-1CEST,M3.5.0,M10.5.0/3", "AEST-10AEDT,M10.1.0,M4.1.0/3", "UTC"}) {
    const ZoneScope scope(zone);
    const Span year{at("2027-01-01T12:00:00Z"), at("2028-01-01T12:00:00Z")};
    for (const auto& [morning, evening] : {std::pair{"daily 2-2:30", "daily 2:30-2"},
                                           {"daily 2:15-3", "daily 3-2:15"},
                                           {"daily 22-2", "daily 2-22"},
                                           {"daily 1-2:30", "daily 2:30-1"}}) {
      Second next = year.from;
      auto all = occurrences(parse_recurrence(morning), year);
      const auto others = occurrences(parse_recurrence(evening), year);
      all.insert(all.end(), others.begin(), others.end());
      std::sort(all.begin(), all.end(), [](const Span& a, const Span& b) { return a.from < b.from; });
      for (const auto& span : all) {
        EXPECT_EQ(span.from, next) << zone << " " << morning;
        next = span.until;
      }
      EXPECT_EQ(next, year.until);
    }
  }
}

TEST_F(LedgerTest, DaysOfTheMonthItsNthWeekdaysAndExceptions) {
  const ZoneScope scope("UTC");
  const Span year{parse_instant("2027-01-01T00:00:00Z", 0), parse_instant("2028-01-01T00:00:00Z", 0)};
  const auto days = [&](const char* rule) {
    std::string text;
    for (const auto& span : occurrences(parse_recurrence(rule), year)) text += " " + when_of(span.from);
    return text;
  };
  EXPECT_EQ(days("1st 2-4 except 2027-02-01..2027-12-31"), " 2027-01-01");
  EXPECT_EQ(days("31st 2-4"),
            " 2027-01-31 2027-03-31 2027-05-31 2027-07-31 2027-08-31 2027-10-31 2027-12-31");
  EXPECT_EQ(days("last day 2-4 except 2027-04-01..2027-12-31"), " 2027-01-31 2027-02-28 2027-03-31");
  EXPECT_EQ(days("2nd tue 20-22 except 2027-04-01..2027-12-31"), " 2027-01-12 2027-02-09 2027-03-09");
  EXPECT_EQ(days("first,last mon 8 to 18 except 2027-03-01..2027-12-31"),
            " 2027-01-04 2027-01-25 2027-02-01 2027-02-22");
  EXPECT_EQ(days("fifth fri 0-24"), " 2027-01-29 2027-04-30 2027-07-30 2027-10-29 2027-12-31");
  EXPECT_EQ(days("daily 8-18 except 2027-01-02..2027-12-30,2027-12-31"), " 2027-01-01");
  for (const char* wrong :
       {"6th mon 8-18", "0th 8-18", "32nd 8-18", "1nd 8-18", "2nd tue", "mon tue 8-18", "except 2027-01-01",
        "daily 8-18 except", "daily 8-18 except 2027-02-30", "daily 8-18 except 2027-01-02..2027-01-01",
        "daily 8-18 except tomorrow", "1st,mon 8-18", "daily 8-18 except 2027-01-01 8-9"}) {
    EXPECT_THROW(parse_recurrence(wrong), Error) << wrong;
  }
}

TEST_F(LedgerTest, AReservationIsChangedAtOnceOrNotAtAll) {
  add(pool("r", "cpu=4"));
  auto request = wish("r", "x", "cpu=2");
  request.id = "c";
  request.period.length = 2 * kHour;
  claim(request);
  request.id = "other";
  request.amounts = amounts("cpu=1");
  request.period = {now() + kHour, now() + 3 * kHour};
  claim(request);
  const auto change = [&](const std::string& amount, std::optional<Second> from,
                          std::optional<Second> until) {
    ChangeRequest wanted{.id = "c"};
    if (!amount.empty()) wanted.amounts = amounts(amount);
    wanted.period.from = from;
    wanted.period.until = until;
    return act<Granted>([&](Ledger& ledger) { return ledger.change(wanted); });
  };
  pass(kMinute);
  // Four are too much beside the other one, and nothing has changed.
  EXPECT_EQ(refusal(change("cpu=4", {}, {})).missing, 1000);
  EXPECT_EQ(refusal(change("cpu=4", {}, {})).held_by, std::vector<std::string>{"cpu=1 x other"});
  EXPECT_EQ(state("r", "cpu").granted, 2000);
  EXPECT_TRUE(granted(change("cpu=4", {}, now() + 10 * kMinute)));
  EXPECT_EQ(state("r", "cpu").granted, 4000);
  EXPECT_TRUE(granted(change("cpu=3", {}, now() + 2 * kHour)));
  EXPECT_EQ(state("r", "cpu").granted, 3000);
  EXPECT_EQ(refusal(claim("r", "y", "cpu=2")).missing, 2000);
  // What it held before stays in the ledger, and is over.
  std::vector<std::string> past;
  Filter all;
  all.ended = true;
  list(store, all, now(),
       {.claim = [&](const Claim& c) { past.push_back(c.id + " " + c.ended); }, .loan = [](const Loan&) {}});
  EXPECT_EQ(past, (std::vector<std::string>{"c~1 changed", "c ", "other "}));
  EXPECT_THROW(change("", now() + kHour, {}), Error);  // it has begun
  EXPECT_THROW(change("", {}, now()), Error);          // that is a release
  EXPECT_TRUE(granted(change("", {}, now() + kMinute)));
  pass(kMinute);
  EXPECT_EQ(state("r", "cpu").granted, 0);
  EXPECT_EQ(refusal(change("cpu=1", {}, {})).constraint, "ended");
}

TEST_F(LedgerTest, OneThatHasNotBegunIsMoved) {
  add(pool("r", "cpu=1"));
  auto request = wish("r", "x", "cpu=1");
  request.id = "c";
  request.period = {now() + kHour, now() + 2 * kHour};
  claim(request);
  ChangeRequest move{.id = "c"};
  move.period.from = now() + 90 * kMinute;
  move.period.length = kHour;
  const auto answer = act<Granted>([&](Ledger& ledger) { return ledger.change(move); });
  ASSERT_TRUE(granted(answer));
  EXPECT_EQ(std::get<Granted>(answer).claim.from, now() + 90 * kMinute);
  EXPECT_EQ(std::get<Granted>(answer).claim.until(), now() + 150 * kMinute);
  request.id = "before";
  request.period = {now(), now() + 90 * kMinute};
  EXPECT_TRUE(granted(claim(request)));
}

TEST_F(LedgerTest, RoomIsMadeByWhatMattersLessAndNoMoreThanMust) {
  add(pool("r", "cpu=10"));
  const auto want = [&](const std::string& id, const std::string& amount, std::int64_t priority,
                        bool preempt) {
    auto request = wish("r", id, amount);
    request.id = id;
    request.priority = priority;
    request.preempt = preempt;
    return claim(request);
  };
  want("small", "cpu=1", 0, false);
  want("big", "cpu=6", 1, false);
  want("equal", "cpu=3", 5, false);
  EXPECT_EQ(refusal(want("new", "cpu=6", 5, false)).constraint, "capacity");
  EXPECT_EQ(refusal(want("new", "cpu=8", 5, true)).constraint, "capacity");  // equals stay
  EXPECT_EQ(state("r", "cpu").granted, 10000);
  const auto answer = want("new", "cpu=6", 5, true);
  ASSERT_TRUE(granted(answer));
  const auto& hits = std::get<Granted>(answer).hits;
  ASSERT_EQ(hits.size(), 1U);
  EXPECT_EQ(hits.front().id, "big");
  EXPECT_EQ(state("r", "cpu").granted, 10000);
}

class LoanTest : public LedgerTest {
 protected:
  void SetUp() override {
    add(pool("r", "cpu=20"));
    add(pool("web", "cpu=10", "r"));
    add(pool("db", "cpu=10", "r"));
  }
};

TEST_F(LoanTest, WhatSeveralLendIsRecognisedWhenItIsAskedForAgain) {
  add(pool("s", "cpu=24"));
  add(pool("lab", "cpu=4", "s"));
  for (const char* name : {"a", "b"}) add(pool(name, "cpu=10", "s"));
  LoanRequest request;
  request.id = "night";
  request.borrower = "lab";
  request.amounts = amounts("cpu=14");
  const auto borrowed = [&] { return act<Lent>([&](Ledger& ledger) { return ledger.borrow(request); }); };
  ASSERT_TRUE(granted(borrowed()));
  const auto again = std::get<Lent>(borrowed());
  EXPECT_EQ(again.outcome, "already");
  std::int64_t cpu = 0;
  for (const auto& loan : again.loans) cpu += loan.amounts.at("cpu");
  EXPECT_EQ(cpu, 14000);
  EXPECT_EQ(state("lab", "cpu").borrowed, 14000);
  request.amounts = amounts("cpu=13");
  EXPECT_EQ(refusal(borrowed()).constraint, "duplicate");
}

TEST_F(LoanTest, OnlyWhatIsIdleIsLent) {
  claim("web", "x", "cpu=7");
  EXPECT_EQ(refusal(borrow("db", "web", "cpu=4")).missing, 1000);
  EXPECT_TRUE(granted(borrow("db", "web", "cpu=3")));
  EXPECT_TRUE(granted(claim("db", "y", "cpu=13")));
  EXPECT_EQ(state("web", "cpu").lent, 3000);
  EXPECT_EQ(state("db", "cpu").borrowed, 3000);
  const auto answer = claim("web", "x", "cpu=1");
  EXPECT_EQ(refusal(answer).constraint, "lent");
  EXPECT_EQ(refusal(answer).held_by.back().substr(0, 16), "cpu=3 lent to db");
}

TEST_F(LoanTest, AClaimBorrowsWhatItLacksAndGivesItBackWithItsEnd) {
  auto request = wish("db", "y", "cpu=12");
  request.id = "big";
  EXPECT_EQ(refusal(claim(request)).constraint, "capacity");
  request.borrow = true;
  const auto answer = claim(request);
  ASSERT_TRUE(granted(answer));
  EXPECT_EQ(std::get<Granted>(answer).loans.front().lender, "web");
  EXPECT_FALSE(granted(claim("web", "x", "cpu=9")));
  pass(kMinute);
  act<Ended>([&](Ledger& ledger) { return ledger.release("big"); });
  EXPECT_TRUE(granted(claim("web", "x", "cpu=10")));
}

TEST_F(LoanTest, ABorrowingLimitAndAPartThatIsNeverLentHold) {
  auto change = pool("db", "");
  change.borrow_limit = amounts("cpu=4");
  set(change);
  EXPECT_EQ(refusal(borrow("db", "web", "cpu=5")).constraint, "borrow_limit");
  change = pool("web", "");
  change.never_lent = amounts("cpu=7");
  set(change);
  EXPECT_EQ(refusal(borrow("db", "web", "cpu=4")).constraint, "never_lent");
  EXPECT_TRUE(granted(borrow("db", "web", "cpu=3")));
  EXPECT_FALSE(granted(borrow("db", "web", "cpu=1")));
}

TEST_F(LoanTest, WhoBorrowsLendsNothing) {
  add(pool("r2", "cpu=9"));
  borrow("db", "web", "cpu=2");
  EXPECT_EQ(refusal(borrow("web", "db", "cpu=1")).constraint, "lent");
  EXPECT_EQ(refusal(borrow("r", "db", "cpu=1")).constraint, "borrowed");
  EXPECT_EQ(refusal(borrow("r2", "db", "cpu=1")).constraint, "other_tree");
}

TEST_F(LoanTest, ReclaimReturnsTheFullShareFromTheLowestPriorityFirst) {
  borrow("db", "web", "cpu=10");
  for (const auto& [owner, priority] : {std::pair{"low", 1}, std::pair{"high", 9}, std::pair{"middle", 5}}) {
    auto request = wish("db", owner, "cpu=6");
    request.priority = priority;
    request.id = owner;
    ASSERT_TRUE(granted(claim(request)));
  }
  const auto answer = reclaim("web", 5 * kMinute);
  ASSERT_TRUE(granted(answer));
  std::vector<std::string> hit;
  for (const auto& each : std::get<Reclaimed>(answer).hits) {
    if (!each.is_loan) hit.push_back(each.owner);
  }
  EXPECT_EQ(hit, (std::vector<std::string>{"low", "middle"}));
  // The borrowers keep it for the grace time, and not a second longer.
  EXPECT_FALSE(granted(claim("web", "x", "cpu=1")));
  EXPECT_EQ(state("db", "cpu").granted, 18000);
  pass(5 * kMinute);
  EXPECT_EQ(state("db", "cpu").granted, 6000);
  EXPECT_TRUE(granted(claim("web", "x", "cpu=10")));
}

TEST_F(LoanTest, WhatALoanWasMadeForGoesBeforeWhatIsWithinTheGuarantee) {
  // Of one second, and of the higher priority: neither the order of ids nor priority may decide.
  for (const char* id : {"a", "z"}) {
    auto mine = wish("db", "mine", "cpu=10");
    mine.id = std::string(id) + "-mine";
    ASSERT_TRUE(granted(claim(mine)));
    auto borrowing = wish("db", "borrowing", "cpu=2");
    borrowing.id = std::string("m-") + id;
    borrowing.priority = 9;
    borrowing.borrow = true;
    ASSERT_TRUE(granted(claim(borrowing)));
    const auto answer = reclaim("web");
    ASSERT_TRUE(granted(answer));
    const auto& hits = std::get<Reclaimed>(answer).hits;
    ASSERT_EQ(hits.size(), 2U);
    EXPECT_EQ(hits.back().id, borrowing.id);
    act<Ended>([&](Ledger& ledger) { return ledger.release(mine.id); });
  }
}

TEST_F(LoanTest, ReclaimingAPartTakesTheLoanOfTheLowestPriority) {
  borrow("db", "web", "cpu=3", 5);
  borrow("db", "web", "cpu=3", 1);
  borrow("db", "web", "cpu=3", 9);
  const auto answer = reclaim("web", 0, "cpu=2");
  ASSERT_EQ(std::get<Reclaimed>(answer).hits.size(), 1U);
  EXPECT_EQ(std::get<Reclaimed>(answer).hits.front().priority, 1);
  EXPECT_EQ(state("web", "cpu").lent, 6000);
}

TEST_F(LoanTest, OfLoansNoMoreAreTakenBackThanMustBe) {
  borrow("db", "web", "cpu=1", 0);
  add(pool("ci", "cpu=0", "r"));
  borrow("ci", "web", "cpu=8", 5);
  const auto answer = reclaim("web", 0, "cpu=8");
  ASSERT_EQ(std::get<Reclaimed>(answer).hits.size(), 1U);
  EXPECT_EQ(std::get<Reclaimed>(answer).hits.front().priority, 5);
  EXPECT_EQ(state("web", "cpu").lent, 1000);
}

TEST_F(LoanTest, APartOfALoanIsTakenBack) {
  auto request = wish("db", "y", "cpu=16");
  request.id = "big";
  request.borrow = true;
  ASSERT_TRUE(granted(claim(request)));
  pass(kMinute);
  ReclaimRequest part{.lender = "web", .amounts = amounts("cpu=2"), .grace = kMinute, .part = true};
  const auto answer = act<Reclaimed>([&](Ledger& ledger) { return ledger.reclaim(part); });
  const auto& hits = std::get<Reclaimed>(answer).hits;
  ASSERT_EQ(hits.size(), 2U);  // the claim has not enough left
  EXPECT_EQ(hits.front().amounts, bases(amounts("cpu=2")));
  pass(kMinute);
  EXPECT_EQ(state("web", "cpu").lent, 0);

  borrow("db", "web", "cpu=6", 1);
  borrow("db", "web", "cpu=3", 9);
  const auto smaller = act<Reclaimed>([&](Ledger& ledger) {
    return ledger.reclaim({.lender = "web", .amounts = amounts("cpu=7"), .part = true});
  });
  ASSERT_EQ(std::get<Reclaimed>(smaller).hits.size(), 2U);
  EXPECT_EQ(std::get<Reclaimed>(smaller).hits.back().amounts, bases(amounts("cpu=1")));
  EXPECT_EQ(state("web", "cpu").lent, 2000);
  EXPECT_TRUE(granted(claim("db", "y", "cpu=12")));
}

TEST_F(LoanTest, OfReservationsNoMoreEndThanMust) {
  borrow("db", "web", "cpu=8");
  const auto want = [&](const std::string& id, const std::string& amount, std::int64_t priority) {
    auto request = wish("db", id, amount);
    request.id = id;
    request.priority = priority;
    return claim(request);
  };
  want("y", "cpu=8", 1);
  want("z", "cpu=1", 0);
  want("x", "cpu=9", 2);
  const auto answer = reclaim("web");
  std::vector<std::string> hit;
  for (const auto& each : std::get<Reclaimed>(answer).hits) {
    if (!each.is_loan) hit.push_back(each.id);
  }
  EXPECT_EQ(hit, std::vector<std::string>{"y"});
  EXPECT_EQ(state("db", "cpu").granted, 10000);
}

TEST_F(LoanTest, WhatWasReclaimedIsNotExtendedByBorrowingItAgain) {
  auto request = wish("db", "y", "cpu=12");
  request.id = "big";
  request.borrow = true;
  request.period.length = 10 * kHour;
  ASSERT_TRUE(granted(claim(request)));
  reclaim("web", 5 * kMinute);
  const auto extend = [&] {
    return act<Granted>([&](Ledger& ledger) { return ledger.extend("big", {{}, {}, kHour}); });
  };
  EXPECT_EQ(refusal(extend()).constraint, "capacity");
  EXPECT_EQ(refusal(act<Granted>([&](Ledger& ledger) {
              return ledger.change({.id = "big", .period = {{}, now() + kHour}});
            })).constraint,
            "capacity");
  pass(5 * kMinute);
  EXPECT_TRUE(granted(claim("web", "x", "cpu=10")));
}

TEST_F(LedgerTest, AFixedPoolHoldsThroughEveryLevel) {
  add(pool("r", "cpu=20"));
  add(pool("middle", "cpu=4", "r"));
  PoolRequest leaf = pool("leaf", "", "middle");
  leaf.reservation = amounts("cpu=1");
  add(leaf);
  EXPECT_TRUE(granted(claim("leaf", "x", "cpu=4")));  // what the middle one has
  EXPECT_EQ(refusal(claim("leaf", "x", "cpu=1")).constraint, "capacity");
  auto request = wish("leaf", "x", "cpu=1");
  request.borrow = true;
  EXPECT_TRUE(granted(claim(request)));  // who asks to borrow may
  auto change = pool("middle", "");
  change.expandable = true;
  set(change);
  EXPECT_TRUE(granted(claim("leaf", "x", "cpu=1")));
}

TEST_F(LedgerTest, APoolThatIsMadeAnewHasNothingOfTheOldOne) {
  const auto remove = [&](const std::string& name) {
    return act<PoolAnswer>([&](Ledger& ledger) { return ledger.remove_pool(name); });
  };
  add(pool("r", "cpu=4,gpu=8"));
  add(pool("r2", "cpu=4,gpu=8"));
  add(pool("q", "cpu=1", "r"));
  add(pool("q2", "gpu=1", "r2"));
  for (const char* parent : {"r", "r2", ""}) {
    add(pool("p", std::string(parent) == "r2" ? "gpu=2" : "cpu=2", parent));
    pass(10);
    auto request = wish("p", "x", std::string(parent) == "r2" ? "gpu=1" : "cpu=1");
    request.period.length = 20;
    ASSERT_TRUE(granted(claim(request)));
    if (*parent != '\0')
      borrow(std::string(parent) == "r" ? "q" : "q2", "p", std::string(parent) == "r2" ? "gpu=1" : "cpu=1");
    pass(5);
    if (*parent != '\0') reclaim("p");
    pass(20);
    ASSERT_TRUE(granted(remove("p")));
    pass(10);
  }
}

// After each of them all is added up anew: nothing is granted twice, and the sums are those of the documents.
TEST_F(LoanTest, WhateverIsChangedPreemptedAndTakenBackTheLedgerAddsUp) {
  std::mt19937 random(7);
  const auto any = [&](int most) { return std::uniform_int_distribution(0, most - 1)(random); };
  const std::vector<std::string> pools = {"r", "web", "db", "ci"};
  PoolRequest ci = pool("ci", "", "web");
  ci.reservation = amounts("cpu=2");
  ci.limit = amounts("cpu=6");
  add(ci);
  const auto cpus = [&] { return amounts("cpu=" + std::to_string(1 + any(6))); };
  const auto period = [&] {
    Period some;
    some.from = now() + any(3) * kMinute;
    some.length = (1 + any(20)) * kMinute;
    return some;
  };
  int done = 0;
  const auto count = [&](const auto& answer) { done += granted(answer) ? 1 : 0; };
  for (int i = 0; i < 1200; ++i) {
    const std::string id = "c" + std::to_string(any(i / 2 + 1));
    const std::string& where = pools[static_cast<std::size_t>(any(4))];
    try {
      switch (any(7)) {
        case 0:
        case 1: {
          auto request = wish(where, "x", "cpu=1");
          request.id = "c" + std::to_string(i / 2);
          request.amounts = cpus();
          request.period = period();
          request.priority = any(4);
          request.borrow = any(2) == 0;
          request.preempt = any(3) == 0;
          count(claim(request));
          break;
        }
        case 2:
        case 3: {
          ChangeRequest request{.id = id};
          if (any(2) == 0) request.amounts = cpus();
          if (any(2) == 0) request.period.length = (1 + any(20)) * kMinute;
          if (any(4) == 0) request.period.from = now() + any(5) * kMinute;
          count(act<Granted>([&](Ledger& ledger) { return ledger.change(request); }));
          break;
        }
        case 4:
          count(borrow(where, "", "cpu=1", any(4)));
          break;
        case 5:
          count(act<Reclaimed>([&](Ledger& ledger) {
            return ledger.reclaim(
                {.lender = where, .amounts = cpus(), .grace = any(3) * kMinute, .part = any(2) == 0});
          }));
          break;
        default:
          count(act<Granted>([&](Ledger& ledger) { return ledger.extend(id, {{}, {}, kMinute}); }));
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kUsage) << error.what();
    }
    pass(any(40));
  }
  EXPECT_GT(done, 300);
}

TEST_F(LoanTest, ALoanInUseIsNotGivenBackByHand) {
  const auto lent = borrow("db", "web", "cpu=4");
  const std::string id = std::get<Lent>(lent).loans.front().id;
  claim("db", "y", "cpu=12");
  EXPECT_EQ(refusal(act<Ended>([&](Ledger& ledger) { return ledger.release(id); })).constraint, "in_use");
  EXPECT_EQ(state("db", "cpu").borrowed, 4000);
}

TEST_F(LoanTest, ALenderIsNotShrunkByWhatItHasLent) {
  borrow("db", "web", "cpu=4");
  EXPECT_EQ(refusal(set(pool("web", "cpu=3"))).constraint, "below_grants");
  auto change = pool("web", "");
  change.never_lent = amounts("cpu=7");
  EXPECT_EQ(refusal(set(change)).constraint, "below_grants");
}

TEST_F(LedgerTest, APoolInWhichSomethingIsHeldIsNotRemoved) {
  add(pool("r", "cpu=4"));
  add(pool("a", "cpu=2", "r"));
  auto request = wish("a", "x", "cpu=1");
  request.id = "c";
  claim(request);
  const auto remove = [&](const std::string& name) {
    return act<PoolAnswer>([&](Ledger& ledger) { return ledger.remove_pool(name); });
  };
  EXPECT_EQ(refusal(remove("r")).constraint, "not_empty");
  EXPECT_EQ(refusal(remove("a")).constraint, "not_empty");
  pass(kHour);
  act<Ended>([&](Ledger& ledger) { return ledger.release("c"); });
  EXPECT_TRUE(granted(remove("a")));
  // What was granted in it is over, and asking about it is answered.
  EXPECT_EQ(std::get<Ended>(act<Ended>([&](Ledger& ledger) { return ledger.release("c"); })).outcome,
            "already");
  EXPECT_EQ(refusal(act<Granted>([&](Ledger& ledger) { return ledger.extend("c", {}); })).constraint,
            "ended");
  EXPECT_TRUE(granted(claim("r", "x", "cpu=4")));
  EXPECT_TRUE(granted(add(pool("b", "cpu=0", "r"))));
}

TEST_F(LedgerTest, AddingTheSamePoolAgainIsDoneAlready) {
  add(pool("r", "cpu=4"));
  add(pool("a", "cpu=2", "r"));
  pass(5);
  EXPECT_EQ(std::get<PoolAnswer>(add(pool("r", "cpu=4"))).outcome, "already");
  EXPECT_EQ(refusal(add(pool("r", "cpu=5"))).constraint, "duplicate");
}

TEST_F(LedgerTest, AClockThatRanBackwardsALittleIsWaitedOutAndMoreIsRefused) {
  add(pool("r", "cpu=4"));
  pass(1000);
  auto request = wish("r", "x", "cpu=4");
  request.period.length = 100;
  const auto ends = std::get<Granted>(claim(request)).claim.until();
  FakeClock earlier(clock.wall() - std::chrono::seconds{30});
  std::optional<Answer<Granted>> answer;
  LedgerStore(store, earlier).run([&](Ledger& ledger) {
    answer = ledger.claim(wish("r", "y", "cpu=1"));
    return granted(*answer);
  });
  EXPECT_EQ(refusal(*answer).fits_at, ends);
  FakeClock hours(clock.wall() - std::chrono::hours{3});
  EXPECT_THROW(LedgerStore(store, hours).run([&](Ledger& ledger) {
    return granted(ledger.claim(wish("r", "y", "cpu=1")));
  }),
               Error);
  LedgerStore(store, hours, true).run([&](Ledger& ledger) {
    auto past = wish("r", "y", "cpu=1");
    past.period.length = kHour;
    answer = ledger.claim(past);
    return granted(*answer);
  });
  EXPECT_TRUE(granted(*answer));
  check(store, [](const record::LedgerFault& fault) { ADD_FAILURE() << fault.reason; });
}

TEST_F(LedgerTest, BadAmountsAreToldAndNothingIsWritten) {
  add(pool("r", "cpu=4,memory=8GiB"));
  const auto before = store.entries;
  for (const char* text : {"cpu=-1", "cpu=0", "cpu=1e3", "cpu=0.0001", "cpu=99999999999999999999", "cpu=1GiB",
                           "memory=4", "memory=1Gbit", "memory=-1GiB", "memory=0.5B", "cpu", "=4", "",
                           "cpu=", "cpu=4,", "cpu=1,cpu=2", "Cpu=1", "memory=9EiB", "cpu=nan"}) {
    EXPECT_THROW(parse_amounts(text), Error) << text;
  }
  EXPECT_EQ(refusal(claim("r", "x", "gpu=1")).constraint, "unknown_resource");
  EXPECT_EQ(refusal(claim("nowhere", "x", "cpu=1")).constraint, "unknown_pool");
  auto late = wish("r", "x", "cpu=1");
  late.period = {now() - 10, {}, {}, {}};
  EXPECT_THROW(claim(late), Error);
  late.period = {now() + 10, now() + 5, {}, {}};
  EXPECT_THROW(claim(late), Error);
  EXPECT_EQ(store.entries, before);
}

TEST_F(LedgerTest, CheckFindsWhatIsWrongAndNamesIt) {
  add(pool("r", "cpu=4"));
  auto request = wish("r", "x", "cpu=3");
  request.id = "c";
  claim(request);
  const auto faults = [&] {
    std::vector<std::string> found;
    check(store, [&](const record::LedgerFault& fault) { found.push_back(fault.fault); });
    return found;
  };
  const auto good = store.entries;
  const auto key = [&](const std::string& prefix) { return store.list(prefix).front().key; };
  // More is granted than the sums say, and more than there is.
  auto& text = store.entries.at(key("reserve/c/")).first;
  text.replace(text.find("3000"), 4, "5000");
  EXPECT_EQ(faults(), (std::vector<std::string>{"profile", "over_granted"}));
  store.entries = good;
  store.entries.erase(key("reserve/c/"));
  EXPECT_FALSE(faults().empty());
  store.entries = good;
  store.entries.erase("reserve/i/c");
  EXPECT_EQ(faults(), std::vector<std::string>{"index"});
  store.entries = good;
  store.entries.erase(key("reserve/t/"));
  EXPECT_EQ(faults(), std::vector<std::string>{"profile"});
  store.entries = good;
  store.entries.at(key("reserve/c/")).first = "{\"id\":";
  EXPECT_EQ(faults().front(), "unreadable");
  store.entries = good;
  EXPECT_TRUE(faults().empty());
}

}  // namespace
}  // namespace rackline::reserve
