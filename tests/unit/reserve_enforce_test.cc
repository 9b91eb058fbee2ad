// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "reserve/enforce.h"

namespace rackline::reserve {
namespace {

virt::VmTuning vm(const std::string& name, std::map<std::string, std::int64_t> settings,
                  std::int64_t vcpus = 2) {
  return {name, vcpus, 1 << 20, std::move(settings)};
}
Claim claim(const std::string& vm, Amounts amounts, Amounts limits = {}) {
  Claim claim;
  claim.id = "c-" + vm;
  claim.vm = vm;
  claim.amounts = std::move(amounts);
  claim.limits = std::move(limits);
  return claim;
}
const Step& step_of(const std::vector<Step>& steps, const std::string& vm, const std::string& setting) {
  static const Step kNone;
  for (const auto& step : steps) {
    if (step.vm == vm && step.setting == setting) return step;
  }
  ADD_FAILURE() << "nothing is done about " << setting << " of " << vm;
  return kNone;
}

TEST(Enforce, TheWeightLeavesTheReservedCpusWhenEverybodyBurns) {
  const std::map<std::string, virt::HostTuning> hosts{
      {"h1",
       {8,
        {vm("db", {{"cpu_shares", 1024}}), vm("web", {{"cpu_shares", 1024}}),
         vm("n1", {{"cpu_shares", 1024}}), vm("n2", {{"cpu_shares", 2048}})}}}};
  const auto steps = enforce(hosts, true, {claim("db", {{"cpu", 4000}}), claim("web", {{"cpu", 2000}})}, {});
  const double db = static_cast<double>(*step_of(steps, "db", "cpu_shares").wanted);
  const double web = static_cast<double>(*step_of(steps, "web", "cpu_shares").wanted);
  const double all = db + web + 1024 + 2048;
  EXPECT_NEAR(8 * db / all, 4, 0.01);
  EXPECT_NEAR(8 * web / all, 2, 0.01);
}

TEST(Enforce, AlreadyDriftAndUndo) {
  const Applied before{"db", "h1", "c-db", {{"cpu_shares", {1024, 300}}}};
  const auto steps_with = [&](std::int64_t found, bool claimed) {
    const std::map<std::string, virt::HostTuning> hosts{{"h1", {8, {vm("db", {{"cpu_shares", found}})}}}};
    return enforce(hosts, true, claimed ? std::vector{claim("db", {{"cpu", 3000}})} : std::vector<Claim>{},
                   {before});
  };
  EXPECT_EQ(step_of(steps_with(300, true), "db", "cpu_shares").kind, Step::Kind::kAlready);
  const auto drifted = step_of(steps_with(7, true), "db", "cpu_shares");
  EXPECT_EQ(drifted.kind, Step::Kind::kSet);
  EXPECT_TRUE(drifted.drifted);
  const auto undone = step_of(steps_with(300, false), "db", "cpu_shares");
  EXPECT_EQ(undone.kind, Step::Kind::kUndo);
  EXPECT_EQ(undone.wanted, 1024);
}

TEST(Enforce, LimitsBecomeQuotasAndWhatAHostDoesNotOfferIsTold) {
  const std::map<std::string, virt::HostTuning> hosts{{"h1",
                                                       {8,
                                                        {vm("db", {{"cpu_shares", 1024},
                                                                   {"vcpu_quota", -1},
                                                                   {"vcpu_period", 100'000},
                                                                   {"memory_limit", 1 << 30}})}}}};
  const auto steps = enforce(hosts, true,
                             {claim("db", {{"cpu", 1000}, {"memory", std::int64_t{1} << 30}},
                                    {{"cpu", 1500}, {"memory", std::int64_t{2} << 30}, {"iops", 500'000}})},
                             {});
  EXPECT_EQ(step_of(steps, "db", "vcpu_quota").wanted, 75'000);  // of each of two
  EXPECT_EQ(step_of(steps, "db", "memory_limit").wanted, 2 << 20);
  EXPECT_EQ(step_of(steps, "db", "memory_guarantee").kind, Step::Kind::kUnsupported);
  EXPECT_EQ(step_of(steps, "db", "disk_iops").kind, Step::Kind::kUnsupported);
}

TEST(Enforce, AMemoryLimitThatWouldKillTheGuestIsNotSet) {
  const std::map<std::string, virt::HostTuning> hosts{{"h1", {8, {vm("db", {{"memory_limit", 1 << 30}})}}}};
  const auto steps =
      enforce(hosts, true, {claim("db", {{"cpu", 1000}}, {{"memory", std::int64_t{1} << 30}})}, {});
  EXPECT_EQ(step_of(steps, "db", "memory_limit").kind, Step::Kind::kUnsupported);
}

TEST(Enforce, OneThatDoesNotRunIsToldAndForgottenOnlyWhenAllHostsAnswered) {
  EXPECT_EQ(step_of(enforce({}, true, {claim("db", {{"cpu", 1000}})}, {}), "db", "vm").kind,
            Step::Kind::kAbsent);
  const Applied before{"db", "h1", "c-db", {{"cpu_shares", {1024, 300}}}};
  EXPECT_TRUE(enforce({}, false, {}, {before}).empty());
  EXPECT_EQ(step_of(enforce({}, true, {}, {before}), "db", "vm").kind, Step::Kind::kUndo);
}

TEST(Enforce, WhatWasSetIsKeptAsTextAndComesBack) {
  const Applied before{"db", "h1", "c", {{"vcpu_quota", {-1, 5000}}}};
  const auto after = applied_from("k", to_text(before));
  EXPECT_EQ(after.vm, "db");
  EXPECT_EQ(after.settings.at("vcpu_quota").before, -1);
  EXPECT_EQ(after.settings.at("vcpu_quota").set, 5000);
}

}  // namespace
}  // namespace rackline::reserve
