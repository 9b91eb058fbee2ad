// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "virt/description.h"
#include "virt/drive.h"

namespace rackline::virt {
namespace {

std::string domain(const std::string& disks) {
  return "<domain type='kvm'><devices>" + disks + "</devices></domain>";
}

std::string drive(const std::string& type, const std::string& source) {
  return "<disk type='" + type + "' device='cdrom'><driver name='qemu' type='raw'/>" + source +
         "<target dev='sda' bus='sata'/><readonly/></disk>";
}

TEST(Drive, IsFoundWithItsMediumAndWithoutWhatOnlyARunningOneHas) {
  const std::string running =
      "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='/iso/a.iso' index='2'/>"
      "<backingStore/><target dev='sda' bus='sata' tray='closed'/><readonly/><alias "
      "name='sata0-0-0'/></disk>";
  EXPECT_EQ(parse_description(domain(loaded_drive(domain(running), "sda"))).disks.at(0).source, "/iso/a.iso");
  for (const char* part : {"index", "tray", "alias", "backingStore"})
    EXPECT_EQ(loaded_drive(domain(running), "sda").find(part), std::string::npos) << part;
  EXPECT_EQ(loaded_drive(domain(running), "sdb"), "");
}

TEST(Drive, WithoutAMediumIsEmpty) {
  for (const char* source : {"", "<source index='3'/>", "<source startupPolicy='optional'/>"})
    EXPECT_EQ(loaded_drive(domain(drive("file", source)), "sda"), "") << source;
}

TEST(Drive, IsEmptiedWhateverWasInIt) {
  for (const auto& [type, source] :
       {std::pair("file", "<source file='/iso/a.iso'/>"), std::pair("block", "<source dev='/dev/sr0'/>"),
        std::pair("volume", "<source pool='iso' volume='a.iso'/>")}) {
    const std::string loaded = loaded_drive(domain(drive(type, source)), "sda");
    EXPECT_TRUE(parse_description(domain(loaded)).disks.at(0).cdrom);
    const std::string empty = emptied_drive(loaded);
    EXPECT_TRUE(parse_description(domain(empty)).disks.empty()) << empty;
    EXPECT_NE(empty.find("type=\"file\""), std::string::npos) << empty;
  }
}

}  // namespace
}  // namespace rackline::virt
