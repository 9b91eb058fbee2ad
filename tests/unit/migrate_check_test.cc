// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/path.h"
#include "migrate/check.h"

namespace rackline::migrate {
namespace {

using Answer = CheckResult::Answer;

Move plan() {
  Move move;
  move.id = "1";
  move.vm = "db1";
  move.from = "h1";
  move.to = "h2";
  move.uuid = "u";
  move.domain_id = 5;
  return move;
}

VmFacts running() {
  VmFacts vm;
  vm.state = VmState::kRunning;
  vm.name = "db1";
  vm.uuid = "u";
  vm.domain_id = 5;
  vm.persistent = true;
  return vm;
}

TEST(CheckPlace, GoesWhenTheVmIsWhereThePlanSawItAndNotOnTheTarget) {
  EXPECT_EQ(check_place(plan(), running(), {}).answer, Answer::kGo);
}

TEST(CheckPlace, RefusesAnotherIncarnation) {
  VmFacts vm = running();
  vm.domain_id = 6;
  EXPECT_NE(check_place(plan(), vm, {}).reason.find("restarted"), std::string::npos);
  vm.domain_id.reset();
  vm.state = VmState::kShutoff;
  EXPECT_EQ(check_place(plan(), vm, {}).answer, Answer::kRefuse);
  Move stopped = plan();
  stopped.domain_id.reset();
  EXPECT_EQ(check_place(stopped, vm, {}).answer, Answer::kGo);
  EXPECT_EQ(check_place(stopped, running(), {}).answer, Answer::kRefuse);
}

TEST(CheckPlace, TakesAPlanByHandWithoutUuid) {
  Move move = plan();
  move.uuid.reset();
  move.domain_id.reset();
  EXPECT_EQ(check_place(move, running(), {}).answer, Answer::kGo);
}

TEST(CheckPlace, KnowsThatItIsDone) {
  EXPECT_EQ(check_place(plan(), {}, running()).answer, Answer::kAlready);
  EXPECT_EQ(check_place(plan(), {}, {}).answer, Answer::kRefuse) << "it is nowhere";
  VmFacts arriving = running();
  arriving.state = VmState::kInMigration;
  EXPECT_EQ(check_place(plan(), {}, arriving).answer, Answer::kRefuse) << "it does not run there yet";
}

TEST(CheckPlace, RefusesWhenTheTargetHasAnythingOfThatNameOrUuid) {
  VmFacts other;
  other.name_clash = true;
  other.uuid = "v";
  EXPECT_NE(check_place(plan(), running(), other).reason.find("another virtual server of that name"),
            std::string::npos);
  for (const VmState state :
       {VmState::kShutoff, VmState::kRunning, VmState::kPaused, VmState::kInMigration}) {
    VmFacts there = running();
    there.state = state;
    EXPECT_EQ(check_place(plan(), running(), there).answer, Answer::kRefuse);
  }
}

TEST(CheckPlace, RefusesAnyStateButRunningPausedOrStopped) {
  for (const VmState state :
       {VmState::kInMigration, VmState::kPostcopy, VmState::kPostcopyFailed, VmState::kOther}) {
    VmFacts vm = running();
    vm.state = state;
    EXPECT_EQ(check_place(plan(), vm, {}).answer, Answer::kRefuse);
  }
  VmFacts busy = running();
  busy.job = true;
  EXPECT_NE(check_place(plan(), busy, {}).reason.find("job"), std::string::npos);
  VmFacts renamed = running();
  renamed.name = "db2";
  EXPECT_EQ(check_place(plan(), renamed, {}).answer, Answer::kRefuse);
}

TEST(LiesBelow, ComparesWholeComponents) {
  EXPECT_TRUE(lies_below("/srv/vm/a.qcow2", {"/srv/vm"}));
  EXPECT_TRUE(lies_below("/srv/vm/a.qcow2", {"/srv/vm/"}));
  EXPECT_TRUE(lies_below("/srv/vm/a.qcow2", {"/x", "/srv"}));
  EXPECT_TRUE(lies_below("/a", {"/"}));
  EXPECT_FALSE(lies_below("/srv/vmx/a.qcow2", {"/srv/vm"}));
  EXPECT_FALSE(lies_below("/srv/vm/../local/a.qcow2", {"/srv/vm"}));
  EXPECT_FALSE(lies_below("/srv/vm", {"/srv/vm"}));
  EXPECT_FALSE(lies_below("a.qcow2", {"/"}));
  EXPECT_FALSE(lies_below("", {"/"}));
  EXPECT_FALSE(lies_below("/srv/a", {}));
  EXPECT_FALSE(lies_below("/srv/a", {""}));
}

constexpr const char* kDomain = R"(<domain type='kvm' id='5'><name>db1</name>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type>%OS%</os>
  <cpu mode='custom' match='exact'><model>Haswell</model></cpu>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>%DEVICES%</devices></domain>)";

VmDescription described(const std::string& devices, const std::string& os = "") {
  std::string xml = kDomain;
  xml.replace(xml.find("%OS%"), 4, os);
  xml.replace(xml.find("%DEVICES%"), 9, devices);
  return virt::parse_description(xml);
}

std::string refusal(const VmDescription& vm, bool live = true) {
  MigrationHost from;
  MigrationHost to;
  from.host = "h1";
  to.host = "h2";
  from.shared_storage = {"/srv/vm", "/only-h1"};
  to.shared_storage = {"/srv/vm"};
  return check_description(from, to, vm, live).reason;
}

TEST(CheckDescription, ReadsWhatDecides) {
  const VmDescription vm = described("");
  EXPECT_EQ(vm.arch, "x86_64");
  EXPECT_EQ(vm.machine, "pc-q35-7.2");
  EXPECT_EQ(vm.virt_type, "kvm");
  EXPECT_EQ(vm.emulator, "/usr/bin/qemu-system-x86_64");
  EXPECT_NE(vm.cpu_xml.find("Haswell"), std::string::npos);
  EXPECT_THROW(virt::parse_description("<pool/>"), Error);
  EXPECT_THROW(virt::parse_description(""), Error);
}

TEST(CheckDescription, TakesSharedStorageOnly) {
  const auto disk = [](const std::string& type, const std::string& source, const std::string& more = "") {
    return described("<disk type='" + type + "' device='disk'>" + source + "<target dev='vda'/>" + more +
                     "</disk>");
  };
  EXPECT_EQ(refusal(disk("file", "<source file='/srv/vm/a.qcow2'/>")), "");
  EXPECT_NE(refusal(disk("file", "<source file='/var/local/a.qcow2'/>")).find("/var/local/a.qcow2"),
            std::string::npos);
  EXPECT_NE(refusal(disk("file", "<source file='/only-h1/a.qcow2'/>")), "");
  EXPECT_NE(refusal(disk("block", "<source dev='/dev/sdb'/>")), "");
  EXPECT_NE(refusal(disk("volume", "<source pool='p' volume='/srv/vm/a'/>")), "");
  EXPECT_NE(refusal(disk("nvme", "<source type='pci'/>")), "");
  EXPECT_EQ(refusal(disk("network", "<source protocol='rbd' name='p/a'><host name='mon'/></source>")), "");
  EXPECT_NE(
      refusal(disk("network", "<source protocol='nbd'><host transport='unix' socket='/run/n'/></source>")),
      "");
  EXPECT_NE(refusal(disk(
                "file", "<source file='/srv/vm/a.qcow2'/>",
                "<backingStore type='file'><source file='/var/base.qcow2'/><backingStore/></backingStore>")),
            "");
  EXPECT_NE(refusal(disk("file", "<source file='/srv/vm/a.qcow2'/>", "<mirror type='file'/>")), "");
}

TEST(CheckDescription, ANetworkDiskOfTheHostItselfIsNotShared) {
  const auto disk = [](const std::string& source) {
    return described("<disk type='network' device='disk'>" + source + "<target dev='vda'/></disk>");
  };
  for (const char* host :
       {"<host name='localhost' port='10809'/>", "<host name='127.0.0.1'/>", "<host name='::1'/>",
        "<host name='127.1'/>", "<host/>", "<host name='storage'/><host name='localhost'/>", ""}) {
    EXPECT_NE(refusal(disk(std::string("<source protocol='nbd' name='x'>") + host + "</source>")), "")
        << host;
  }
  EXPECT_EQ(refusal(disk("<source protocol='nbd' name='x'><host name='10.0.0.9'/></source>")), "");
  // Ceph's own configuration names its monitors.
  EXPECT_EQ(refusal(disk("<source protocol='rbd' name='pool/a'/>")), "");
}

TEST(CheckDescription, ACopyOnWriteImageOverADiskOfTheHostItselfIsNotShared) {
  EXPECT_NE(
      refusal(described("<disk type='file' device='disk'><source file='/srv/vm/a.qcow2'/><backingStore "
                        "type='network'><source protocol='nbd' name='x'><host name='localhost'/></source>"
                        "</backingStore><target dev='vda'/></disk>")),
      "");
}

TEST(CheckDescription, TheInventoryMaySayThatHostsServeOneClusterFileSystem) {
  const VmDescription vm = described(
      "<disk type='network' device='disk'><source protocol='gluster' name='vol1/db1.img'><host "
      "name='localhost'/></source><target dev='vda'/></disk>");
  MigrationHost from{"h1", "", "", {"gluster:vol1"}, {}, 0};
  MigrationHost to{"h2", "", "", {"gluster:vol1"}, {}, 0};
  EXPECT_EQ(check_description(from, to, vm, true).reason, "");
  for (const char* other : {"gluster:vol2", "gluster:vo", "/", "", "nbd:vol1"}) {
    to.shared_storage = {other};
    EXPECT_NE(check_description(from, to, vm, true).reason, "") << other;
  }
  to.shared_storage = {"gluster:"};
  EXPECT_EQ(check_description(from, to, vm, true).reason, "");
}

TEST(CheckDescription, AnEmptyDriveIsNoDisk) {
  for (const char* source : {"", "<source index='3'/>", "<source startupPolicy='optional'/>"}) {
    for (const char* device : {"cdrom", "floppy"}) {
      EXPECT_EQ(refusal(described(std::string("<disk type='file' device='") + device + "'>" + source +
                                  "<target dev='sda'/></disk>")),
                "")
          << source;
    }
  }
  EXPECT_NE(refusal(described("<disk type='file' device='cdrom'><source file='/var/a.iso' index='3'/><target "
                              "dev='sda'/></disk>")),
            "");
}

TEST(CheckDescription, OfAnImageThatDoesNotRunTheFilesBelowItHaveToBeKnown) {
  const auto disk = [](const std::string& format, const std::string& more) {
    return described("<disk type='file' device='disk'><driver name='qemu'" + format +
                     "/><source file='/srv/vm/a.img'/>" + more + "<target dev='vda'/></disk>");
  };
  const auto objection = [](const VmDescription& vm) {
    return check_chains({"h1", "", "", {"/srv/vm"}, {}, 0}, vm).reason;
  };
  EXPECT_NE(objection(disk(" type='qcow2'", "")), "");
  EXPECT_EQ(objection(disk(" type='qcow2'", "<backingStore/>")), "");
  EXPECT_EQ(objection(disk(" type='raw'", "")), "");
  EXPECT_EQ(objection(disk("", "")), "");
  EXPECT_EQ(refusal(disk(" type='qcow2'", ""), false), "") << "what failover starts has run before";
}

TEST(CheckDescription, TheFileBelowAVolumeIsRead) {
  EXPECT_EQ(virt::backing_of("<volume><backingStore><path>/srv/base</path></backingStore></volume>"),
            "/srv/base");
  EXPECT_EQ(virt::backing_of("<volume><name>a</name></volume>"), "");
  EXPECT_EQ(virt::backing_of("<pool/>"), std::nullopt);
  EXPECT_EQ(virt::backing_of(""), std::nullopt);
}

TEST(CheckDescription, AVolumeIsSharedOnceItsPathIsKnown) {
  VmDescription vm = described(
      "<disk type='volume' device='disk'><source pool='images' volume='a.qcow2'/><target dev='vda'/></disk>");
  ASSERT_EQ(vm.disks.size(), 1U);
  EXPECT_EQ(vm.disks[0].pool, "images");
  EXPECT_EQ(vm.disks[0].volume, "a.qcow2");
  EXPECT_NE(refusal(vm), "");
  vm.disks[0].type = "file";
  vm.disks[0].source = "/srv/vm/a.qcow2";
  EXPECT_EQ(refusal(vm), "");
  vm.disks[0].source = "/var/a.qcow2";
  EXPECT_NE(refusal(vm), "");
}

TEST(CheckDescription, RefusesWhatIsTiedToItsHost) {
  EXPECT_NE(refusal(described("<hostdev mode='subsystem' type='pci'/>")), "");
  EXPECT_NE(refusal(described("<interface type='hostdev'/>")), "");
  EXPECT_NE(refusal(described("<filesystem type='mount'/>")), "");
  EXPECT_NE(refusal(described("<tpm><backend type='passthrough'/></tpm>")), "");
  EXPECT_EQ(refusal(described("<tpm><backend type='emulator'/></tpm>")), "");
  EXPECT_NE(refusal(described("<tpm><backend type='emulator'/></tpm>"), false), "");
}

TEST(CheckDescription, AStoppedVmLeavesItsFirmwareVariablesOnlyOnSharedStorage) {
  const VmDescription local = described("", "<nvram>/var/lib/libvirt/qemu/nvram/a.fd</nvram>");
  EXPECT_EQ(refusal(local, true), "");
  EXPECT_NE(refusal(local, false), "");
  EXPECT_EQ(refusal(described("", "<nvram>/srv/vm/a.fd</nvram>"), false), "");
}

TEST(CheckMemory, CountsWhatIsOnItsWay) {
  EXPECT_EQ(check_memory("h2", 100, 100, 0).answer, Answer::kGo);
  EXPECT_EQ(check_memory("h2", 100, 150, 60).answer, Answer::kWait);
  EXPECT_EQ(check_memory("h2", 100, 99, 0).answer, Answer::kRefuse);
  EXPECT_EQ(check_memory("h2", 100, -5, 0).answer, Answer::kRefuse);
}

// --- copies of disks ---

TEST(TakeCopies, OnlyWhatIsACompleteImageOfThisServerAlone) {
  MigrationHost h1;
  h1.host = "h1";
  h1.shared_storage = {"/srv"};
  MigrationHost h2 = h1;
  h2.host = "h2";
  VmDisk local{"vda", "file", "/var/a.img"};
  local.format = "raw";
  const auto taken = [&](const std::vector<VmDisk>& disks, bool by_word) {
    VmDescription vm;
    vm.disks = disks;
    std::vector<VmDisk> copies;
    const CheckResult result = take_copies(h1, h2, by_word, vm, copies);
    return result.answer == Answer::kGo
               ? std::to_string(copies.size()) + " of " + std::to_string(disks.size())
               : result.reason;
  };
  const std::string fault = "disk vda (/var/a.img) is not on storage that h1 and h2 share";
  EXPECT_EQ(taken({local}, true), "1 of 1");
  EXPECT_EQ(taken({local}, false), fault + ": --copy-disks takes it along");
  EXPECT_EQ(taken({{"vda", "file", "/srv/a.img"}}, false), "0 of 1");
  EXPECT_EQ(taken({{"vda", "network of its host", "nbd:a"}}, true), "0 of 1") << "that is refused elsewhere";
  const auto not_copied = [&](auto change) {
    VmDisk disk = local;
    change(disk);
    EXPECT_EQ(taken({disk}, false), fault) << "the word would not help";
    return taken({disk}, true);
  };
  const std::string why = fault + ", and is not copied: ";
  EXPECT_EQ(not_copied([](VmDisk& disk) { disk.format = "vmdk"; }), why + "its format is vmdk");
  EXPECT_EQ(not_copied([](VmDisk& disk) { disk.encrypted = true; }), why + "it is encrypted");
  EXPECT_EQ(not_copied([](VmDisk& disk) { disk.shareable = true; }),
            why + "other virtual servers may write to it");
  EXPECT_EQ(not_copied([](VmDisk& disk) { disk.read_only = true; }), why + "it is read-only");
  EXPECT_EQ(not_copied([](VmDisk& disk) { disk.chain_unknown = true; }), why + "its image rests on others");
  EXPECT_EQ(not_copied([](VmDisk& disk) { disk.type = "block"; }),
            why + "only image files are, and this is of type block");
  EXPECT_EQ(taken({local, {"vda", "file", "/srv/base.img"}}, true), why + "its image rests on others");
}

}  // namespace
}  // namespace rackline::migrate
