// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "fence_fake.h"

namespace rackline::fence {
namespace {

class Driver : public testing::Test {
 protected:
  bmc::PowerReport off(const bmc::FenceLevels& levels, Milliseconds patience = Milliseconds{45'000}) {
    bmc::PowerDriver driver(power, {clock, [this](Milliseconds time) {
                                      clock.advance(time);
                                      if (on_sleep) on_sleep();
                                    }});
    return driver.off(
        levels, clock.monotonic() + patience,
        [this] {
          ++begun;
          return objection;
        },
        self, [this] { return life ? life() : 0; });
  }

  SharedClock clock;
  FakeSwitch power{clock};
  bmc::SelfFence self{"nobody fences itself here", {}, [] { return std::string(); }, "waited"};
  std::function<void()> on_sleep;
  std::string objection;
  std::function<int()> life;
  int begun = 0;
};

TEST_F(Driver, TheStateIsReadBeforeAndTwiceAfter) {
  const auto report = off({{fake_method("a")}});
  EXPECT_TRUE(report.proven);
  EXPECT_EQ(report.before, bmc::Power::kOn);
  EXPECT_EQ(report.after, bmc::Power::kOff);
  EXPECT_EQ(power.plugs["a"].readings, 3);
  EXPECT_EQ(power.plugs["a"].offs, 1);
  EXPECT_EQ(begun, 1);
}

TEST_F(Driver, NothingIsToldBeforeItIsBegun) {
  objection = "a rule forbids it";
  const auto report = off({{fake_method("a")}, {fake_method("b", 2)}});
  EXPECT_FALSE(report.proven);
  EXPECT_EQ(report.objection, objection);
  EXPECT_EQ(power.plugs["a"].offs + power.plugs["b"].offs, 0);
}

TEST_F(Driver, OffAlreadyIsProvenByReadingTwice) {
  power.plugs["a"].power = bmc::Power::kOff;
  const auto report = off({{fake_method("a")}});
  EXPECT_TRUE(report.proven);
  EXPECT_TRUE(report.untouched);
  EXPECT_GE(power.plugs["a"].readings, 2);
  EXPECT_EQ(begun, 0);
}

TEST_F(Driver, ALiarIsTriedAsOftenAsItMayAndIsNotBelieved) {
  power.plugs["a"].liar = true;
  const auto report = off({{fake_method("a")}});
  EXPECT_FALSE(report.proven);
  EXPECT_EQ(power.plugs["a"].offs, 2);
  EXPECT_EQ(report.after, bmc::Power::kOn);
  EXPECT_LE(clock.monotonic(), Milliseconds{46'000});
}

TEST_F(Driver, AStateThatCannotBeReadIsNoProof) {
  power.plugs["a"].mute = true;
  const auto report = off({{fake_method("a")}});
  EXPECT_FALSE(report.proven);
  EXPECT_GT(power.plugs["a"].offs, 0);
  EXPECT_EQ(report.after, bmc::Power::kUnknown);
}

TEST_F(Driver, OneReadingIsNoProof) {
  power.plugs["a"].liar = true;
  int slept = 0;
  on_sleep = [&] { power.plugs["a"].power = ++slept % 2 == 0 ? bmc::Power::kOn : bmc::Power::kOff; };
  EXPECT_FALSE(off({{fake_method("a")}}).proven);
}

TEST_F(Driver, ADeafLevelLeavesTimeForTheNext) {
  power.plugs["a"].deaf = true;
  const auto report = off({{fake_method("a")}, {fake_method("b", 2)}});
  EXPECT_TRUE(report.proven);
  EXPECT_EQ(report.level, 2);
  EXPECT_LT(clock.monotonic(), Milliseconds{30'000});
}

TEST_F(Driver, TheDeadlineHolds) {
  power.plugs["a"].deaf = true;
  EXPECT_FALSE(off({{fake_method("a")}}, Milliseconds{10'000}).proven);
  EXPECT_LE(clock.monotonic(), Milliseconds{10'500});
}

TEST_F(Driver, AllMethodsOfALevelHaveToBeOff) {
  power.plugs["b"].liar = true;
  EXPECT_FALSE(off({{fake_method("a"), fake_method("b")}}).proven);
  power.plugs["b"].liar = false;
  EXPECT_TRUE(off({{fake_method("a"), fake_method("b")}}).proven);
  EXPECT_EQ(power.plugs["a"].power, bmc::Power::kOff);
  EXPECT_EQ(power.plugs["b"].power, bmc::Power::kOff);
}

TEST_F(Driver, OneOfALevelThatIsOffAlreadyIsNotEnough) {
  power.plugs["a"].power = bmc::Power::kOff;
  const auto report = off({{fake_method("a"), fake_method("b")}});
  EXPECT_TRUE(report.proven);
  EXPECT_FALSE(report.untouched);
  EXPECT_EQ(report.before, bmc::Power::kOn);
}

TEST_F(Driver, SelfIsWaitedForToItsEnd) {
  self.objection.clear();
  self.at = Milliseconds{57'000};
  const auto report = off({{self_method()}});
  EXPECT_TRUE(report.proven);
  EXPECT_EQ(report.method, "self");
  EXPECT_GE(clock.monotonic(), self.at);
}

TEST_F(Driver, SelfIsNotWaitedForWithoutGroundsNorAfterASignOfLife) {
  EXPECT_FALSE(off({{self_method()}}).proven);
  EXPECT_EQ(clock.monotonic(), Milliseconds{0});
  self.objection.clear();
  self.at = Milliseconds{57'000};
  self.cancelled = [this] { return clock.monotonic() > Milliseconds{5000} ? "it lives" : ""; };
  EXPECT_FALSE(off({{self_method()}}).proven);
  EXPECT_LT(clock.monotonic(), Milliseconds{6000});
}

}  // namespace
}  // namespace rackline::fence
