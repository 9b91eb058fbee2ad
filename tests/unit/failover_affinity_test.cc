// SPDX-License-Identifier: Apache-2.0
// Wishes for places that cannot all be fulfilled.
#include <gtest/gtest.h>

#include "failover/affinity.h"

namespace rackline::failover {
namespace {

Protected vm(const std::string& name, Affinity affinity, std::optional<std::string> apart = {}) {
  Protected vm;
  vm.vm = name;
  vm.affinity = std::move(affinity);
  vm.anti_affinity = std::move(apart);
  return vm;
}

const std::set<std::string> kHosts{"h1", "h2", "h3"};

TEST(AffinityContradiction, WhatCanBeIsNone) {
  EXPECT_EQ(
      affinity_contradiction({vm("a", {{"h1", "h2"}, true, "t", true}), vm("b", {{"h2"}, true, "t", false}),
                              vm("c", {{"h1"}, true, {}, false}, "g"),
                              vm("d", {{"h2"}, true, {}, false}, "g"), vm("e", {}, "g")},
                             kHosts),
      "");
}

TEST(AffinityContradiction, AHostThatIsNotInTheInventory) {
  EXPECT_EQ(affinity_contradiction({vm("a", {{"h9"}, false, {}, false})}, kHosts),
            "a is to be on h9, which is not in the inventory");
}

TEST(AffinityContradiction, OnlyAndFailbackNeedHosts) {
  EXPECT_NE(affinity_contradiction({vm("a", {{}, true, {}, false})}, kHosts), "");
  EXPECT_NE(affinity_contradiction({vm("a", {{}, false, {}, true})}, kHosts), "");
}

TEST(AffinityContradiction, TogetherAndApart) {
  EXPECT_EQ(affinity_contradiction(
                {vm("a", {{}, false, "t", false}, "g"), vm("b", {{}, false, "t", false}, "g")}, kHosts),
            "a and b are to run together (t) and apart (g)");
}

TEST(AffinityContradiction, TogetherAndNoHostMayHaveBoth) {
  EXPECT_EQ(affinity_contradiction({vm("a", {{"h1"}, true, "t", false}), vm("b", {{"h2"}, true, "t", false})},
                                   kHosts),
            "a and b are to run together (t), and no host may have both");
}

TEST(AffinityContradiction, ApartOnTooFewHosts) {
  EXPECT_EQ(affinity_contradiction(
                {vm("a", {{"h1"}, true, {}, false}, "g"), vm("b", {{"h1"}, true, {}, false}, "g")}, kHosts),
            "a, b are to run apart (g), and only on h1");
}

}  // namespace
}  // namespace rackline::failover
