// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "base/id.h"

namespace rackline {
namespace {

// From the published test vectors of FNV-1a, 64 bit: http://www.isthe.com/chongo/src/fnv/test_fnv.c
TEST(Id, HashIsFnv1a) {
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325ULL);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cULL);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8ULL);
}

TEST(Id, SameFactsSameId) {
  EXPECT_EQ(derived_id({"db1", "h1", "h2"}), derived_id({"db1", "h1", "h2"}));
  EXPECT_EQ(derived_id({}).size(), 16U);
}

TEST(Id, WhereOneFactEndsAndTheNextBeginsMatters) {
  const std::set<std::string> ids{derived_id({"ab", "c"}), derived_id({"a", "bc"}), derived_id({"abc"}),
                                  derived_id({"abc", ""}), derived_id({"", "abc"})};
  EXPECT_EQ(ids.size(), 5U);
}

TEST(Id, RandomIdsDiffer) {
  EXPECT_NE(random_id(), random_id());
  EXPECT_EQ(random_id().find_first_not_of("0123456789abcdef"), std::string::npos);
}

}  // namespace
}  // namespace rackline
