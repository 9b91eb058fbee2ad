// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>

#include "virt/binding.h"
#include "virt/pressure.h"
#include "virt/sample.h"

namespace rackline::virt {
namespace {

VmDescription described(const std::string& devices, const std::string& more = "") {
  return parse_description("<domain type='kvm'><os><type arch='x86_64' machine='q35'>hvm</type></os>" + more +
                           "<devices>" + devices + "</devices></domain>");
}

std::string disk(const std::string& path) {
  return "<disk type='file'><source file='" + path + "'/><target dev='vda'/></disk>";
}

// h1 shares /srv with all, /fast with h2 alone, and /own with nobody.
StoragePtr storage() {
  std::vector<record::Host> site(4);
  const std::vector<std::vector<std::string>> shared{
      {"/srv", "/fast", "/own"}, {"/srv", "/fast"}, {"/srv"}, {}};
  for (std::size_t i = 0; i < site.size(); ++i) {
    site[i].host = "h" + std::to_string(i + 1);
    site[i].shared_storage = shared[i];
  }
  site.pop_back();
  return storage_of({site[0]}, site).front();
}

using Texts = std::vector<std::string>;

TEST(Binding, ADeviceADirectoryAndATpmOfTheHostBind) {
  const auto of = [](const std::string& devices) {
    return binding_of(described(devices), true, *storage()).bound_by;
  };
  EXPECT_EQ(of(""), Texts{});
  EXPECT_EQ(of("<hostdev type='pci'><source><address domain='0x0000' bus='0x41' slot='0x00' "
               "function='0x0'/></source>"
               "</hostdev>"),
            Texts{"it uses a device of its host: pci 0000:41:00.0"});
  EXPECT_EQ(of("<filesystem type='mount'/>"), Texts{"it uses a directory of its host"});
  EXPECT_EQ(of("<tpm><backend type='passthrough'/></tpm>"), Texts{"it uses the TPM of its host"});
  EXPECT_EQ(of("<tpm><backend type='emulator'/></tpm>"), Texts{});
}

TEST(Binding, OneThatIsOffLeavesMoreBehind) {
  VmDescription vm = described("<tpm><backend type='emulator'/></tpm>");
  vm.nvram = VmDisk{"nvram", "file", "/var/lib/nvram/a.fd"};
  EXPECT_EQ(binding_of(vm, false, *storage()).bound_by,
            (Texts{"the state of its TPM lies on its host",
                   "disk nvram (/var/lib/nvram/a.fd) is not on storage that h1 shares with another host"}));
}

TEST(Binding, ADiskBindsWhereNoOtherHostSeesIt) {
  const auto of = [](const std::string& path) { return binding_of(described(disk(path)), true, *storage()); };
  EXPECT_EQ(of("/srv/a.img").bound_by, Texts{});
  EXPECT_EQ(of("/srv/a.img").disks, Texts{});
  EXPECT_EQ(of("/fast/a.img").bound_by, Texts{});
  EXPECT_EQ(of("/fast/a.img").disks, Texts{"/fast/a.img"});
  for (const char* path : {"/own/a.img", "/var/a.img"}) {
    EXPECT_EQ(of(path).bound_by, Texts{std::string("disk vda (") + path +
                                       ") is not on storage that h1 shares with another host"});
  }
}

TEST(Binding, NetworksAndInterfacesAreToldOnce) {
  const VmDescription vm = described(
      "<interface type='network'><source network='blue'/></interface>"
      "<interface type='network'><source network='blue'/></interface>"
      "<interface type='bridge'><source bridge='br0'/></interface>"
      "<interface type='direct'><source dev='eno1'/></interface>");
  EXPECT_EQ(binding_of(vm, true, *storage()).networks,
            (Texts{"interface br0", "interface eno1", "network blue"}));
}

TEST(Binding, MemoryThatCannotBeDroppedIsKnown) {
  const auto of = [](const std::string& more) { return binding_of(described("", more), true, *storage()); };
  EXPECT_FALSE(of("").hugepages);
  EXPECT_FALSE(of("").shared_memory);
  EXPECT_TRUE(of("<memoryBacking><hugepages/></memoryBacking>").hugepages);
  const std::string memfd = "<memoryBacking><source type='memfd'/>";
  EXPECT_TRUE(of(memfd + "<access mode='shared'/></memoryBacking>").shared_memory);
  EXPECT_TRUE(
      of(memfd + "</memoryBacking><cpu><numa><cell id='0' memAccess='shared'/></numa></cpu>").shared_memory);
  EXPECT_FALSE(of(memfd + "</memoryBacking>").shared_memory);
  EXPECT_FALSE(of(memfd + "<hugepages/><access mode='shared'/></memoryBacking>").shared_memory)
      << "huge pages are no cache";
}

TEST(Binding, SharedMemoryOfGuestsIsNotFree) {
  HostStats now;
  now.memory_bytes = 100;
  now.memory_free_bytes = 80;
  VmStats vm;
  vm.name = vm.uuid = "a";
  vm.domain_id = 1;
  vm.memory_bytes = 30;
  vm.memory_used_bytes = 20;
  now.vms = {vm};
  std::map<std::string, Baseline::Details> details;
  details["a"].domain_id = 1;
  details["a"].binding = Binding{};
  EXPECT_EQ(assemble(now, nullptr, {}, details).host.memory_free_bytes, 80);
  details["a"].binding->shared_memory = true;
  const Sample sample = assemble(now, nullptr, {}, details);
  EXPECT_EQ(sample.host.memory_free_bytes, 60);
  EXPECT_EQ(sample.host.memory_used_bytes, 40);
  now.shared_memory_left_out = true;
  EXPECT_EQ(assemble(now, nullptr, {}, details).host.memory_free_bytes, 80) << "the kernel has left it out";
}

TEST(AvailableMemory, IsWhatTheKernelSays) {
  const std::string file = testing::TempDir() + "/meminfo";
  std::ofstream(file)
      << "MemTotal:       16000 kB\nMemFree:         1000 kB\nMemAvailable:    3000 kB\nShmem: 9 kB\n";
  EXPECT_EQ(read_available_memory(file), 3000 * 1024);
  std::ofstream(file) << "MemTotal:       16000 kB\n";
  EXPECT_FALSE(read_available_memory(file));
  EXPECT_FALSE(read_available_memory(file + ".none"));
}

TEST(Wishes, AreFoundInAWholeDefinition) {
  const VmWishes wishes = parse_wishes(
      "<domain><metadata><x:y xmlns:x='urn:other' anti_affinity='no'/>"
      "<r:vm xmlns:r='urn:rackline:vm:1' anti_affinity='db' priority='3'/></metadata></domain>");
  EXPECT_EQ(wishes.anti_affinity, "db");
  EXPECT_EQ(wishes.priority, 3);
  EXPECT_FALSE(parse_wishes("<domain><vm anti_affinity='db'/></domain>").anti_affinity);
}

}  // namespace
}  // namespace rackline::virt
