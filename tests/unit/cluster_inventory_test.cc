// SPDX-License-Identifier: Apache-2.0
// Which URIs of two hosts are those of one hypervisor.
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "cluster/inventory.h"
#include "store_urls.h"

namespace rackline::cluster {
namespace {

class InventoryTest : public testing::Test {
 protected:
  // Whether the inventory is refused in which one host has the first URI, and another one the second.
  bool same(const std::string& one, const std::string& other) {
    const auto path = (directory_.path() / "inventory").string();
    std::ofstream(path) << R"({"kind":"host","host":"h1","uri":")" << one << "\"}\n"
                        << R"({"kind":"host","host":"h2","uri":")" << other << "\"}\n";
    try {
      return load_inventory(path).size() != 2;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kUsage);
      EXPECT_EQ(error.why(), "hosts h1 and h2 have one and the same hypervisor") << one << " and " << other;
      return true;
    }
  }
  // Why an inventory is refused whose two hosts take migrations there; "" when it is not.
  std::string refused(const std::string& one, const std::string& other = "tcp://10.0.0.2") {
    const auto path = (directory_.path() / "inventory").string();
    std::ofstream(path) << R"({"kind":"host","host":"h1","uri":"qemu+tcp://h1/system","migration_uri":")"
                        << one << "\"}\n"
                        << R"({"kind":"host","host":"h2","uri":"qemu+tcp://h2/system","migration_uri":")"
                        << other << "\"}\n";
    try {
      EXPECT_EQ(load_inventory(path).front().migration_uri, one);
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kUsage);
      return error.why();
    }
    return {};
  }
  store::ScratchDirectory directory_;
};

struct Pair {
  const char *one, *other;
};

TEST_F(InventoryTest, OneHypervisorIsRefusedInAnySpelling) {
  constexpr Pair kSame[] = {
      {"qemu:///system", "qemu:///system"},
      {"qemu:///system", "QEMU:///system"},
      {"qemu:///system", "qemu+unix:///system"},
      {"qemu:///system", "qemu:///system/"},
      {"qemu:///system", "qemu:////system//"},
      {"qemu:///system", "qemu:///sys%74em"},
      {"qemu:///system", "qemu:///system#rack-2"},
      {"qemu:///system", "qemu:///system?#rack-2"},
      {"qemu:///system", "qemu:///system?no_verify=1#?socket=/x"},
      {"qemu:///system", "qemu+unix:///system?socket=/run/libvirt/libvirt-sock"},
      {"qemu:///system", "qemu+unix:///system?socket=/var/run/libvirt/libvirt-sock"},
      {"qemu:///system", "qemu+unix:///system?socket=/run//libvirt/libvirt-sock-ro"},
      {"qemu:///system", "qemu+unix:///system?socket=%2frun%2flibvirt%2flibvirt-sock"},
      {"qemu:///system", "qemu:///system?mode=direct;Socket=/run/libvirt/virtqemud-sock"},
      {"qemu:///system", "qemu+ssh://localhost/system/"},
      {"qemu:///system", "qemu://127.0.0.1/system"},
      {"qemu:///system", "qemu://:16514/system"},
      {"qemu:///system", "qemu+ssh://root@:2222/system"},
      {"qemu+ssh://h1/system", "qemu+ssh://h1:/system"},
      {"qemu+tcp://h1/system", "qemu+tcp://h1:0/system"},
      {"qemu:///system?socket=/run/a", "qemu+unix:///system/?socket=/run/a"},
      {"qemu+ssh://h1/system", "qemu+tcp://root@H1.:16509/system/"},
      {"qemu+ssh://h1/system", "qemu+libssh://h1:22/system"},
      {"qemu+ssh://h1/system", "qemu+ssh://h1/system?socket=/var/run/libvirt/libvirt-sock"},
      {"qemu+ssh://h1/system", "qemu+tcp://h1/system?socket=/run/a"},
      {"qemu+ssh://h1/system", "qemu://h1/system?socket=/run/a"},
      {"qemu+ssh://h1/system", "remote+ssh://h1/?name=qemu:///system"},
      {"qemu+ssh://h1/system", "qemu+ssh://h1?name=qemu%3A%2F%2F%2Fsystem/"},
      {"qemu+tls://10.0.0.1/system", "qemu+ssh://[::ffff:10.0.0.1]/system#x"},
  };
  for (const auto& [one, other] : kSame) {
    EXPECT_TRUE(same(one, other)) << one << " and " << other;
    EXPECT_TRUE(same(other, one)) << other << " and " << one;
  }
}

TEST_F(InventoryTest, TwoHypervisorsAreTwo) {
  constexpr Pair kTwo[] = {
      {"qemu:///system", "qemu:///session"},
      {"qemu:///system", "lxc:///system"},
      {"qemu:///system", "qemu+unix:///system?socket=/run/h2/libvirt-sock"},
      {"qemu:///system?socket=/run/a", "qemu:///system?socket=/run/b"},
      {"qemu:///system", "qemu+ssh://h1/system"},
      {"qemu+ssh://h1/system", "qemu+ssh://h2/system"},
      {"qemu+ssh://h1/system", "qemu+ssh://h1:2222/system"},
      {"qemu+ssh://h1/system", "qemu+ssh://h1/system?name=lxc:///"},
      {"qemu+ssh://h1/system", "qemu+ssh://h1/system?socket=/run/a"},
      {"test:///default", "test:///default"},
  };
  for (const auto& [one, other] : kTwo) EXPECT_FALSE(same(one, other)) << one << " and " << other;
}

TEST_F(InventoryTest, MigrationsGoToAnAddressThatMeansOneHost) {
  for (const char* uri : {"tcp://10.0.0.1", "tcp://10.0.0.1:49152", "tcp://[fd00:9::1]",
                          "tcp://[fd00:9::1]:49200", "tcp://h1-fast", "tcp://h1.fast.example"})
    EXPECT_EQ(refused(uri), "") << uri;
  for (const char* uri :
       {"", "10.0.0.1", "tcp://", "tcp:10.0.0.1", "tcp://fd00:9::1", "tcp://[10.0.0.1]", "tcp://10.0.0.1/",
        "tcp://10.0.0.1:0", "tcp://10.0.0.1:70000", "tcp://10.0.0.1:", "tcp://10.1", "tcp://010.0.0.1",
        "rdma://10.0.0.1", "qemu+tcp://10.0.0.1/system", "tcp://h1 fast", "tcp://[fd00::1"})
    EXPECT_NE(refused(uri).find("migration_uri of host h1 is none"), std::string::npos) << uri;
  for (const char* uri : {"tcp://127.0.0.1", "tcp://[::1]", "tcp://localhost", "tcp://0.0.0.0"})
    EXPECT_NE(refused(uri).find("each host's own"), std::string::npos) << uri;
  EXPECT_NE(refused("tcp://user:secret@10.0.0.1").find("password"), std::string::npos);
  EXPECT_EQ(refused("tcp://10.0.0.2"), "hosts h1 and h2 have one migration_uri");
}

}  // namespace
}  // namespace rackline::cluster
