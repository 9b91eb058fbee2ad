// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "virt/pressure.h"

namespace rackline::virt {
namespace {

TEST(Pressure, IsTheTotalOfTheLineThatCountsSomeTasks) {
  EXPECT_EQ(parse_pressure("some avg10=1.53 avg60=0.87 avg300=0.20 total=123456\n"
                           "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"),
            123456);
  EXPECT_EQ(parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=0"), 0);
  for (const char* wrong :
       {"", "full avg10=0.00 total=7\n", "some avg10=0.00\nfull total=7\n", "some total=x\n",
        "some total=-5\n", "some total=1e9\n", "some total=99999999999999999999\n"}) {
    EXPECT_FALSE(parse_pressure(wrong)) << wrong;
  }
}

TEST(Pressure, OfAKernelWithoutItIsUnknown) {
  const auto directory = std::filesystem::path(testing::TempDir()) / "rackline-pressure";
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "memory") << "some avg10=0.00 avg60=0.00 avg300=0.00 total=42\n";
  const Pressure pressure = read_pressure(directory);
  EXPECT_EQ(pressure.memory_us, 42);
  EXPECT_FALSE(pressure.cpu_us);
  EXPECT_FALSE(pressure.io_us);
  std::filesystem::remove_all(directory);
}

TEST(Pressure, IsOnlyTakenForThisMachine) {
  EXPECT_TRUE(is_this_machine("qemu:///system"));
  EXPECT_TRUE(is_this_machine("xen:///"));
  for (const char* other : {"qemu+tcp://h1/system", "qemu+ssh://root@localhost/system", "test:///default",
                            "test:////tmp/h1.xml", "qemu+unix:///system?socket=/run/tunnel", "", "qemu"}) {
    EXPECT_FALSE(is_this_machine(other)) << other;
  }
}

}  // namespace
}  // namespace rackline::virt
