// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "act/run.h"

namespace rackline::act {
namespace {

struct Report {
  Outcome outcome = Outcome::kFailed;
  std::string reason;
};
using Plan = Run<Report, int>;

// Items of which each says what it will come to.
class ActRun : public testing::Test {
 protected:
  Tally run(
      std::vector<Item> items, std::vector<Outcome> outcomes, int max_total,
      Schedule::DependsOn depends_on = [](auto, auto) { return std::nullopt; }) {
    const std::size_t count = items.size();
    Plan plan(
        Schedule(std::move(items), max_total, std::move(depends_on)),
        {.work =
             [&](std::size_t item, const Plan::Voice& voice) {
               return [this, item, voice, outcome = outcomes[item]] {
                 const int now = ++running_;
                 most_ = std::max<int>(most_, now);
                 voice.progress(50);
                 if (outcome == Outcome::kFailed) voice.warn(std::to_string(item) + " is lost");
                 --running_;
                 return Report{outcome, ""};
               };
             },
         .not_begun =
             [](Outcome outcome, const std::string& reason) {
               return Report{outcome, reason};
             },
         .finished = [this](std::size_t item, const Report& report) { finished_[item].push_back(report); },
         .progress = [this](std::size_t, int percent) { progress_ += percent; },
         .warn = [this](const std::string& text) { warnings_.push_back(text); },
         .cancel = [] {}});
    for (const std::size_t item : refused_) plan.refuse(item, "it is wrong");
    plan.go();
    EXPECT_EQ(finished_.size(), count);
    for (const auto& [item, reports] : finished_) EXPECT_EQ(reports.size(), 1U) << "item " << item;
    return plan.tally();
  }

  std::vector<std::size_t> refused_;
  std::map<std::size_t, std::vector<Report>> finished_;
  std::vector<std::string> warnings_;
  int progress_ = 0;
  std::atomic<int> running_ = 0, most_ = 0;
};

TEST_F(ActRun, SettlesEachItemOnceAndCountsIt) {
  const Tally tally =
      run(std::vector<Item>(4), {Outcome::kDone, Outcome::kAlready, Outcome::kFailed, Outcome::kUnknown}, 4);
  EXPECT_EQ(tally[Outcome::kDone], 1);
  EXPECT_EQ(tally[Outcome::kAlready], 1);
  EXPECT_EQ(tally[Outcome::kFailed], 1);
  EXPECT_EQ(tally[Outcome::kUnknown], 1);
  EXPECT_EQ(progress_, 200);
  EXPECT_EQ(warnings_, std::vector<std::string>{"2 is lost"});
}

TEST_F(ActRun, NeverHasMoreAtWorkThanTheLimitsAllow) {
  std::vector<Item> items;
  for (int i = 0; i < 30; ++i) items.push_back({1, {{"array", 2}}});
  EXPECT_EQ(run(items, std::vector<Outcome>(30, Outcome::kDone), 5)[Outcome::kDone], 30);
  EXPECT_LE(most_, 2);
}

TEST_F(ActRun, RefusesWhatRestsOnAnItemThatWasNotCarriedOut) {
  const auto on_the_one_before = [](std::size_t later, std::size_t failed) {
    return later == failed + 1 ? std::optional<std::string>("the one before is missing") : std::nullopt;
  };
  const std::vector<Item> items{{1}, {2}, {3}};
  const Tally tally = run(items, {Outcome::kUnknown, Outcome::kDone, Outcome::kDone}, 5, on_the_one_before);
  EXPECT_EQ(tally[Outcome::kRefused], 2);
  EXPECT_EQ(finished_[2][0].reason, "the one before is missing");
}

TEST_F(ActRun, AnItemThatIsWrongIsRefusedAndTheOthersAreCarriedOut) {
  refused_ = {0};
  const Tally tally = run(std::vector<Item>(2), {Outcome::kDone, Outcome::kDone}, 1);
  EXPECT_EQ(tally[Outcome::kRefused], 1);
  EXPECT_EQ(tally[Outcome::kDone], 1);
  EXPECT_EQ(finished_[0][0].reason, "it is wrong");
}

TEST_F(ActRun, AnItemThatIsWrongAndRestsOnAWrongOneIsRefusedOnce) {
  refused_ = {0, 1};
  const auto on_the_first = [](std::size_t, std::size_t failed) {
    return failed == 0 ? std::optional<std::string>("the first is missing") : std::nullopt;
  };
  const Tally tally = run({{1}, {2}, {2}}, std::vector<Outcome>(3, Outcome::kDone), 1, on_the_first);
  EXPECT_EQ(tally[Outcome::kRefused], 3);
}

Status status_of(std::vector<Outcome> outcomes) {
  Tally tally;
  for (const Outcome outcome : outcomes) tally.add(outcome);
  return tally.status();
}

TEST(Tally, SaysNoWhereSomethingIsNotKnownToBeDone) {
  EXPECT_EQ(status_of({}), Status::kDone);
  EXPECT_EQ(status_of({Outcome::kDone, Outcome::kAlready}), Status::kDone);
  EXPECT_EQ(status_of({Outcome::kDone, Outcome::kRefused}), Status::kRefused);
  for (const Outcome bad : {Outcome::kFailed, Outcome::kCancelled, Outcome::kUnknown})
    EXPECT_EQ(status_of({Outcome::kRefused, bad, Outcome::kDone}), Status::kNo) << word_of(bad);
}

TEST(Tally, OfADryRunClaimsNothing) {
  Tally tally;
  tally.add(Outcome::kDone, 3);
  tally.add(Outcome::kUnknown);
  record::End end;
  tally.tell(end, true);
  EXPECT_EQ(end.planned, 3);
  EXPECT_EQ(end.done, std::nullopt);
  EXPECT_EQ(end.failed, 1);
}

}  // namespace
}  // namespace rackline::act
