// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "base/version.h"
#include "usage/exposition.h"

namespace rackline::usage {
namespace {

record::HostSample host(const std::string& name) {
  record::HostSample host;
  host.host = name;
  host.state = "up";
  host.cpus = 8;
  host.cpu_percent = 25;
  host.cpu_mhz = 2400;
  host.memory_bytes = 17179869184;
  host.window_ms = 1500;
  host.arch = "x86_64";
  return host;
}

// A reader as strict as the format's description: what it takes, Prometheus takes. Samples by name and
// labels.
std::map<std::string, double> parsed(const std::string& page) {
  static const std::regex kSample(
      R"re(([a-z0-9_]+)(\{([a-z_]+="([^"\\\n]|\\[\\"n])*"(,(?=[a-z]))?)+\})? (\S+))re");
  std::map<std::string, double> samples;
  std::set<std::string> helped, typed, closed;
  std::string present, line;
  EXPECT_TRUE(page.ends_with('\n'));
  std::istringstream lines(page);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string hash, what, name, type;
    if (line.starts_with('#')) {
      words >> hash >> what >> name >> type;
      if (what == "HELP") {
        EXPECT_TRUE(helped.insert(name).second) << line;
        EXPECT_FALSE(type.empty()) << line;
      } else {
        EXPECT_EQ(what, "TYPE");
        EXPECT_TRUE(typed.insert(name).second) << line;
        EXPECT_TRUE(type == "gauge" || type == "counter") << line;
        EXPECT_EQ(type == "counter", name.ends_with("_total")) << line;
      }
      present = name;
      continue;
    }
    std::smatch match;
    if (!std::regex_match(line, match, kSample)) {
      ADD_FAILURE() << "no sample: " << line;
      continue;
    }
    EXPECT_EQ(match[1], present) << "a family is not in one piece: " << line;
    EXPECT_TRUE(helped.contains(match[1]) && typed.contains(match[1])) << line;
    EXPECT_TRUE(samples.emplace(line.substr(0, line.rfind(' ')), std::stod(match[match.size() - 1])).second)
        << "twice: " << line;
    for (const char* unit : {"percent", "_ms", "_mhz", "hour"}) {
      EXPECT_EQ(match[1].str().find(unit), std::string::npos) << "no base unit: " << line;
    }
  }
  return samples;
}

TEST(Exposition, NumbersAreGaugesInBaseUnits) {
  Exposition exposition;
  exposition.add(host("h1"));
  record::VmSample vm;
  vm.vm = "db1";
  vm.host = "h1";
  vm.state = "running";
  vm.cpu_cores = 1.5;
  vm.domain_id = 7;
  exposition.add(vm);
  record::HostUsage usage;
  usage.host = "h1";
  usage.cpu_p95_percent = 80;
  usage.cpu_trend_percent_per_hour = 36;
  exposition.add(usage);
  record::RoundEnd end;
  end.elapsed_ms = 1500;
  end.time = record::Time{std::chrono::seconds{1'800'000'000}};
  auto samples = parsed(exposition.page(end));
  EXPECT_EQ(samples.at(R"(rackline_host_up{host="h1"})"), 1);
  EXPECT_EQ(samples.at(R"(rackline_host_cpus{host="h1"})"), 8);
  EXPECT_EQ(samples.at(R"(rackline_host_cpu_ratio{host="h1"})"), 0.25);
  EXPECT_EQ(samples.at(R"(rackline_host_cpu_hertz{host="h1"})"), 2.4e9);
  EXPECT_EQ(samples.at(R"(rackline_host_memory_bytes{host="h1"})"), 17179869184.0);
  EXPECT_EQ(samples.at(R"(rackline_host_window_seconds{host="h1"})"), 1.5);
  EXPECT_EQ(samples.at(R"(rackline_host_info{host="h1",arch="x86_64"})"), 1);
  EXPECT_EQ(samples.at(R"(rackline_vm_running{host="h1",vm="db1"})"), 1);
  EXPECT_EQ(samples.at(R"(rackline_vm_cpu_cores{host="h1",vm="db1"})"), 1.5);
  EXPECT_EQ(samples.at(R"(rackline_host_usage_cpu_p95_ratio{host="h1"})"), 0.8);
  EXPECT_NEAR(samples.at(R"(rackline_host_usage_cpu_trend_ratio_per_second{host="h1"})"), 0.0001, 1e-12);
  EXPECT_EQ(samples.at("rackline_round_duration_seconds"), 1.5);
  EXPECT_EQ(samples.at("rackline_round_timestamp_seconds"), 1.8e9);
  EXPECT_EQ(samples.at("rackline_rounds_total"), 1);
  for (const auto& [name, value] : samples) EXPECT_EQ(name.find("domain_id"), std::string::npos);
}

TEST(Exposition, WhatIsNotKnownOrGoneHasNoSample) {
  Exposition exposition;
  exposition.add(host("h1"));
  exposition.page({});
  record::HostSample away;
  away.host = "h2";
  away.state = "unreachable";
  exposition.add(away);
  const auto samples = parsed(exposition.page({}));
  EXPECT_EQ(samples.at(R"(rackline_host_up{host="h2"})"), 0);
  EXPECT_FALSE(samples.contains(R"(rackline_host_cpus{host="h2"})"));
  EXPECT_FALSE(samples.contains(R"(rackline_host_up{host="h1"})"));
  EXPECT_EQ(samples.at("rackline_rounds_total"), 2);
}

TEST(Exposition, NoNameBreaksThePage) {
  Exposition exposition;
  exposition.add(host("a\"b\\c\nd"));
  exposition.add(host("torn \xc3 \xff\xfe end \xe2\x82"));
  exposition.add(host("r\xc3\xb6t \xf0\x9f\x90\xa7"));
  const std::string page = exposition.page({});
  const auto samples = parsed(page);
  EXPECT_TRUE(samples.contains(R"(rackline_host_up{host="a\"b\\c\nd"})"));
  EXPECT_TRUE(
      samples.contains("rackline_host_up{host=\"torn \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd end "
                       "\xef\xbf\xbd\xef\xbf\xbd\"}"));
  EXPECT_TRUE(samples.contains("rackline_host_up{host=\"r\xc3\xb6t \xf0\x9f\x90\xa7\"}"));
}

TEST(Exposition, FluctuationsAreCountedAndShownWhileTheyLast) {
  Exposition exposition;
  record::Fluctuation above;
  above.id = "1";
  above.object = "vm";
  above.host = "h1";
  above.vm = "db1";
  above.resource = "cpu";
  above.direction = "above";
  exposition.add(above);
  const std::string outside =
      R"(rackline_outside_band{host="h1",vm="db1",object="vm",resource="cpu",direction="above"})";
  const std::string total = R"(rackline_fluctuations_total{object="vm",resource="cpu",direction="above"})";
  EXPECT_EQ(parsed(exposition.page({})).at(outside), 1);
  EXPECT_EQ(parsed(exposition.page({})).at(outside), 1);
  record::Fluctuation back = above;
  back.id = "2";
  back.cause = "1";
  back.direction = "back";
  exposition.add(back);
  const auto samples = parsed(exposition.page({}));
  EXPECT_FALSE(samples.contains(outside));
  EXPECT_EQ(samples.at(total), 1);
}

// increase() and rate() do not see the first of a counter that begins at 1.
TEST(Exposition, CountersAndStatesOfBandsBeginAtZero) {
  WatchPolicy policy;
  policy.hosts[0] = {.low = 10, .high = 75};
  Exposition exposition(policy);
  record::HostUsage host;
  host.host = "h1";
  exposition.add(host);
  record::VmUsage vm;
  vm.vm = "db1";
  vm.host = "h1";
  exposition.add(vm);
  auto samples = parsed(exposition.page({}));
  for (const char* direction : {"above", "below", "back"}) {
    const std::string way = R"(object="host",resource="cpu",direction=")" + std::string(direction) + "\"}";
    EXPECT_EQ(samples.at("rackline_fluctuations_total{" + way), 0);
    if (std::string_view(direction) == "back") continue;
    EXPECT_EQ(samples.at(R"(rackline_outside_band{host="h1",)" + way), 0);
  }
  EXPECT_EQ(samples.at(
                R"(rackline_outside_band{host="h1",vm="db1",object="vm",resource="swap",direction="above"})"),
            0);
  EXPECT_FALSE(
      samples.contains(R"(rackline_fluctuations_total{object="host",resource="swap",direction="above"})"))
      << "it has no band";
  EXPECT_EQ(samples.at(std::string("rackline_build_info{version=\"") + version() + "\"}"), 1);
  record::Fluctuation above;
  above.id = "1";
  above.object = "host";
  above.host = "h1";
  above.resource = "cpu";
  above.direction = "above";
  exposition.add(above);
  exposition.add(host);
  samples = parsed(exposition.page({}));
  EXPECT_EQ(samples.at(R"(rackline_fluctuations_total{object="host",resource="cpu",direction="above"})"), 1);
  EXPECT_EQ(samples.at(R"(rackline_outside_band{host="h1",object="host",resource="cpu",direction="above"})"),
            1);
  EXPECT_EQ(
      samples.at(R"(rackline_outside_band{host="h1",object="host",resource="memory",direction="above"})"), 0);
}

}  // namespace
}  // namespace rackline::usage
