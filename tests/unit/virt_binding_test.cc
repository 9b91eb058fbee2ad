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
  EXPECT_EQ(of("<filesystem type='mount'><source dir='/srv/web'/></filesystem>"),
            Texts{"it uses a directory of its host: /srv/web"});
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
  EXPECT_TRUE(of("").hugepages.empty());
  EXPECT_FALSE(of("").shared_memory);
  EXPECT_FALSE(of("<memoryBacking><hugepages/></memoryBacking>").hugepages.empty());
  const std::string memfd = "<memoryBacking><source type='memfd'/>";
  EXPECT_TRUE(of(memfd + "<access mode='shared'/></memoryBacking>").shared_memory);
  EXPECT_TRUE(
      of(memfd + "</memoryBacking><cpu><numa><cell id='0' memAccess='shared'/></numa></cpu>").shared_memory);
  EXPECT_FALSE(of(memfd + "</memoryBacking>").shared_memory);
  EXPECT_FALSE(of(memfd + "<hugepages/><access mode='shared'/></memoryBacking>").shared_memory)
      << "huge pages are no cache";
}

TEST(Binding, OfAnImageThatDoesNotRunTheFilesBelowItHaveToBeKnown) {
  VmDescription vm = described(
      "<disk type='file'><driver type='qcow2'/><source file='/srv/a.qcow2'/><target dev='vda'/></disk>");
  EXPECT_EQ(binding_of(vm, true, *storage()).bound_by, Texts{});
  const Texts why = binding_of(vm, false, *storage()).bound_by;
  ASSERT_EQ(why.size(), 1U);
  EXPECT_TRUE(why[0].starts_with("on which files its disk vda (/srv/a.qcow2) rests is not known")) << why[0];
  EXPECT_NE(why[0].find("no storage pool of h1"), std::string::npos) << why[0];
  vm.disks[0].chain_unknown = false;
  EXPECT_EQ(binding_of(vm, false, *storage()).bound_by, Texts{});
}

TEST(Binding, AVolumeIsAFileOfThePoolThatItsTargetNeedsToo) {
  VmDescription vm =
      described("<disk type='volume'><source pool='images' volume='a.img'/><target dev='vda'/></disk>");
  EXPECT_EQ(binding_of(vm, true, *storage()).bound_by,
            Texts{"disk vda (a.img) is not on storage that h1 shares with another host"})
      << "a pool that is not there";
  vm.disks[0].source = "/srv/images/a.img";
  vm.disks[0].type = "file";
  const Binding known = binding_of(vm, true, *storage());
  EXPECT_EQ(known.bound_by, Texts{});
  EXPECT_EQ(known.storage_pools, Texts{"images=/srv/images"});
}

TEST(HugePages, OfAGuestAreReadByTheirSizes) {
  const auto of = [](const std::string& more) { return described("", more).hugepages; };
  const std::string memory = "<memory unit='GiB'>4</memory>";
  constexpr std::int64_t kGiB = std::int64_t{1} << 30;
  EXPECT_EQ(of(memory + "<memoryBacking><hugepages/></memoryBacking>"), (PageBytes{{0, 4 * kGiB}}));
  EXPECT_EQ(of(memory + "<memoryBacking><hugepages><page size='2048'/></hugepages></memoryBacking>"),
            (PageBytes{{2 << 20, 4 * kGiB}}));
  const std::string cells =
      "<cpu><numa><cell id='0' memory='1048576'/><cell id='1' memory='1' unit='GiB'/><cell id='2' memory='2' "
      "unit='GiB'/></numa></cpu>";
  EXPECT_EQ(of(memory + cells +
               "<memoryBacking><hugepages><page size='1' unit='G' nodeset='0'/><page size='2' unit='M' "
               "nodeset='1-3,^2'/></hugepages></memoryBacking>"),
            (PageBytes{{2 << 20, kGiB}, {kGiB, kGiB}}))
      << "cell 2 is in ordinary memory";
}

TEST(HugePages, OfAHostAreThoseThatItHas) {
  const auto pools = parse_page_pools(
      "<capabilities><host><cpu><pages unit='KiB' size='4'/><pages unit='KiB' size='2048'/></cpu><topology>"
      "<cells num='2'><cell id='0'><pages unit='KiB' size='4'>1000</pages><pages unit='KiB' "
      "size='2048'>512</pages><pages unit='KiB' size='1048576'>0</pages></cell><cell id='1'><pages "
      "unit='KiB' "
      "size='2048'>512</pages></cell></cells></topology></host></capabilities>");
  ASSERT_TRUE(pools);
  EXPECT_EQ(pools->cells, 2U);
  EXPECT_EQ(pools->bytes, (PageBytes{{2 << 20, std::int64_t{2} << 30}}));
  EXPECT_EQ(words_of(with_known_sizes({{0, 4096}}, pools)), Texts{"2097152=4096"});
  EXPECT_EQ(words_of(with_known_sizes({{0, 4096}}, std::nullopt)), Texts{"default=4096"});
  EXPECT_FALSE(parse_page_pools("<capabilities/>"));
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
