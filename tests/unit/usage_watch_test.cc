// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "usage/watch.h"

namespace rackline::usage {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

record::HostSample host(const std::string& name, std::optional<double> cpu) {
  record::HostSample sample;
  sample.host = name;
  sample.state = cpu ? "up" : "unreachable";
  sample.cpu_percent = cpu;
  if (cpu) {
    sample.cpus = 8;
    sample.memory_bytes = 1000;
    sample.memory_used_bytes = 500;
  }
  return sample;
}

record::VmSample vm(const std::string& name, const std::string& on, double cores) {
  record::VmSample sample;
  sample.vm = name;
  sample.uuid = "uuid-" + name;
  sample.host = on;
  sample.state = "running";
  sample.vcpus = 2;
  sample.cpu_cores = cores;
  return sample;
}

class WatchTest : public testing::Test {
 protected:
  Watch::Round end_round() {
    auto round = watch_.end_round(clock_.monotonic(), clock_.wall());
    fluctuations_.insert(fluctuations_.end(), round.fluctuations.begin(), round.fluctuations.end());
    clock_.advance(seconds(10));
    return round;
  }
  // Rounds of one host at this CPU load.
  Watch::Round rounds(std::optional<double> cpu, Milliseconds time) {
    Watch::Round last;
    for (const auto end = clock_.monotonic() + time; clock_.monotonic() < end;) {
      watch_.add(host("h1", cpu));
      last = end_round();
    }
    return last;
  }

  FakeClock clock_;
  Watch watch_{WatchPolicy{}};
  std::vector<record::Fluctuation> fluctuations_;
};

TEST_F(WatchTest, AHostThatStaysAboveIsReportedWithItsEvidenceAndSoIsTheWayBack) {
  rounds(30, minutes(10));
  EXPECT_TRUE(fluctuations_.empty());
  rounds(95, minutes(5));
  ASSERT_EQ(fluctuations_.size(), 1U);
  const auto above = fluctuations_[0];
  EXPECT_EQ(above.object, "host");
  EXPECT_EQ(above.host, "h1");
  EXPECT_EQ(above.resource, "cpu");
  EXPECT_EQ(above.direction, "above");
  EXPECT_EQ(above.unit, "percent");
  EXPECT_EQ(above.threshold, 75);
  EXPECT_GT(*above.value, 75);
  EXPECT_GE(above.held_ms, 60'000);
  EXPECT_EQ(*above.p50, 30);
  EXPECT_EQ(*above.p95, 95);
  EXPECT_GT(*above.trend_per_hour, 0);
  EXPECT_FALSE(above.id.empty());
  EXPECT_FALSE(above.cause);
  EXPECT_TRUE(above.reason.starts_with("h1 cpu ")) << above.reason;

  rounds(30, minutes(5));
  ASSERT_EQ(fluctuations_.size(), 2U);
  EXPECT_EQ(fluctuations_[1].direction, "back");
  EXPECT_EQ(fluctuations_[1].cause, above.id);
  EXPECT_NE(fluctuations_[1].id, above.id);
}

TEST_F(WatchTest, OneSpikeReportsNothing) {
  rounds(30, minutes(10));
  rounds(100, seconds(10));
  rounds(30, minutes(10));
  EXPECT_TRUE(fluctuations_.empty());
}

TEST_F(WatchTest, UsageOfAHostThatIsAwayIsNotCalm) {
  rounds(95, minutes(5));
  ASSERT_EQ(fluctuations_.size(), 1U);
  const auto round = rounds(std::nullopt, minutes(30));
  EXPECT_EQ(fluctuations_.size(), 1U);
  EXPECT_TRUE(round.hosts.empty());
  // After a whole span nothing is known of it any more, and nobody shall wait for it for ever.
  rounds(std::nullopt, hours(1));
  ASSERT_EQ(fluctuations_.size(), 2U);
  EXPECT_EQ(fluctuations_[1].direction, "back");
  EXPECT_EQ(fluctuations_[1].cause, fluctuations_[0].id);
  EXPECT_FALSE(fluctuations_[1].value);
}

TEST_F(WatchTest, TheWindowOfAServerGoesWithIt) {
  Watch::Round round;
  for (int i = 0; i < 30; ++i) {
    watch_.add(vm("db1", i < 15 ? "h1" : "h2", 1.5));
    round = end_round();
  }
  ASSERT_EQ(round.vms.size(), 1U);
  EXPECT_EQ(round.vms[0].host, "h2");
  EXPECT_EQ(round.vms[0].samples, 30);
  EXPECT_EQ(*round.vms[0].cpu_p95_cores, 1.5);
}

TEST_F(WatchTest, DuringAMoveTheSampleOfTheOneThatRunsCounts) {
  Watch::Round round;
  for (const bool target_first : {true, false}) {
    auto target = vm("db1", "h2", 0);
    target.state = "paused";
    target.migrating = true;
    if (target_first) watch_.add(target);
    watch_.add(vm("db1", "h1", 1.5));
    if (!target_first) watch_.add(target);
    round = end_round();
    ASSERT_EQ(round.vms.size(), 1U);
    EXPECT_EQ(round.vms[0].host, "h1");
    EXPECT_EQ(*round.vms[0].cpu_p50_cores, 1.5);
  }
}

TEST_F(WatchTest, AServerFluctuatesInPercentOfItsOwnCpus) {
  for (int i = 0; i < 30; ++i) {
    watch_.add(vm("db1", "h1", 1.9));
    end_round();
  }
  ASSERT_EQ(fluctuations_.size(), 1U);
  EXPECT_EQ(fluctuations_[0].object, "vm");
  EXPECT_EQ(fluctuations_[0].vm, "db1");
  EXPECT_EQ(fluctuations_[0].uuid, "uuid-db1");
  EXPECT_EQ(fluctuations_[0].host, "h1");
  EXPECT_NEAR(*fluctuations_[0].value, 95, 1e-6);
  EXPECT_NEAR(*fluctuations_[0].p95, 95, 1e-4);
}

TEST_F(WatchTest, StealPressureMemoryAndSwapAreWatchedToo) {
  for (int i = 0; i < 30; ++i) {
    auto sample = host("h1", 10);
    sample.cpu_steal_percent = 20;
    sample.memory_pressure_percent = 30;
    sample.memory_used_bytes = 950;
    watch_.add(sample);
    auto guest = vm("db1", "h1", 0.1);
    guest.cpu_steal_percent = 15;
    guest.memory_bytes = 1000;
    guest.memory_usable_bytes = 10;
    guest.swap_in_bytes_per_second = 1 << 20;
    guest.swap_out_bytes_per_second = 1 << 20;
    watch_.add(guest);
    end_round();
  }
  std::vector<std::string> said;
  for (const auto& f : fluctuations_) said.push_back(f.object + " " + f.resource + " " + f.unit);
  std::sort(said.begin(), said.end());
  EXPECT_EQ(said,
            (std::vector<std::string>{"host memory percent", "host pressure percent", "host steal percent",
                                      "vm memory percent", "vm steal percent", "vm swap bytes_per_second"}));
}

TEST_F(WatchTest, ZeroCapacityIsSaidOnceAndIsNoShare) {
  int doubts = 0;
  for (int i = 0; i < 30; ++i) {
    auto sample = host("h1", 90);
    sample.memory_bytes = 0;
    watch_.add(sample);
    auto none = host("h2", 90);
    none.cpus = 0;
    watch_.add(none);
    auto round = end_round();
    doubts += static_cast<int>(round.doubts.size());
    ASSERT_EQ(round.hosts.size(), 2U);
    EXPECT_FALSE(round.hosts[0].memory_p50_percent);
    EXPECT_FALSE(round.hosts[1].cpu_p50_percent);
  }
  EXPECT_EQ(doubts, 2);
}

TEST_F(WatchTest, BrokenFiguresAreUnknown) {
  for (int i = 0; i < 30; ++i) {
    watch_.add(host("h1", -5.0));
    auto round = end_round();
    EXPECT_FALSE(round.hosts[0].cpu_ewma_percent);
  }
  EXPECT_TRUE(fluctuations_.empty());
}

TEST_F(WatchTest, TheSameRoundsGiveTheSameIds) {
  const auto play = [] {
    Watch watch{WatchPolicy{}};
    std::vector<std::string> ids;
    for (int i = 0; i < 30; ++i) {
      watch.add(host("h1", 95));
      for (auto& f :
           watch.end_round(seconds(10 * i), record::Time{seconds(1'800'000'000 + 10 * i)}).fluctuations)
        ids.push_back(f.id);
    }
    return ids;
  };
  EXPECT_EQ(play().size(), 1U);
  EXPECT_EQ(play(), play());
}

TEST_F(WatchTest, ServersThatComeAndGoLeaveNothingBehind) {
  // Two days, ten new servers every hour.
  std::size_t most = 0;
  for (int minute = 0; minute < 2 * 24 * 60; ++minute) {
    for (int i = 0; i < 10; ++i) {
      watch_.add(vm("vm" + std::to_string(minute / 60) + "-" + std::to_string(i), "h1", 0.5));
    }
    watch_.end_round(minutes(minute), clock_.wall());
    most = std::max(most, watch_.followed());
  }
  EXPECT_LE(most, 30U);
}

TEST(Bands, AreReadAsPeopleWriteThem) {
  Bands bands = WatchPolicy{}.hosts;
  series::parse_bands("cpu=10..60,memory=off,steal=5.5,pressure=20..", kResources, bands);
  EXPECT_EQ(bands[0].low, 10);
  EXPECT_EQ(bands[0].high, 60);
  EXPECT_FALSE(bands[1].low || bands[1].high);
  EXPECT_EQ(bands[2].high, 5.5);
  EXPECT_FALSE(bands[2].low);
  EXPECT_EQ(bands[3].low, 20);
  EXPECT_FALSE(bands[3].high);
  for (const char* wrong : {"", "cpu", "cpu=", "disk=5", "cpu=a", "cpu=-1", "cpu=60..10", "cpu=10..10",
                            "cpu=nan", "cpu=inf", "cpu=5,", "cpu=5;memory=7", "cpu=..50"}) {
    EXPECT_THROW(series::parse_bands(wrong, kResources, bands), Error) << wrong;
  }
}

}  // namespace
}  // namespace rackline::usage
