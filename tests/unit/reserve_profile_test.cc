// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "reserve/profile.h"
#include "reserve_support.h"

namespace rackline::reserve {
namespace {

class ReadOnlyView final : public store::View {
 public:
  explicit ReadOnlyView(store::Store& store) : store_(store) {}
  std::optional<store::Entry> get(std::string_view key) override { return store_.get(key); }
  void scan(std::string_view first, std::string_view last, const store::Visit& visit) override {
    store_.scan(first, last, visit);
  }

 private:
  store::Store& store_;
};

constexpr Second kStart = 1'800'000'000;

// The same function, as a list of what holds when.
struct Naive {
  std::vector<std::pair<Span, std::int64_t>> held;
  std::int64_t at(Second time) const {
    std::int64_t sum = 0;
    for (const auto& [span, amount] : held) {
      if (span.from <= time && time < span.until) sum += amount;
    }
    return sum;
  }
  // The instants at which it can change, in order, of the span and its beginning.
  std::vector<Second> instants(Span span) const {
    std::vector<Second> all{span.from};
    for (const auto& [each, amount] : held) {
      for (const Second at : {each.from, each.until}) {
        if (at > span.from && at < span.until) all.push_back(at);
      }
    }
    std::sort(all.begin(), all.end());
    return all;
  }
};

TEST(Profile, AnswersAsAListOfAllReservationsDoes) {
  for (const Second step : {1, 37, 5'000, 900'000, 40'000'000}) {
    std::mt19937_64 random(static_cast<std::uint64_t>(step));
    const auto pick = [&](std::int64_t most) {
      return std::uniform_int_distribution<std::int64_t>(0, most)(random);
    };
    MemoryStore store;
    Naive naive;
    for (int round = 0; round < 60; ++round) {
      ReadOnlyView view(store);
      WriteSet writes(view);
      Profile profile(writes, "t/");
      for (int i = 0; i < 12; ++i) {
        if (!naive.held.empty() && pick(3) == 0) {
          const auto place = naive.held.begin() + pick(static_cast<std::int64_t>(naive.held.size()) - 1);
          profile.add("cpu", place->first, -place->second);
          naive.held.erase(place);
          continue;
        }
        const Second from = kStart + pick(300) * step;
        const Second until = pick(5) == 0 ? kForever : std::min(kForever, from + 1 + pick(100) * step);
        const std::int64_t amount = 1 + pick(9);
        profile.add("cpu", {from, until}, amount);
        profile.add("other", {from, until}, 2 * amount);
        naive.held.push_back({{from, until}, amount});
      }
      const Second from = kStart + pick(300) * step;
      const Span span{from, pick(4) == 0 ? kForever : std::min(kForever, from + 1 + pick(150) * step)};
      std::int64_t peak = naive.at(span.from);
      std::int64_t low = peak;
      for (const Second at : naive.instants(span)) {
        peak = std::max(peak, naive.at(at));
        low = std::min(low, naive.at(at));
      }
      ASSERT_EQ(profile.peak("cpu", span), peak);
      ASSERT_EQ(profile.lowest("cpu", span), low);
      ASSERT_EQ(profile.at("cpu", span.from), naive.at(span.from));
      const std::int64_t bound = low + pick(peak - low + 2) - 1;
      std::optional<Second> above;
      std::optional<Second> not_above;
      for (const Second at : naive.instants(span)) {
        if (!above && naive.at(at) > bound) above = at;
        if (!not_above && naive.at(at) <= bound) not_above = at;
      }
      ASSERT_EQ(profile.first_above("cpu", span, bound), above);
      ASSERT_EQ(profile.first_not_above("cpu", span, bound), not_above);
      profile.save();
      if (const auto transaction = writes.transaction()) store.commit(*transaction);
    }
  }
}

TEST(Profile, WhatIsTakenAwayAgainLeavesNothingButItsRoot) {
  MemoryStore store;
  for (const std::int64_t amount : {1, -1}) {
    ReadOnlyView view(store);
    WriteSet writes(view);
    Profile profile(writes, "t/");
    for (int i = 0; i < 500; ++i) profile.add("cpu", {kStart + i * 977, kStart + i * 977 + 100}, amount);
    profile.save();
    if (amount > 0) {
      EXPECT_EQ(profile.peak("cpu", {0, kForever}), 1);
    }
    store.commit(*writes.transaction());
    if (amount > 0) {
      EXPECT_GT(store.entries.size(), 4U);
    }
  }
  EXPECT_EQ(store.entries.size(), 1U);
}

TEST(Profile, OneMoreReservationTouchesFewDocumentsHoweverManyThereAre) {
  MemoryStore store;
  std::mt19937_64 random(1);
  std::uniform_int_distribution<Second> when(0, 31'536'000);
  {
    ReadOnlyView view(store);
    WriteSet writes(view);
    Profile profile(writes, "t/");
    for (int i = 0; i < 100'000; ++i) {
      const Second from = kStart + when(random);
      profile.add("cpu", {from, from + 3'600}, 1);
    }
    profile.save();
    store.commit(*writes.transaction());
  }
  ReadOnlyView view(store);
  WriteSet writes(view);
  Profile profile(writes, "t/");
  profile.add("cpu", {kStart + 1'000'003, kStart + 20'000'001}, 1);
  profile.save();
  const auto transaction = writes.transaction();
  ASSERT_TRUE(transaction);
  EXPECT_LE(transaction->puts.size(), 9U);
  for (const auto& put : transaction->puts) EXPECT_LT(put.value.size(), 6'000U);
}

TEST(Profile, ADocumentThatIsNoneOfOursIsToldByItsName) {
  for (const char* text :
       {"", "[]", "{\"p\":{\"cpu\":[1]}}", "{\"p\":{\"cpu\":\"x\"}}", "{\"c\":{\"cpu\":[1,2]}}"}) {
    EXPECT_THROW(Profile::parse("t/36.0", text, 0), std::exception) << text;
  }
  EXPECT_FALSE(Profile::extent("36.1"));
  EXPECT_FALSE(Profile::extent("7.0"));
  EXPECT_FALSE(Profile::extent("x"));
  EXPECT_EQ(Profile::extent("6.2"), (Span{128, 192}));
}

}  // namespace
}  // namespace rackline::reserve
