// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "storage/describe.h"
#include "storage/identity.h"

namespace rackline::storage {
namespace {

constexpr const char* kUs = "iqn.2026-11.rackline:lunwatch.here";

record::Array array() {
  record::Array array;
  array.array = "a1";
  array.portal = "iscsi://10.0.0.21";
  array.driver = "tgt";
  return array;
}

iscsi::TgtTarget target(std::uint32_t id, const std::string& iqn) {
  iscsi::TgtTarget target;
  target.id = id;
  target.iqn = iqn;
  iscsi::TgtLun controller;
  controller.type = "controller";
  target.luns.push_back(controller);
  iscsi::TgtLun disk;
  disk.number = 1;
  disk.type = "disk";
  disk.serial = "SN-" + std::to_string(id);
  disk.backing_path = "/srv/" + std::to_string(id);
  disk.online = true;
  target.luns.push_back(disk);
  return target;
}

iscsi::TgtCounters counters(std::uint32_t target, std::uint64_t session, std::uint64_t reads,
                            std::uint64_t read_bytes) {
  iscsi::TgtCounters counters;
  counters.target = target;
  counters.lun = 1;
  counters.session = session;
  counters.read_commands = reads;
  counters.read_bytes = read_bytes;
  return counters;
}

LunView view(std::uint64_t blocks) {
  LunView view;
  view.facts.device_type = 0;
  view.facts.serial = "SN-of-scsi";
  view.facts.capacity = iscsi::Capacity{blocks, 512, 4096, true, true};
  view.facts.keys = iscsi::Keys{};
  return view;
}

TEST(Describe, ALunIsWhatItSaysItselfAndWhatItsArrayKnows) {
  TgtView tgt;
  tgt.targets = {target(3, "iqn.2026-11.lab:db1")};
  tgt.targets[0].sessions = {{7, "iqn.2026-11.lab:h1", "10.0.0.1"}, {8, kUs, "10.0.0.9"}};
  tgt.room.allocated_bytes["/srv/3"] = 4096;
  const auto described = describe(array(), tgt, {{{"iqn.2026-11.lab:db1", 1}, view(2048)}}, {}, kUs);
  ASSERT_EQ(described.luns.size(), 1U);
  const auto& lun = described.luns[0];
  EXPECT_EQ(lun.lun, "db1");
  EXPECT_EQ(lun.serial, "SN-of-scsi");
  EXPECT_EQ(lun.size_bytes, 2048 * 512);
  EXPECT_EQ(lun.physical_block_bytes, 4096);
  EXPECT_EQ(lun.allocated_bytes, 4096);
  EXPECT_EQ(lun.consumers, (std::vector<std::string>{"iqn.2026-11.lab:h1@10.0.0.1"}));
  EXPECT_EQ(lun.in_use, "yes");
  EXPECT_FALSE(lun.read_iops) << "counters were seen once";
  EXPECT_EQ(described.array.promised_bytes, 2048 * 512);
}

TEST(Describe, OurOwnSessionIsNoUse) {
  TgtView tgt;
  tgt.targets = {target(3, "iqn.2026-11.lab:db1")};
  tgt.targets[0].sessions = {{8, kUs, "10.0.0.9"}};
  tgt.before.emplace();
  tgt.now = {counters(3, 8, 100, 51200)};
  tgt.window = Milliseconds{1000};
  const auto described = describe(array(), tgt, {}, {}, kUs);
  EXPECT_EQ(described.luns[0].in_use, "no");
  EXPECT_EQ(described.luns[0].read_iops, 0);
}

TEST(Describe, WithoutADriverUseIsUnknownUnlessSomebodyRegistered) {
  record::Array plain = array();
  plain.driver = "scsi";
  auto registered = view(8);
  registered.facts.keys->keys = {1};
  const auto described =
      describe(plain, std::nullopt,
               {{{"iqn.2026-11.lab:t", 1}, view(8)}, {{"iqn.2026-11.lab:t", 2}, registered}}, {}, kUs);
  ASSERT_EQ(described.luns.size(), 2U);
  EXPECT_EQ(described.luns[0].lun, "t/1");
  EXPECT_EQ(described.luns[0].in_use, "unknown");
  EXPECT_EQ(described.luns[1].in_use, "yes");
}

TEST(Describe, RatesAddUpOverSessionsThatComeAndGo) {
  TgtView tgt;
  tgt.targets = {target(3, "iqn.2026-11.lab:db1")};
  tgt.before = {counters(3, 1, 1000, 1000000), counters(3, 2, 4294967290, 10)};
  // The first has gone, the second went on past 32 bits, the third is new.
  tgt.now = {counters(3, 2, 4, 20), counters(3, 4, 30, 300)};
  tgt.window = Milliseconds{2000};
  const auto described = describe(array(), tgt, {}, {}, kUs);
  EXPECT_DOUBLE_EQ(*described.luns[0].read_iops, (10 + 30) / 2.0);
  EXPECT_DOUBLE_EQ(*described.luns[0].read_bytes_per_second, (10 + 300) / 2.0);
  EXPECT_DOUBLE_EQ(*described.array.read_iops, 20);
  EXPECT_EQ(described.array.window_ms, 2000);
}

TEST(Describe, WhatIsNotKnownOfOneIsNotKnownOfTheSum) {
  TgtView tgt;
  tgt.targets = {target(3, "iqn.2026-11.lab:db1"), target(4, "iqn.2026-11.lab:db2")};
  const auto described = describe(array(), tgt, {{{"iqn.2026-11.lab:db1", 1}, view(2048)}},
                                  {{"iqn.2026-11.lab:db2", {"Authentication failure(513)", {}}}}, kUs);
  EXPECT_EQ(described.array.luns, 2);
  EXPECT_FALSE(described.array.promised_bytes);
  EXPECT_FALSE(described.array.used_bytes);
  EXPECT_EQ(described.luns[1].error, "Authentication failure(513)");
  EXPECT_EQ(described.luns[1].serial, "SN-4");
}

TEST(Describe, RoomIsThatOfTheFileSystemsOrFollowsFromTheSizeInTheInventory) {
  TgtView tgt;
  tgt.targets = {target(3, "iqn.2026-11.lab:db1")};
  tgt.room.allocated_bytes["/srv/3"] = 300;
  tgt.room.size_bytes = 1000;
  tgt.room.free_bytes = 400;
  EXPECT_EQ(describe(array(), tgt, {}, {}, kUs).array.used_bytes, 600);
  tgt.room.free_bytes.reset();
  record::Array sized = array();
  sized.size_bytes = 2000;
  const auto described = describe(sized, tgt, {}, {}, kUs);
  EXPECT_EQ(described.array.used_bytes, 300);
  EXPECT_EQ(described.array.free_bytes, 1700);
}

record::LunSample lun(const std::string& array, const std::string& name, const std::string& serial,
                      const std::string& naa) {
  record::LunSample lun;
  lun.array = array;
  lun.lun = name;
  lun.serial = serial;
  lun.naa = naa;
  return lun;
}

// ClusterLabs/resource-agents#1463, rackerlabs/genestack#451: tgtd makes both of them out of numbers that
// every array begins with.
TEST(IdentityConflicts, NamesAllThatShareASerialOrAnNaa) {
  const auto conflicts =
      identity_conflicts({lun("a2", "x", "beaf11", "3000000100000001"),
                          lun("a1", "y", "beaf11", "3000000100000001"), lun("a1", "z", "", "4")});
  ASSERT_EQ(conflicts.size(), 2U);
  EXPECT_EQ(conflicts[0].identity, "naa");
  EXPECT_EQ(conflicts[1].value, "beaf11");
  EXPECT_EQ(conflicts[1].luns, (std::vector<std::string>{"a1/y", "a2/x"}));
}

}  // namespace
}  // namespace rackline::storage
