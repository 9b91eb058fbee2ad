// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "virt/sample.h"

namespace rackline::virt {
namespace {

using namespace std::chrono_literals;

VmStats running(const std::string& name, std::int64_t id) {
  VmStats vm;
  vm.name = name;
  vm.uuid = "uuid-of-" + name;
  vm.domain_id = id;
  vm.state = VIR_DOMAIN_RUNNING;
  vm.vcpus = 2;
  vm.memory_bytes = 1 << 20;
  vm.cpu_time_ns = 5'000'000'000;
  vm.disk_read_bytes = vm.disk_written_bytes = vm.net_received_bytes = vm.net_sent_bytes = 1000;
  return vm;
}

HostStats host_with(std::vector<VmStats> vms) {
  HostStats host;
  host.taken = std::chrono::steady_clock::time_point{100s};
  host.cpus = 4;
  host.memory_bytes = 8 << 20;
  host.memory_free_bytes = 5 << 20;
  host.cpu_busy = 1000;
  host.cpu_total = 10000;
  host.vms = std::move(vms);
  return host;
}

std::map<std::string, Baseline::Details> details_of(const HostStats& host) {
  std::map<std::string, Baseline::Details> details;
  for (const auto& vm : host.vms) details[vm.uuid] = {vm.domain_id, {}, true};
  return details;
}

Sample assembled(const HostStats& now, const HostStats* before) {
  return assemble(now, before, {}, details_of(now));
}

TEST(Sample, RatesComeFromTwoReadings) {
  const HostStats before = host_with({running("a", 1)});
  HostStats now = before;
  now.taken += 2s;
  now.cpu_busy = 1300;
  now.cpu_total = 10400;
  now.vms[0].cpu_time_ns = 6'000'000'000;
  now.vms[0].disk_read_bytes = 5000;
  const Sample sample = assembled(now, &before);
  EXPECT_EQ(sample.host.window_ms, 2000);
  EXPECT_DOUBLE_EQ(sample.host.cpu_percent.value(), 75);
  EXPECT_DOUBLE_EQ(sample.host.disk_read_bytes_per_second.value(), 2000);
  EXPECT_DOUBLE_EQ(sample.host.net_tx_bytes_per_second.value(), 0);
  EXPECT_DOUBLE_EQ(sample.vms.at(0).cpu_cores.value(), 0.5);
  EXPECT_DOUBLE_EQ(sample.vms.at(0).cpu_percent.value(), 25);
}

TEST(Sample, StealBalloonSwapAndPressureAreTakenWhereTheyAreOffered) {
  HostStats before = host_with({running("a", 1), running("b", 2)});
  for (VmStats& vm : before.vms) vm.cpu_delay_ns = 1'000'000'000;
  before.pressure = {1'000'000, 2'000'000, 0};
  VmStats& a = before.vms[0];
  a.memory_max_bytes = 3 << 20;
  a.memory_usable_bytes = 1 << 19;
  a.swap_in_bytes = 4096;
  a.swap_out_bytes = 0;
  HostStats now = before;
  now.taken += 2s;
  now.vms[0].cpu_delay_ns = 2'000'000'000;  // half a CPU's worth of waiting
  now.vms[0].swap_in_bytes = 4096 + 8192;
  now.pressure = {1'500'000, 2'100'000, 0};
  const Sample sample = assembled(now, &before);
  EXPECT_DOUBLE_EQ(sample.vms.at(0).cpu_steal_percent.value(), 25);
  EXPECT_DOUBLE_EQ(sample.vms.at(1).cpu_steal_percent.value(), 0);
  EXPECT_DOUBLE_EQ(sample.host.cpu_steal_percent.value(), 12.5);
  EXPECT_EQ(sample.vms.at(0).memory_max_bytes, 3 << 20);
  EXPECT_EQ(sample.vms.at(0).memory_usable_bytes, 1 << 19);
  EXPECT_EQ(sample.host.memory_ballooned_bytes, 2 << 20);
  EXPECT_DOUBLE_EQ(sample.vms.at(0).swap_in_bytes_per_second.value(), 4096);
  EXPECT_DOUBLE_EQ(sample.vms.at(0).swap_out_bytes_per_second.value(), 0);
  EXPECT_FALSE(sample.vms.at(1).swap_in_bytes_per_second);
  EXPECT_DOUBLE_EQ(sample.host.cpu_pressure_percent.value(), 25);
  EXPECT_DOUBLE_EQ(sample.host.memory_pressure_percent.value(), 5);
  EXPECT_DOUBLE_EQ(sample.host.io_pressure_percent.value(), 0);
}

TEST(Sample, StealThatOneServerDoesNotTellIsUnknownOfTheHost) {
  HostStats before = host_with({running("a", 1), running("b", 2)});
  before.vms[0].cpu_delay_ns = 0;
  HostStats now = before;
  now.taken += 2s;
  const Sample sample = assembled(now, &before);
  EXPECT_EQ(sample.vms.at(0).cpu_steal_percent, 0);
  EXPECT_FALSE(sample.host.cpu_steal_percent);
  EXPECT_FALSE(sample.host.memory_pressure_percent);
}

TEST(Sample, WithoutAnEarlierReadingRatesAreUnknownAndAmountsKnown) {
  const Sample sample = assembled(host_with({running("a", 1)}), nullptr);
  EXPECT_FALSE(sample.host.cpu_percent);
  EXPECT_FALSE(sample.host.disk_read_bytes_per_second);
  EXPECT_FALSE(sample.host.window_ms);
  EXPECT_FALSE(sample.vms.at(0).cpu_cores);
  EXPECT_EQ(sample.host.memory_used_bytes, 3 << 20);
  EXPECT_EQ(sample.host.memory_allocated_bytes, 1 << 20);
  EXPECT_EQ(sample.host.vcpus_allocated, 2);
}

TEST(Sample, AnotherIncarnationHasNoRates) {
  const HostStats before = host_with({running("a", 1)});
  HostStats now = host_with({running("a", 2)});
  now.taken += 1s;
  now.vms[0].cpu_time_ns = 9'000'000'000;
  const Sample sample = assembled(now, &before);
  EXPECT_FALSE(sample.vms.at(0).cpu_cores);
  EXPECT_FALSE(sample.host.net_rx_bytes_per_second) << "a sum with an unknown part is unknown";
}

TEST(Sample, ACounterThatWentBackIsNoRate) {
  const HostStats before = host_with({running("a", 1)});
  HostStats now = before;
  now.taken += 1s;
  now.vms[0].disk_read_bytes = 10;
  now.vms[0].net_received_bytes = 2000;
  const Sample sample = assembled(now, &before);
  EXPECT_FALSE(sample.vms.at(0).disk_read_bytes_per_second);
  EXPECT_DOUBLE_EQ(sample.vms.at(0).net_rx_bytes_per_second.value(), 1000);
}

TEST(Sample, AHostThatWasStartedAnewHasNoRates) {
  const HostStats before = host_with({running("a", 1)});
  HostStats now = host_with({running("a", 1)});
  now.taken += 60s;
  now.cpu_total = 500;
  now.cpu_busy = 400;
  now.vms[0].cpu_time_ns = 50'000'000'000;
  const Sample sample = assembled(now, &before);
  EXPECT_FALSE(sample.host.cpu_percent);
  EXPECT_FALSE(sample.host.window_ms);
  EXPECT_FALSE(sample.vms.at(0).cpu_cores);
}

TEST(Sample, CpuTimeThatStoodStillIsUnknownRatherThanIdle) {
  const HostStats before = host_with({});
  HostStats now = before;
  now.taken += 1s;
  EXPECT_FALSE(assembled(now, &before).host.cpu_percent);
}

TEST(Sample, StoppedVmsAreCountedAndTakeNothing) {
  VmStats stopped = running("b", 0);
  stopped.domain_id.reset();
  stopped.state = VIR_DOMAIN_SHUTOFF;
  const HostStats before = host_with({running("a", 1), stopped});
  HostStats now = before;
  now.taken += 1s;
  const Sample sample = assembled(now, &before);
  EXPECT_EQ(sample.host.vms_running, 1);
  EXPECT_EQ(sample.host.vms_stopped, 1);
  EXPECT_EQ(sample.host.memory_allocated_bytes, 1 << 20);
  EXPECT_DOUBLE_EQ(sample.host.disk_read_bytes_per_second.value(), 0);
  EXPECT_EQ(sample.vms.at(1).state, "shutoff");
  EXPECT_FALSE(sample.vms.at(1).cpu_cores);
}

TEST(Sample, PausedServersDoNotRunAndSayWhy) {
  HostStats now = host_with({running("a", 1), running("b", 2)});
  now.vms[1].state = VIR_DOMAIN_PAUSED;
  now.vms[1].paused_reason = VIR_DOMAIN_PAUSED_USER;
  const Sample sample = assembled(now, nullptr);
  EXPECT_EQ(sample.host.vms_running, 1);
  EXPECT_EQ(sample.host.vms_paused, 1);
  EXPECT_EQ(sample.host.memory_allocated_bytes, 2 << 20) << "it holds its memory";
  EXPECT_EQ(sample.vms[1].state, "paused");
  EXPECT_EQ(sample.vms[1].state_reason, "user");
}

TEST(Sample, AVmThatVanishedWhileItWasLookedAtIsLeftOut) {
  const HostStats now = host_with({running("z", 1), running("a", 2), running("m", 3)});
  auto details = details_of(now);
  details.erase("uuid-of-a");
  const Sample sample = assemble(now, nullptr, {}, details);
  ASSERT_EQ(sample.vms.size(), 2U);
  EXPECT_EQ(sample.vms[0].vm, "m");
  EXPECT_EQ(sample.vms[1].vm, "z");
  EXPECT_EQ(sample.host.vms_running, 2);
}

TEST(Sample, ATargetOfALiveMigrationSaysSo) {
  HostStats now = host_with({running("a", 1), running("b", 2)});
  now.vms[1].state = VIR_DOMAIN_PAUSED;
  now.vms[1].migrating = true;
  const Sample sample = assembled(now, nullptr);
  EXPECT_FALSE(sample.vms[0].migrating);
  EXPECT_EQ(sample.vms[1].migrating, true);
  EXPECT_EQ(sample.host.memory_allocated_bytes, 2 << 20) << "in flight it takes memory on both hosts";
}

TEST(Sample, WhatOneVmDoesNotTellMakesTheSumUnknown) {
  HostStats now = host_with({running("a", 1), running("b", 2)});
  now.vms[1].memory_bytes.reset();
  const Sample sample = assembled(now, nullptr);
  EXPECT_FALSE(sample.host.memory_allocated_bytes);
  EXPECT_EQ(sample.host.vcpus_allocated, 4);
}

TEST(Sample, OfALiveConnectionTakesRatesAgainstTheOneBefore) {
  const Connection connection = Connection::open("test:///default");
  int pauses = 0;
  const auto pause = [&](const std::function<void()>& meanwhile) {
    ++pauses;
    meanwhile();
  };
  const Sample first = sample(connection, nullptr, pause);
  EXPECT_EQ(pauses, 1) << "the first sample is two";
  const Sample second = sample(connection, first.baseline, pause);
  EXPECT_EQ(pauses, 1);
  EXPECT_EQ(second.host.arch, first.host.arch);
  EXPECT_TRUE(second.host.arch);
  EXPECT_TRUE(second.vms.at(0).cpu_cores);
  EXPECT_TRUE(second.host.window_ms);
  const Sample single = sample(connection, nullptr, {});
  EXPECT_FALSE(single.vms.at(0).cpu_cores);
}

TEST(Wishes, AreReadWhateverTheirPrefix) {
  const VmWishes wishes =
      parse_wishes(R"(<r:vm xmlns:r="urn:rackline:vm:1" anti_affinity="db" priority="-3"/>)");
  EXPECT_EQ(wishes.anti_affinity, "db");
  EXPECT_EQ(wishes.priority, -3);
}

TEST(Wishes, WhatIsNoNumberIsNoPriority) {
  for (const char* xml :
       {R"(<vm priority="high" anti_affinity=""/>)", R"(<vm priority="7x"/>)", "<vm/>", "", "<"}) {
    const VmWishes wishes = parse_wishes(xml);
    EXPECT_FALSE(wishes.priority) << xml;
    EXPECT_FALSE(wishes.anti_affinity) << xml;
  }
}

}  // namespace
}  // namespace rackline::virt
