// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/error.h"
#include "usage/import.h"

namespace rackline::usage {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

const std::string kGroup = "g1|uuid-1|preferred||\n";
const std::string kNodes =
    "n1|4096|256|2816|1000|900|8|M|uuid-1|1\n"
    "n2|4096|0|4096|1000|1000|16|N|uuid-1|1\n"
    "n3|4096|0|4096|1000|1000|16|Y|uuid-1|1\n";
const std::string kInstances =
    "web|1024|100|2|running|Y|n1||ext||1\n"
    "old|512|100|1|ADMIN_down|Y|n2||rbd||1\n";

std::string cluster(const std::string& groups, const std::string& nodes, const std::string& instances,
                    const std::string& tags = "", const std::string& policies = "") {
  return groups + "\n" + nodes + "\n" + instances + "\n" + tags + (policies.empty() ? "" : "\n" + policies);
}

std::string refused(Imported (*read)(std::string_view, const std::string&), const std::string& text) {
  try {
    read(text, "file");
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUsage);
    return error.what();
  }
  return "it was taken";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string rules(const Imported& imported) {
  std::string text;
  for (const auto& rule : imported.rules) {
    text += rule.rule + " ";
    for (const auto& vm : rule.vms) text += vm + ",";
    if (rule.hosts) {
      text += " on ";
      for (const auto& host : *rule.hosts) text += host + ",";
    }
    text += "; ";
  }
  return text;
}

TEST(Ganeti, AClusterBecomesSamples) {
  const auto imported = read_ganeti(cluster(kGroup, kNodes, kInstances, "", "|a|b|ext|8.0|32.0\n"), "file");
  ASSERT_EQ(imported.rounds.size(), 1U);
  const auto& hosts = imported.rounds[0].hosts;
  const auto& vms = imported.rounds[0].vms;
  ASSERT_EQ(hosts.size(), 3U);
  EXPECT_EQ(hosts[0].host, "n1");
  EXPECT_EQ(hosts[0].state, "up");
  EXPECT_EQ(hosts[0].cpus, 8);
  EXPECT_EQ(hosts[0].memory_bytes, 4096 * kMiB);
  EXPECT_EQ(hosts[0].memory_reserve_bytes, 256 * kMiB);
  EXPECT_EQ(hosts[0].memory_free_bytes, 2816 * kMiB);
  EXPECT_EQ(hosts[0].memory_used_bytes, 1280 * kMiB);
  EXPECT_EQ(hosts[0].vms_running, 1);
  EXPECT_EQ(hosts[0].vcpus_allocated, 2);
  EXPECT_EQ(hosts[0].cpu_overcommit, 8);
  EXPECT_FALSE(hosts[0].cpu_percent);
  EXPECT_EQ(hosts[0].imported, "ganeti");
  EXPECT_FALSE(hosts[0].drained);
  EXPECT_EQ(hosts[2].state, "up");
  EXPECT_EQ(hosts[2].drained, true);
  ASSERT_EQ(vms.size(), 2U);
  EXPECT_EQ(vms[0].state, "running");
  EXPECT_EQ(vms[0].memory_bytes, 1024 * kMiB);
  EXPECT_EQ(vms[0].vcpus, 2);
  EXPECT_FALSE(vms[0].cpu_cores);
  EXPECT_EQ(vms[1].state, "shutoff");
  EXPECT_TRUE(imported.rules.empty());
}

TEST(Ganeti, ANodeOfUnknownSizeIsNotReached) {
  const auto imported = read_ganeti(cluster(kGroup, "n1|?|?|?|?|?|?|N|uuid-1\nn2|0|0|0|0|0|0|Y|uuid-1\n",
                                            "a|1|1|1|ERROR_nodeoffline|Y|n2||ext||1\n"),
                                    "file");
  for (const auto& host : imported.rounds[0].hosts) EXPECT_EQ(host.state, "unreachable") << host.host;
  EXPECT_EQ(imported.rounds[0].vms[0].state, "unknown");
}

TEST(Ganeti, DisksThatAreNotSharedBindTheirServer) {
  const auto imported = read_ganeti(cluster(kGroup, kNodes,
                                            "a|1|1|1|running|Y|n1|n2|drbd||1\n"
                                            "b|1|1|1|running|Y|n1||plain||1\n"
                                            "c|1|1|1|running|N|n2||ext||1\n"
                                            "d|1|1|1|running|Y|n2||diskless||1\n"),
                                    "file");
  EXPECT_EQ(rules(imported), "pin a, on n1,n2,; pin b, on n1,; pin c, on n2,; ");
}

TEST(Ganeti, TagsAndGroupsBecomeRules) {
  const std::string nodes =
      "n1|4096|0|4096|1|1|8|N|uuid-1|1|power:a,hv:old\n"
      "n2|4096|0|4096|1|1|8|N|uuid-1|1|power:b,hv:new\n"
      "n3|4096|0|4096|1|1|8|N|uuid-2|1|hv:odd\n";
  const std::string instances =
      "a|1|1|1|running|Y|n1||ext|role:dns,x|1\n"
      "b|1|1|1|running|Y|n2||ext|role:dns|1\n"
      "c|1|1|1|running|Y|n3||ext|role:web|1\n";
  const std::string tags =
      "htools:nlocation:power\nhtools:iextags:role\nhtools:migration:hv\nhtools:allowmigration:hv:old::hv:"
      "new\n"
      "htools:desiredlocation:power\n";
  const auto imported =
      read_ganeti(cluster(kGroup + "g2|uuid-2|unallocable||\n", nodes, instances, tags), "file");
  EXPECT_EQ(imported.rounds[0].hosts[0].failure_domain, "power:a");
  EXPECT_FALSE(imported.rounds[0].hosts[2].failure_domain);
  EXPECT_EQ(rules(imported),
            "anti_affinity a,b,; pin a,b, on n1,n2,; pin c, on n3,; exclude a, on n3,; exclude b, on n1,n3,; "
            "exclude c, on n1,n2,; ");
  EXPECT_EQ(imported.notes.size(), 1U);
}

TEST(Ganeti, WhatCannotBeReadIsRefusedWithItsLine) {
  const auto refuse = [](const std::string& text) { return refused(read_ganeti, text); };
  EXPECT_TRUE(has(refuse(""), "there is no node"));
  EXPECT_TRUE(has(refuse(cluster("g1|uuid-1\n", kNodes, "")), "line 1: expected a group"));
  EXPECT_TRUE(has(refuse(cluster("g1|uuid-1|always||\n", kNodes, "")), "line 1: allocation policy"));
  EXPECT_TRUE(has(refuse(cluster(kGroup + kGroup, kNodes, "")), "line 2: a second group"));
  EXPECT_TRUE(has(refuse(cluster(kGroup, "n1|1|2\n", "")), "line 3: expected a node"));
  EXPECT_TRUE(
      has(refuse(cluster(kGroup, "n1|1|0|1|1|1|1|N|uuid-9\n", "")), "line 3: there is no group \"uuid-9\""));
  EXPECT_TRUE(has(refuse(cluster(kGroup, kNodes + kNodes, "")), "line 6: a second node \"n1\""));
  EXPECT_TRUE(
      has(refuse(cluster(kGroup, "n1|x|0|1|1|1|1|N|uuid-1\n", "")), "line 3: memory: expected a number"));
  EXPECT_TRUE(
      has(refuse(cluster(kGroup, "n1|-5|0|1|1|1|1|N|uuid-1\n", "")), "line 3: memory: expected a number"));
  EXPECT_TRUE(has(refuse(cluster(kGroup, "n1|1e300|0|1|1|1|1|N|uuid-1\n", "")), "line 3: memory"));
  EXPECT_TRUE(has(refuse(cluster(kGroup, "n1|nan|0|1|1|1|1|N|uuid-1\n", "")), "line 3: memory"));
  EXPECT_TRUE(has(refuse(cluster(kGroup, "n1|1|0|1|1|1|0|N|uuid-1\n", "")),
                  "line 3: a node that is not offline has no CPUs"));
  EXPECT_TRUE(has(refuse(cluster(kGroup, "n1|0|0|0|1|1|1|N|uuid-1\n", "")),
                  "line 3: a node that is not offline has no memory"));
  EXPECT_TRUE(has(refuse(cluster(kGroup, "n1|1|0|2|1|1|1|N|uuid-1\n", "")), "line 3: more memory is free"));
  EXPECT_TRUE(has(refuse(cluster(kGroup, "n1|1|0|1|1|1|1|Q|uuid-1\n", "")), "line 3: role"));
  EXPECT_TRUE(has(refuse(cluster(kGroup, kNodes, "a|1|1|1|running|Y|n9||ext||1\n")),
                  "line 7: there is no node \"n9\""));
  EXPECT_TRUE(
      has(refuse(cluster(kGroup, kNodes, kInstances + kInstances)), "line 9: a second instance \"web\""));
  EXPECT_TRUE(
      has(refuse(cluster(kGroup, kNodes, "a|1|1|1|well|Y|n1||ext||1\n")), "line 7: status: \"well\""));
  EXPECT_TRUE(
      has(refuse(cluster(kGroup, kNodes, "a|1|1|1|running|Y|n1||floppy||1\n")), "line 7: disk template"));
  EXPECT_TRUE(has(refuse(cluster(kGroup, kNodes, "a|1|1|1|running|Y|n1|n1|drbd||1\n")),
                  "line 7: its primary and its secondary"));
  EXPECT_TRUE(has(refuse(cluster(kGroup, kNodes, "a|1|1|1|running|Y|n1||drbd||1\n")),
                  "line 7: its disks are mirrored"));
  EXPECT_TRUE(has(refuse(kGroup + "\n" + kNodes), "it was cut off"));
  EXPECT_TRUE(
      has(refuse(cluster(kGroup, kNodes, "", "", "g9|a|b|ext|4.0|32.0\n")), "there is no group \"g9\""));
  EXPECT_TRUE(
      has(refuse(cluster(kGroup, kNodes, "", "", "|a|b|ext|4.0|32.0\n\nmore\n")), "at most five sections"));
  EXPECT_TRUE(has(refuse(std::string("\x7f"
                                     "ELF\x02\x01\x01\0\0|\xff|\n",
                                     13)),
                  "line 1: "));
}

TEST(Csv, HostsAndServersAreRowsUnderTheNamesOfTheirFields) {
  const auto imported = read_csv(
      "host,vm,cpus,vcpus,memory_bytes,memory_used_bytes,cpu_cores,anti_affinity\n"
      "h1,,8,,16GiB,4GiB,,\n"
      "h1,db1,,2,8589934592,,1.5,db\n"
      "h1,\"odd, \"\"name\"\"\",,1,1GiB,,0.5,\n"
      "h2,,8,,16GiB,,,\n",
      "file");
  ASSERT_EQ(imported.rounds.size(), 1U);
  const auto& round = imported.rounds[0];
  ASSERT_EQ(round.hosts.size(), 2U);
  ASSERT_EQ(round.vms.size(), 2U);
  EXPECT_FALSE(round.time);
  EXPECT_EQ(round.hosts[0].memory_bytes, 16LL << 30);
  EXPECT_EQ(round.hosts[0].memory_free_bytes, 12LL << 30);
  EXPECT_EQ(round.hosts[0].vms_running, 2);
  EXPECT_EQ(round.hosts[0].vcpus_allocated, 3);
  EXPECT_EQ(round.hosts[0].cpu_percent, 25);
  EXPECT_EQ(round.hosts[0].imported, "csv");
  EXPECT_EQ(round.hosts[1].cpu_percent, 0);
  EXPECT_EQ(round.vms[0].cpu_percent, 75);
  EXPECT_EQ(round.vms[0].anti_affinity, "db");
  EXPECT_EQ(round.vms[0].state, "running");
  EXPECT_EQ(round.vms[1].vm, "odd, \"name\"");
  EXPECT_FALSE(round.vms[1].anti_affinity);
}

TEST(Csv, TimesMakeRounds) {
  const auto imported = read_csv(
      "time;host;cpus;memory_bytes;cpu_percent\r\n"
      "2026-11-25T12:00:00Z;h1;8;1GiB;10\r\n"
      "2026-11-25T12:00:00Z;h2;8;1GiB;10\r\n"
      "\r\n"
      "2026-11-25T12:05:00Z;h1;8;1GiB;90",
      "file");
  ASSERT_EQ(imported.rounds.size(), 2U);
  EXPECT_EQ(imported.rounds[0].hosts.size(), 2U);
  EXPECT_EQ(imported.rounds[1].hosts[0].cpu_percent, 90);
  EXPECT_EQ(*imported.rounds[1].time - *imported.rounds[0].time, std::chrono::minutes(5));
}

TEST(Csv, GarbageIsRefusedWithItsLine) {
  const std::string head = "host,vm,cpus,vcpus,memory_bytes,state,time\n";
  const std::string h1 = "h1,,8,,1GiB,,\n";
  const auto refuse = [](const std::string& text) { return refused(read_csv, text); };
  EXPECT_TRUE(has(refuse(""), "it is empty"));
  EXPECT_TRUE(has(refuse(head), "it has a header and no row"));
  EXPECT_TRUE(has(refuse("name,cpus\nh1,8\n"), "line 1: there is no column \"name\""));
  EXPECT_TRUE(has(refuse("host,host\nh1,h1\n"), "line 1: there are two columns \"host\""));
  EXPECT_TRUE(has(refuse("cpus\n8\n"), "line 1: there is no column \"host\""));
  EXPECT_TRUE(has(refuse("\x7f"
                         "ELF\x02\xff\n1\n"),
                  "line 1: there is no column \"?ELF??\""));
  EXPECT_TRUE(has(refuse(head + "h1,,8\n"), "line 2: there are 3 cells under 7 headings"));
  EXPECT_TRUE(has(refuse(head + ",,8,,1GiB,,\n"), "line 2: it names no host"));
  EXPECT_TRUE(has(refuse(head + "h1,,zero,,1GiB,,\n"), "line 2: cpus: expected a whole number"));
  EXPECT_TRUE(has(refuse(head + "h1,,-8,,1GiB,,\n"), "line 2: cpus: expected a whole number"));
  EXPECT_TRUE(has(refuse(head + "h1,,0,,1GiB,,\n"), "line 2: cpus: a host has at least one"));
  EXPECT_TRUE(has(refuse(head + "h1,,8,,0,,\n"), "line 2: memory_bytes: a host has some"));
  EXPECT_TRUE(has(refuse(head + "h1,,8,,much,,\n"), "line 2: memory_bytes: expected a size"));
  EXPECT_TRUE(has(refuse(head + "h1,,8,2,1GiB,,\n"), "line 2: vcpus: only a virtual server has it"));
  EXPECT_TRUE(has(refuse(head + h1 + h1), "line 3: a second row for the host \"h1\""));
  EXPECT_TRUE(has(refuse(head + h1 + "h1,a,,1,1,,\nh1,a,,1,1,,\n"), "line 4: a second row for \"a\""));
  EXPECT_TRUE(has(refuse(head + h1 + "h9,a,,1,1,,\n"), "line 3: there is no row for the host \"h9\""));
  EXPECT_TRUE(has(refuse(head + h1 + "h1,a,,0,1,,\n"), "line 3: vcpus: a virtual server has at least one"));
  EXPECT_TRUE(has(refuse(head + h1 + "h1,a,,1,1,dancing,\n"), "line 3: state: expected running"));
  EXPECT_TRUE(has(refuse(head + "h1,,8,,1GiB,,noon\n"), "line 2: time: expected one such as"));
  EXPECT_TRUE(has(refuse(head + "h1,,8,,1GiB,,2026-11-25T12:00:10Z\nh1,,8,,1GiB,,2026-11-25T12:00:00Z\n"),
                  "line 3: time runs backwards"));
  EXPECT_TRUE(has(refuse(head + "h1,,8,,1GiB,,2026-11-25T12:00:10Z\nh2,,8,,1GiB,,\n"),
                  "line 3: some rows have a time and some have none"));
  EXPECT_TRUE(has(refuse(head + "\"h1,,8\n"), "line 2: a quote is opened and never closed"));
  EXPECT_TRUE(
      has(refuse(head + "\"h1\"x,,8,,1GiB,,\n"), "line 2: there is something behind a closing quote"));
  EXPECT_TRUE(
      has(refuse(head + "\"h\n1\",,8,,1GiB,,\n"), "line 2: host: expected text without control characters"));
  EXPECT_TRUE(has(refuse(head + h1 + "\"h\n1\",a,,1,1,,\n" + h1), "line 3: host: expected text"));
}

}  // namespace
}  // namespace rackline::usage
