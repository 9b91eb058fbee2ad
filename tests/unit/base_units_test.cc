// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/units.h"

namespace rackline {
namespace {

using std::chrono::milliseconds;

template <class F>
Status status_of(F&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.status();
  }
  return Status::kDone;
}

TEST(Units, BytesAreReadInPowersOf1024And1000) {
  EXPECT_EQ(parse_bytes("0"), 0);
  EXPECT_EQ(parse_bytes("1500"), 1500);
  EXPECT_EQ(parse_bytes("17B"), 17);
  EXPECT_EQ(parse_bytes("64KiB"), 65536);
  EXPECT_EQ(parse_bytes("2GiB"), 2147483648);
  EXPECT_EQ(parse_bytes("1.5TiB"), 1649267441664);
  EXPECT_EQ(parse_bytes("10GB"), 10'000'000'000);
}

TEST(Units, WhatIsNoSizeIsRefused) {
  for (const char* text : {"", " ", "GiB", "2 GiB", "2gib", "2GiBs", "-1", "1e3", "0x10", "nan", "inf",
                           "9e30GiB", "9223372036854775808", "16777216TiB", "1,5GiB"}) {
    EXPECT_EQ(status_of([&] { parse_bytes(text); }), Status::kUsage) << text;
  }
}

TEST(Units, DurationsNeedTheirUnit) {
  EXPECT_EQ(parse_duration("0"), milliseconds{0});
  EXPECT_EQ(parse_duration("250ms"), milliseconds{250});
  EXPECT_EQ(parse_duration("1.5s"), milliseconds{1500});
  EXPECT_EQ(parse_duration("5m"), milliseconds{300'000});
  EXPECT_EQ(parse_duration("2h"), milliseconds{7'200'000});
  EXPECT_EQ(parse_duration("1d"), milliseconds{86'400'000});
  for (const char* text : {"", "10", "s", "-1s", "1e3s", "10 s", "10S", "1h30m", "200000d", "infs"}) {
    EXPECT_EQ(status_of([&] { parse_duration(text); }), Status::kUsage) << text;
  }
}

TEST(Units, SizesAreShownWithThreeDigits) {
  EXPECT_EQ(format_bytes(0), "0B");
  EXPECT_EQ(format_bytes(1023), "1023B");
  EXPECT_EQ(format_bytes(1024), "1KiB");
  EXPECT_EQ(format_bytes(1536), "1.50KiB");
  EXPECT_EQ(format_bytes(8'589'934'592), "8GiB");
  EXPECT_EQ(format_bytes(12'345'678'901), "11.5GiB");
  EXPECT_EQ(format_bytes(123'456'789), "118MiB");
}

// The next unit begins where the rounded number would need four digits.
TEST(Units, ASizeIsNeverShownAs1024OfItsUnit) {
  EXPECT_EQ(format_bytes(1024 * 1024 - 1), "1MiB");
  EXPECT_EQ(format_bytes(1024LL * 1024 * 1024 - 1), "1GiB");
}

TEST(Units, DurationsAreShownInTwoParts) {
  EXPECT_EQ(format_duration(milliseconds{0}), "0ms");
  EXPECT_EQ(format_duration(milliseconds{850}), "850ms");
  EXPECT_EQ(format_duration(milliseconds{12'340}), "12.3s");
  EXPECT_EQ(format_duration(milliseconds{250'000}), "4m10s");
  EXPECT_EQ(format_duration(milliseconds{7'500'000}), "2h05m");
}

TEST(Units, ADurationIsNeverShownAs60Seconds) {
  EXPECT_EQ(format_duration(milliseconds{59'990}), "1m");
}

// What the help shows as a preset can be typed.
TEST(Units, WholeDurationsReadAsTheyAreShown) {
  for (const char* text : {"250ms", "10s", "5m", "30m", "2h", "36h"}) {
    EXPECT_EQ(format_duration(parse_duration(text)), text);
  }
}

}  // namespace
}  // namespace rackline
