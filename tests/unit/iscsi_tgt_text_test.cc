// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/error.h"
#include "iscsi/tgt_text.h"

namespace rackline::iscsi {
namespace {

// As tgt 1.0.85 prints it.
constexpr const char* kTargets = R"(Target 207: iqn.2026-11.lab:l1
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
        I_T nexus: 2
            Initiator: iqn.2026-11.lab:consumer-c1 alias: none
            Connection: 0
                IP Address: 10.76.0.1
    LUN information:
        LUN: 0
            Type: controller
            SCSI ID: IET     00cf0000
            SCSI SN: beaf2070
            Size: 0 MB, Block size: 1
            Online: Yes
            Readonly: No
            Thin-provisioning: No
            Backing store path: None
        LUN: 1
            Type: disk
            SCSI ID: lab-082b569d6f83
            SCSI SN: lab-082b569d6f83
            Size: 67 MB, Block size: 512
            Online: No
            Readonly: Yes
            Thin-provisioning: Yes
            Backing store path: /srv/luns/with: colon
            Backing store flags: 
    Account information:
        user
    ACL information:
        ALL
Target 9: iqn.2026-11.lab:empty
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
    LUN information:
)";

TEST(TgtText, TargetsTheirLunsAndWhoUsesThem) {
  const auto targets = parse_tgt_targets(kTargets);
  ASSERT_EQ(targets.size(), 2U);
  EXPECT_EQ(targets[0].id, 207U);
  EXPECT_EQ(targets[0].iqn, "iqn.2026-11.lab:l1");
  ASSERT_EQ(targets[0].sessions.size(), 1U);
  EXPECT_EQ(targets[0].sessions[0].id, 2U);
  EXPECT_EQ(targets[0].sessions[0].initiator, "iqn.2026-11.lab:consumer-c1");
  EXPECT_EQ(targets[0].sessions[0].address, "10.76.0.1");
  ASSERT_EQ(targets[0].luns.size(), 2U);
  EXPECT_EQ(targets[0].luns[0].type, "controller");
  const TgtLun& lun = targets[0].luns[1];
  EXPECT_EQ(lun.number, 1U);
  EXPECT_EQ(lun.serial, "lab-082b569d6f83");
  EXPECT_EQ(lun.backing_path, "/srv/luns/with: colon");
  EXPECT_TRUE(!lun.online && lun.read_only && lun.thin);
  EXPECT_TRUE(targets[1].sessions.empty() && targets[1].luns.empty());
  EXPECT_TRUE(parse_tgt_targets("").empty());
}

TEST(TgtText, TextOfAnotherFormIsRefused) {
  for (const char* text :
       {"tgtadm: failed to send request\n", "    LUN information:\n", "Target x: iqn\n", "Target 1: \n",
        "Target 1: iqn\n    LUN information:\n            Type: disk\n",
        "Target 1: iqn\n    LUN information:\n        LUN: one\n",
        "Target 1: iqn\n    LUN information:\n        LUN: 1\n            Online: perhaps\n",
        "Target 1: iqn\n    I_T nexus information:\n            Initiator: iqn\n"}) {
    EXPECT_THROW(parse_tgt_targets(text), Error) << text;
  }
}

TEST(TgtText, CountersOfEachSession) {
  const auto counters = parse_tgt_counters(
      "tgt lun sid rd_subm(bytes,cmds) rd_done(bytes,cmds) wr_subm(bytes,cmds) wr_done(bytes,cmds) errs\n"
      "207   0   2            0      0            0      0            0      0            0      0    0\n"
      "207   1   2         4128      2         4128      2       307200     75       303104     74    1\n");
  ASSERT_EQ(counters.size(), 2U);
  EXPECT_EQ(counters[1].target, 207U);
  EXPECT_EQ(counters[1].lun, 1U);
  EXPECT_EQ(counters[1].session, 2U);
  EXPECT_EQ(counters[1].read_bytes, 4128U);
  EXPECT_EQ(counters[1].written_bytes, 303104U);
  EXPECT_EQ(counters[1].write_commands, 74U);
  EXPECT_EQ(counters[1].outstanding, 1U);
  EXPECT_EQ(counters[1].errors, 1U);
  EXPECT_TRUE(parse_tgt_counters("").empty());
  EXPECT_THROW(parse_tgt_counters("nonsense\n"), Error);
  EXPECT_THROW(parse_tgt_counters("tgt lun sid x\n1 2 3\n"), Error);
  EXPECT_THROW(parse_tgt_counters("tgt lun sid x\n1 2 3 4 5 6 7 8 9 10 11 12 13\n"), Error);
}

TEST(TgtRoom, FilesTakeTheirBlocks) {
  const auto files = parse_allocated("8180:16:512:/srv/luns/a b:c\n61b0:0:512:/dev/sdb\n");
  ASSERT_EQ(files.size(), 1U) << "a device does not say what of it is allocated";
  EXPECT_EQ(files.at("/srv/luns/a b:c"), 16U * 512);
}

TEST(TgtRoom, AFileSystemCountsOnce) {
  TgtRoom room;
  add_file_systems("9f3a:4096:100:25\n9f3a:4096:100:25\n1:1024:8:8\n", room);
  EXPECT_EQ(room.size_bytes, 4096U * 100 + 1024 * 8);
  EXPECT_EQ(room.free_bytes, 4096U * 25 + 1024 * 8);
}

TEST(TgtRoom, WhatStatDoesNotSayIsRefused) {
  TgtRoom room;
  EXPECT_THROW(parse_allocated("8180:16:512\n"), Error);
  EXPECT_THROW(parse_allocated("8180:-1:512:/a\n"), Error);
  EXPECT_THROW(parse_allocated("stat: cannot statx\n"), Error);
  EXPECT_THROW(add_file_systems("9f3a:4096:100\n", room), Error);
}

}  // namespace
}  // namespace rackline::iscsi
