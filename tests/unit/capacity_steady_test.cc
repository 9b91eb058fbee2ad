// SPDX-License-Identifier: Apache-2.0
// What is expected of loads, and what moves for it.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "capacity/planner.h"
#include "capacity/usage.h"

namespace rackline::capacity {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kGiB = std::int64_t{1} << 30;
const record::Time kMidnight{std::chrono::sys_seconds{1'800'000'000s}};

// Hosts of 10 CPUs with four servers each, of which each round tells what they use: cores(host, server,
// round).
using Cores = std::function<double(int host, int server, int round)>;

class Stream {
 public:
  Stream(int hosts, Cores cores, Policy policy = {}, std::chrono::seconds step = 5min)
      : planner_(policy), hosts_(hosts), cores_(std::move(cores)), step_(step) {
    for (int i = 0; i < hosts * kServers; ++i) where_.push_back(i / kServers);
  }

  // The moves of the next round, which are done before the one after it.
  std::vector<record::VmMove> next() {
    const record::Time time = kMidnight + step_ * round_;
    std::vector<double> loads(static_cast<std::size_t>(hosts_), 0);
    std::vector<std::int64_t> counts(static_cast<std::size_t>(hosts_), 0);
    for (std::size_t i = 0; i < where_.size(); ++i) {
      record::VmSample& vm = planner_.round().vm_slot();
      const int number = static_cast<int>(i);
      vm.time = time;
      vm.vm = "v" + std::to_string(number);
      vm.host = "h" + std::to_string(where_[i]);
      vm.state = "running";
      vm.vcpus = 4;
      vm.memory_bytes = kGiB;
      vm.cpu_cores = cores_(number / kServers, number % kServers, round_);
      loads[static_cast<std::size_t>(where_[i])] += *vm.cpu_cores;
      ++counts[static_cast<std::size_t>(where_[i])];
      planner_.round().keep_vm();
    }
    for (int h = 0; h < hosts_; ++h) {
      record::HostSample& host = planner_.round().host_slot();
      host.time = time;
      host.host = "h" + std::to_string(h);
      host.state = "up";
      host.cpus = 10;
      host.cpu_percent = 10 * loads[static_cast<std::size_t>(h)];
      host.vms_running = counts[static_cast<std::size_t>(h)];
      host.memory_bytes = 64 * kGiB;
      planner_.round().keep_host();
    }
    planner_.close(time);
    ++round_;
    plan_ = planner_.balance();
    for (const auto& move : plan_.moves) {
      where_[static_cast<std::size_t>(std::stoi(move.vm.substr(1)))] = std::stoi(move.to.substr(1));
    }
    return plan_.moves;
  }
  std::size_t moves(int rounds) {
    std::size_t count = 0;
    for (int i = 0; i < rounds; ++i) count += next().size();
    return count;
  }
  const Plan& plan() const { return plan_; }

 private:
  static constexpr int kServers = 4;
  Planner planner_;
  int hosts_;
  Cores cores_;
  std::chrono::seconds step_;
  std::vector<int> where_;
  int round_ = 0;
  Plan plan_;
};

TEST(Steady, AHostThatIsBusyAllTheTimeIsRelievedAndThenThereIsQuiet) {
  Stream stream(4, [](int host, int, int round) {
    if (round == 0) return 0.5;  // so that the single first round is no load yet
    return host == 0 ? 2.2 : 0.8;
  });
  EXPECT_TRUE(stream.next().empty());
  EXPECT_TRUE(stream.next().empty()) << "seen above the threshold only once";
  EXPECT_NE(stream.plan().none->reason.find("too briefly"), std::string::npos) << stream.plan().none->reason;
  const auto moves = stream.next();
  ASSERT_FALSE(moves.empty());
  for (const auto& move : moves) EXPECT_EQ(move.from, "h0");
  EXPECT_NE(moves[0].reason.find("h0 cpu 88% > 75%, expected to be above it"), std::string::npos)
      << moves[0].reason;
  stream.moves(12);
  EXPECT_EQ(stream.moves(60), 0U);
}

TEST(Steady, ASpikeOnACalmHostMovesNothing) {
  Stream stream(4, [](int host, int, int round) { return host == 0 && round == 30 ? 2.4 : 1.0; });
  EXPECT_EQ(stream.moves(60), 0U);
}

TEST(Steady, ASpikeInTheFirstMinutesMovesNothing) {
  Stream stream(4, [](int host, int, int round) { return host == 0 && round == 1 ? 2.4 : 1.0; });
  EXPECT_EQ(stream.moves(6), 0U);
}

TEST(Steady, SeveralSpikesOfSecondsInTheFirstMinutesMoveNothing) {
  const auto spikes = [](int host, int, int round) { return host == 0 && round % 10 >= 8 ? 2.4 : 1.0; };
  EXPECT_EQ(Stream(4, spikes, {}, 5s).moves(28), 0U);
}

TEST(Steady, WhatIsExpectedOfAHostIsActedOnBeforeItIsBusyAgain) {
  // One server of h0 is busy every other half hour, and with it the host is above its threshold.
  Stream stream(6, [](int host, int server, int round) {
    if (host != 0) return 0.5;
    return server == 0 && round / 6 % 2 == 1 ? 4.0 : 1.4;
  });
  stream.moves(36);
  // By then it has been: nobody has to be above the threshold for the third time.
  EXPECT_EQ(stream.moves(60), 0U);
}

TEST(Steady, ExplicitHoldWaitsForAsManyRounds) {
  Policy policy;
  policy.hold = 4;
  Stream stream(
      4, [](int host, int, int) { return host == 0 ? 2.2 : 0.8; }, policy);
  EXPECT_EQ(stream.moves(3), 0U);
  EXPECT_GT(stream.moves(1), 0U);
}

TEST(Steady, WhereNoMoveHelpsNothingMoves) {
  Stream stream(4, [](int, int, int) { return 2.2; });
  EXPECT_EQ(stream.moves(40), 0U);
}

TEST(Steady, NoServerMovesTwiceWithinTheCooldown) {
  // Loads that wander: each server's busy time comes at another hour.
  Policy policy;
  policy.cooldown = 6h;
  Stream stream(
      6,
      [](int host, int server, int round) {
        const double phase = static_cast<double>(round) / 20 + host + 1.7 * server;
        return 1.5 + 1.4 * std::sin(phase);
      },
      policy);
  std::map<std::string, int> last;
  for (int round = 0; round < 288; ++round) {
    for (const auto& move : stream.next()) {
      const auto before = last.find(move.vm);
      EXPECT_TRUE(before == last.end() || round - before->second >= 72) << move.vm;
      last[move.vm] = round;
    }
  }
}

TEST(Steady, TheSameStreamGivesTheSameMoves) {
  const auto run = [] {
    Stream stream(5, [](int host, int server, int round) {
      return host == 0 ? 2.1 : 0.6 + 0.1 * ((round + server) % 3);
    });
    std::string all;
    for (int i = 0; i < 30; ++i) {
      for (const auto& move : stream.next()) all += move.id + move.to;
    }
    return all;
  };
  EXPECT_EQ(run(), run());
}

// --- Usage ---

Round round_of(record::Time time, double cores) {
  Round round;
  record::VmSample& vm = round.vm_slot();
  vm.vm = "v";
  vm.host = "h";
  vm.state = "running";
  vm.vcpus = 2;
  vm.cpu_cores = cores;
  round.keep_vm();
  record::HostSample& host = round.host_slot();
  host.host = "h";
  host.state = "up";
  host.cpus = 4;
  host.cpu_percent = (cores + 0.4) * 25;
  round.keep_host();
  round.time = time;
  return round;
}

TEST(Usage, MeanAndVarianceFollowWhatIsSeen) {
  Usage usage;
  for (int i = 0; i < 200; ++i) usage.count(round_of(kMidnight + 5min * i, i % 2 == 0 ? 0.5 : 1.5), 75);
  const Round last = round_of(kMidnight, 0.5);
  const Expected expected = usage.of(last.vms()[0]);
  EXPECT_NEAR(expected.mean, 1000, 30);
  EXPECT_NEAR(std::sqrt(expected.variance), 500, 30);
  EXPECT_NEAR(usage.of_host("h").mean, 400, 1) << "what the host keeps busy beside its servers";
}

TEST(Usage, WhatWasOfLateCountsMoreThanItsTime) {
  Usage usage;
  for (int i = 0; i < 144; ++i) usage.count(round_of(kMidnight + 5min * i, i < 132 ? 1 : 2), 75);
  const Round last = round_of(kMidnight, 2);
  EXPECT_NEAR(usage.of(last.vms()[0]).mean, 1380, 40) << "an hour of twelve";
}

TEST(Usage, AServerThatWasNeverSeenDoesWhatItsSampleSays) {
  const Round round = round_of(kMidnight, 1);
  EXPECT_EQ(Usage().of(round.vms()[0]).mean, 1000);
}

TEST(Usage, WhatIsHardlyKnownIsUncertain) {
  Usage usage;
  usage.count(round_of(kMidnight, 1), 75);
  usage.count(round_of(kMidnight + 20s, 1), 75);
  const Round last = round_of(kMidnight, 1);
  EXPECT_GT(std::sqrt(usage.of(last.vms()[0]).variance), 350);
}

TEST(Usage, AClockThatGoesBackCountsNothing) {
  Usage usage;
  usage.count(round_of(kMidnight, 1), 75);
  usage.count(round_of(kMidnight - 5min, 2), 75);
  usage.count(round_of(kMidnight, 2), 75);
  EXPECT_EQ(usage.rounds(), 1);
  const Round last = round_of(kMidnight, 1);
  EXPECT_DOUBLE_EQ(usage.of(last.vms()[0]).mean, 1000);
}

}  // namespace
}  // namespace rackline::capacity
