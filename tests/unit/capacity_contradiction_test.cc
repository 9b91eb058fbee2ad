// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/error.h"
#include "capacity/contradiction.h"

namespace rackline::capacity {
namespace {

struct Case {
  Round round;
  Rules rules;

  explicit Case(int hosts = 3, int vms = 4) {
    for (int i = 1; i <= hosts; ++i) {
      round.host_slot().host = "h" + std::to_string(i);
      round.keep_host();
    }
    for (int i = 1; i <= vms; ++i) {
      round.vm_slot().vm = "v" + std::to_string(i);
      round.vm_slot().host = "h1";
      round.keep_vm();
    }
  }
  Case& rule(const std::string& word, std::vector<std::string> vms, record::List hosts = {},
             record::List on = {}, record::Integer domains = {}) {
    record::PlacementRule rule;
    rule.rule = word;
    rule.vms = std::move(vms);
    rule.hosts = std::move(hosts);
    rule.on = std::move(on);
    rule.domains = domains;
    rules.add(rule);
    return *this;
  }
  std::string impossible() const {
    const auto found = contradictions(round, rules, {});
    return found.impossible.empty() ? "" : found.impossible.front();
  }
  std::string doubtful() const {
    const auto found = contradictions(round, rules, {});
    EXPECT_TRUE(found.impossible.empty()) << found.impossible.front();
    return found.doubtful.empty() ? "" : found.doubtful.front();
  }
};

using L = std::vector<std::string>;

TEST(PlanContradiction, RulesThatCanBeObeyedAreNone) {
  Case c;
  c.rule("pin", {"v1"}, L{"h1", "h2"}).rule("pin", {"v2"}, L{"h2"}).rule("anti_affinity", {"v1", "v2", "v3"});
  c.rule("exclude", {"v3"}, L{"h2", "h1"}).rule("depends", {"v1"}, {}, L{"v4"});
  EXPECT_EQ(c.impossible(), "");
  EXPECT_EQ(c.doubtful(), "");
}

TEST(PlanContradiction, PinsAndExclusionsThatLeaveNoHostAreNamedInPairs) {
  EXPECT_EQ(
      Case().rule("pin", {"v1"}, L{"h1", "h2"}).rule("exclude", {"v1"}, L{"h1", "h2", "h3"}).impossible(),
      "pin of v1 to h1, h2 and exclude of v1 from h1, h2, h3 leave v1 no host");
  // Only all three together.
  EXPECT_EQ(Case()
                .rule("pin", {"v1"}, L{"h1", "h2"})
                .rule("exclude", {"v1"}, L{"h1"})
                .rule("exclude", {"v1"}, L{"h2"})
                .impossible(),
            "exclude of v1 from h1 and exclude of v1 from h2 and pin of v1 to h1, h2 leave v1 no host of the "
            "input");
}

TEST(PlanContradiction, PartnersThatPinsForceTogetherAreFoundThroughOthers) {
  // v1 and v2 have two hosts between them, and v3 wants one of those as well: no pair shows it.
  Case c;
  c.rule("pin", {"v1", "v2"}, L{"h1", "h2"}).rule("pin", {"v3"}, L{"h2"});
  c.rule("anti_affinity", {"v1", "v2", "v3"});
  EXPECT_EQ(c.impossible(),
            "anti_affinity of v1, v2, v3 and pin of v1, v2 to h1, h2 and pin of v3 to h2: v1, v2, v3 need "
            "different "
            "hosts, and are left h1, h2");
}

TEST(PlanContradiction, GroupsOfTheSamplesCountToo) {
  Case c(3, 0);
  for (const char* name : {"v1", "v2"}) {
    c.round.vm_slot().vm = name;
    c.round.vm_slot().host = "h1";
    c.round.vm_slot().anti_affinity = "db";
    c.round.keep_vm();
  }
  c.rule("pin", {"v1", "v2"}, L{"h1"});
  EXPECT_EQ(c.impossible(),
            "anti-affinity group db and pin of v1, v2 to h1: v1, v2 need different hosts, and are left h1");
}

TEST(PlanContradiction, TooFewHostsAreADoubtAndNoContradiction) {
  EXPECT_EQ(Case(2).rule("anti_affinity", {"v1", "v2", "v3"}).doubtful(),
            "anti_affinity of v1, v2, v3: 3 virtual servers need 3 hosts, and there are 2");
  EXPECT_EQ(Case(2).rule("spread", {"v1", "v2", "v3"}, {}, {}, 2).doubtful(), "");
}

TEST(PlanContradiction, SpreadOverMoreDomainsThanThereAre) {
  Case c(0);
  for (int i = 1; i <= 3; ++i) {
    c.round.host_slot().host = "h" + std::to_string(i);
    c.round.host_slot().failure_domain = "rack1";
    c.round.keep_host();
  }
  EXPECT_EQ(c.rule("spread", {"v1", "v2", "v3"}, {}, {}, 2).doubtful(),
            "spread of v1, v2, v3 over 2 domains: 3 virtual servers need 2 failure domains, and there are 1");
}

TEST(PlanContradiction, ACircleOfDependenciesIsNamed) {
  Case c;
  c.rule("depends", {"v1"}, {}, L{"v2"}).rule("depends", {"v2", "v4"}, {}, L{"v3"});
  EXPECT_EQ(c.impossible(), "");
  c.rule("depends", {"v3"}, {}, L{"v4", "v1"});
  EXPECT_EQ(c.impossible(), "depends goes in a circle: v1 on v2 on v3 on v1");
}

TEST(PlanContradiction, DependenciesThatPinsKeepApartAreNamed) {
  Case c;
  c.rule("depends", {"v1"}, {}, L{"v2"}).rule("pin", {"v1"}, L{"h1"}).rule("pin", {"v2"}, L{"h2"});
  EXPECT_EQ(
      c.impossible(),
      "depends of v1 on v2 and pin of v1 to h1 and pin of v2 to h2: v1 is left no neighbourhood in common");
}

TEST(PlanContradiction, WhatARuleDependsOnAndIsNotThereIsADoubt) {
  EXPECT_EQ(Case().rule("depends", {"v1"}, {}, L{"v9"}).doubtful(),
            "depends of v1 on v9: v9 is not in the input, so they stay");
}

TEST(PlanContradiction, ARuleThatBindsNothingIsTold) {
  Case c;
  c.rule("pin", {"w1"}, L{"h1"});
  EXPECT_EQ(contradictions(c.round, c.rules, {}).idle.front(),
            "pin of w1 to h1: none of them is in the input");
}

TEST(PlanContradiction, ARuleThatLacksAPartIsNotTaken) {
  Case c;
  EXPECT_THROW(c.rule("depends", {"v1"}), Error);
  EXPECT_THROW(c.rule("compatible", {}), Error);
  EXPECT_THROW(c.rule("pin", {}, L{"h1"}), Error);
  EXPECT_THROW(c.rule("spread", {"v1", "v2"}, {}, {}, 3), Error);
  EXPECT_THROW(c.rule("anti_affinity", {"v1", "v2"}, {}, {}, 2), Error);
}

}  // namespace
}  // namespace rackline::capacity
