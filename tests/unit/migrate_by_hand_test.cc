// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/error.h"
#include "migrate/by_hand.h"
#include "migrate_fake.h"

namespace rackline::migrate {
namespace {

class ByHand : public testing::Test {
 protected:
  ByHand() {
    for (const char* name : {"h1", "h2", "h3"}) hosts_[name].host = name;
  }
  ~ByHand() override { world_->thaw(); }
  Move move(const std::string& vm, const std::string& to) {
    return move_by_hand(
        vm, to, hosts_, [this](const MigrationHost& host) { return world_->host(host.host); },
        Milliseconds{300});
  }
  Status refusal(const std::string& vm, const std::string& to) {
    try {
      move(vm, to);
    } catch (const Error& error) {
      why_ = error.what();
      return error.status();
    }
    return Status::kDone;
  }

  std::shared_ptr<FakeWorld> world_ = std::make_shared<FakeWorld>();
  std::map<std::string, MigrationHost> hosts_;
  std::string why_;
};

TEST_F(ByHand, ItMovesFromWhereItRuns) {
  world_->add("h2", "web");
  world_->add("h3", "web", false);  // a definition that somebody left there
  const Move found = move("web", "h1");
  EXPECT_EQ(found.from, "h2");
  EXPECT_EQ(found.to, "h1");
  EXPECT_EQ(found.uuid, "uuid-web");
  EXPECT_EQ(found.domain_id, 7);
  EXPECT_NE(found.id, move("web", "h1").id);
  EXPECT_EQ(move("web", "h2").from, "h2");
}

TEST_F(ByHand, AStoppedOneMovesFromTheOnlyHostThatHasIt) {
  world_->add("h2", "web", false);
  EXPECT_EQ(move("web", "h1").from, "h2");
  EXPECT_EQ(move("web", "h1").domain_id, std::nullopt);
  world_->add("h3", "web", false);
  EXPECT_EQ(refusal("web", "h1"), Status::kRefused);
  EXPECT_NE(why_.find("h2 and h3"), std::string::npos) << why_;
}

TEST_F(ByHand, WhatIsNotKnownIsNotGuessed) {
  EXPECT_EQ(refusal("web", "h9"), Status::kUsage);
  EXPECT_EQ(refusal("web", "h1"), Status::kNo);
  world_->add("h1", "db");
  world_->add("h2", "db");
  EXPECT_EQ(refusal("db", "h3"), Status::kRefused);
  world_->add("h1", "app");
  world_->add("h2", "off", false);
  world_->freeze("h3");
  EXPECT_EQ(move("app", "h2").from, "h1") << "it is known where it runs";
  EXPECT_EQ(refusal("off", "h1"), Status::kUnreachable);
  EXPECT_NE(why_.find("h3"), std::string::npos) << why_;
}

}  // namespace
}  // namespace rackline::migrate
