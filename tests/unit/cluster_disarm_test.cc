// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cluster/disarm.h"
#include "store_urls.h"

namespace rackline::cluster {
namespace {

class DisarmTest : public testing::Test {
 protected:
  DisarmTest() : store_(store::Store::open("sqlite:" + (scratch_.path() / "state.db").string())) {}
  store::ScratchDirectory scratch_;
  std::unique_ptr<store::Store> store_;
  std::chrono::sys_seconds now_{std::chrono::seconds{1'800'000'000}};
};

TEST_F(DisarmTest, SaysWhoAndWhyAndEndsByItself) {
  EXPECT_EQ(disarmed(*store_, now_), "");
  put(*store_, {"new switches", now_, "ann", now_ + std::chrono::hours{1}});
  EXPECT_EQ(
      disarmed(*store_, now_),
      "the cluster is disarmed since 2027-01-15T08:00:00Z (by ann) until 2027-01-15T09:00:00Z: new switches");
  EXPECT_EQ(healing(*store_, now_).state, "disarmed");
  EXPECT_EQ(disarmed(*store_, now_ + std::chrono::hours{1}), "");
  EXPECT_EQ(healing(*store_, now_ + std::chrono::hours{1}).state, "armed");
}

// Unknown is a refusal.
TEST_F(DisarmTest, AMarkThatCannotBeReadDisarmsUntilItIsTakenAway) {
  for (const char* torn : {"", "{", "[]", R"({"reason":"","by":"","time":"yesterday"})",
                           R"({"reason":"","by":"","time":"2027-01-15T08:00:00Z","until":5})"}) {
    ASSERT_TRUE(store_->commit({{}, {{"disarmed", torn}}, {}}));
    EXPECT_NE(disarmed(*store_, now_), "") << torn;
    EXPECT_EQ(healing(*store_, now_).state, "disarmed");
    EXPECT_TRUE(remove_disarm(*store_));
    EXPECT_EQ(disarmed(*store_, now_), "");
  }
}

}  // namespace
}  // namespace rackline::cluster
