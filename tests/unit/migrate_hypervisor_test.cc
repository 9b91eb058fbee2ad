// SPDX-License-Identifier: Apache-2.0
// The hypervisor behind migrate and failover, on libvirt's test driver.
#include <gtest/gtest.h>

#include "migrate/hypervisor.h"
#include "virt/connection.h"
#include "virt/description.h"

namespace rackline::migrate {
namespace {

class HypervisorTest : public testing::Test {
 protected:
  HypervisorTest() : connection_(virt::Connection::open("test:///default")) {
    MigrationHost host;
    host.host = "h1";
    host.uri = "test:///default";
    hypervisor_ = libvirt_hypervisor(host);
    hypervisor_->define("<domain type='test'><name>a</name><uuid>" + uuid_ +
                        "</uuid><memory>1024</memory><os><type>hvm</type></os></domain>");
  }
  ~HypervisorTest() override {
    if (look().active()) hypervisor_->destroy(uuid_);
    hypervisor_->undefine(uuid_);
  }
  VmFacts look() { return hypervisor_->look("a", uuid_); }
  virt::Domain domain() { return connection_.domain_by_uuid(uuid_); }

  const std::string uuid_ = "7d1c3a52-5b53-4b0c-8d0e-0a3c0f1f2b11";
  virt::Connection connection_;
  std::shared_ptr<Hypervisor> hypervisor_;
};

// failover refresh rests on this: what was killed is still wanted.
TEST_F(HypervisorTest, WhatWasKilledIsLostAndWhatWasShutDownIsNot) {
  hypervisor_->start(uuid_);
  EXPECT_FALSE(look().lost);
  hypervisor_->destroy(uuid_);
  EXPECT_TRUE(look().lost);
  hypervisor_->start(uuid_);
  ASSERT_EQ(virDomainShutdown(domain().get()), 0);
  EXPECT_EQ(look().state, VmState::kShutoff);
  EXPECT_FALSE(look().lost);
}

TEST_F(HypervisorTest, SnapshotsAreKnownAnewWithTheirParentsAndTheCurrentOne) {
  for (const char* name : {"clean", "patched"}) {
    const std::string xml = std::string("<domainsnapshot><name>") + name + "</name></domainsnapshot>";
    const virt::Snapshot made(virDomainSnapshotCreateXML(domain().get(), xml.c_str(), 0));
    ASSERT_NE(made, nullptr);
  }
  EXPECT_EQ(hypervisor_->describe(uuid_).ties_when_live, std::vector<std::string>{virt::kHasSnapshots});
  EXPECT_TRUE(hypervisor_->describe(uuid_).ties.empty());
  const std::string definition = hypervisor_->definition(uuid_);
  const auto before = hypervisor_->snapshots(uuid_);
  EXPECT_THROW(hypervisor_->undefine(uuid_), Error);
  hypervisor_->undefine_with_snapshots(uuid_);
  hypervisor_->define(definition);
  EXPECT_TRUE(hypervisor_->snapshots(uuid_).empty());
  for (const auto& snapshot : before) hypervisor_->redefine(uuid_, snapshot);
  const auto after = hypervisor_->snapshots(uuid_);
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0].name, "clean");
  EXPECT_EQ(after[1].name, "patched");
  EXPECT_FALSE(after[0].current);
  EXPECT_TRUE(after[1].current);
  EXPECT_NE(after[1].xml.find("<parent>"), std::string::npos);
  hypervisor_->undefine_with_snapshots(uuid_);
  hypervisor_->define(definition);
}

TEST(VmDescriptionTest, ASnapshotNamesItsFiles) {
  const auto files = virt::files_of_snapshot(R"(<domainsnapshot><name>s</name>
    <memory snapshot='external' file='/srv/s.mem'/>
    <disks><disk name='vda' snapshot='external' type='file'><source file='/srv/s.qcow2'/></disk>
      <disk name='vdb' snapshot='no'/></disks>
    <domain><devices><disk type='file'><source file='/var/base.img'/><target dev='vda'/></disk></devices></domain>
    </domainsnapshot>)");
  std::vector<std::string> texts;
  for (const auto& file : files) texts.push_back(text_of(file));
  EXPECT_EQ(texts, (std::vector<std::string>{"disk vda of snapshot s (/var/base.img)",
                                             "disk vda of snapshot s (/srv/s.qcow2)",
                                             "disk memory of snapshot s (/srv/s.mem)"}));
}

TEST_F(HypervisorTest, WhatItIsPluggedIntoIsThereOrNot) {
  const auto missing = [&](const std::string& type, const std::string& source) {
    VmDescription vm;
    vm.networks = {{type, source}};
    return hypervisor_->missing_network(vm).value_or("");
  };
  EXPECT_EQ(missing("network", "default"), "");
  EXPECT_EQ(missing("network", "blue"), "h1 has no network blue");
  EXPECT_EQ(missing("bridge", "br9"), "h1 has no bridge br9");
  EXPECT_EQ(missing("direct", "eth9"), "h1 has no interface eth9");
  EXPECT_EQ(missing("direct", "eth1"), "");
}

TEST(VmDescriptionTest, TellsWhatAnInterfaceIsPluggedIntoAndWhichDeviceTiesIt) {
  const auto vm = virt::parse_description(
      "<domain type='kvm'><os><type>hvm</type></os><devices>"
      "<interface type='bridge'><source bridge='br0'/></interface>"
      "<interface type='network'><source network='blue'/></interface>"
      "<interface type='direct'><source dev='eth1'/></interface>"
      "<interface type='user'/>"
      "<hostdev type='pci'><source><address domain='0x0000' bus='0x41' slot='0x00' function='0x1'/></source>"
      "</hostdev><hostdev type='mdev'><source><address uuid='c2177883'/></source></hostdev>"
      "<hostdev type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>"
      "</devices></domain>");
  ASSERT_EQ(vm.networks.size(), 3U);
  EXPECT_EQ(vm.networks[0].type + " " + vm.networks[0].source, "bridge br0");
  EXPECT_EQ(vm.networks[1].type + " " + vm.networks[1].source, "network blue");
  EXPECT_EQ(vm.networks[2].type + " " + vm.networks[2].source, "direct eth1");
  ASSERT_EQ(vm.ties.size(), 3U);
  EXPECT_EQ(vm.ties[0], "it uses a device of its host: pci 0000:41:00.1");
  EXPECT_EQ(vm.ties[1], "it uses a device of its host: mdev c2177883");
  EXPECT_EQ(vm.ties[2], "it uses a device of its host: usb 1234:beef");
}

}  // namespace
}  // namespace rackline::migrate
