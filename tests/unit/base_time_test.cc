// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "base/error.h"
#include "base/local_time.h"
#include "base/time.h"

namespace rackline {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

TEST(Time, IsWrittenInUtcWithWholeSeconds) {
  EXPECT_EQ(format_time(sys_seconds{seconds{0}}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_time(sys_seconds{seconds{1'795'348'800}}), "2026-11-22T12:00:00Z");
  EXPECT_EQ(format_time(sys_seconds{seconds{-1}}), "1969-12-31T23:59:59Z");
}

TEST(Time, IsReadAsItIsWritten) {
  for (const char* text :
       {"1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2000-02-29T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    const auto time = parse_time(text);
    ASSERT_TRUE(time.has_value()) << text;
    EXPECT_EQ(format_time(*time), text);
  }
}

TEST(Time, WhatIsNoTimeIsNotRead) {
  for (const char* text :
       {"", "2026-11-22", "2026-11-22T12:00:00", "2026-11-22T12:00:00z", "2026-11-22 12:00:00Z",
        "2026-11-22T12:00:00.5Z", "2026-11-22T12:00:00+01:00", "2026-02-29T12:00:00Z", "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z", "2026-11-31T12:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T12:60:00Z",
        "2026-11-22T12:00:60Z", "20a6-11-22T12:00:00Z", "-026-11-22T12:00:00Z", "2026-11-22T12:00:00ZZ"}) {
    EXPECT_FALSE(parse_time(text).has_value()) << text;
  }
}

constexpr const char* kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";
constexpr const char* kSydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";

TEST(Time, PeopleWriteItInTheirOwnZone) {
  const ZoneScope zone(kBerlin);
  const auto now = *parse_time("2026-11-25T23:30:00Z");  // 00:30 on the 26th
  const auto read = [&](std::string_view text) {
    const auto time = parse_local_time(text, now);
    return time ? format_time(time->at) : "";
  };
  EXPECT_EQ(read("2026-11-25 21:00"), "2026-11-25T20:00:00Z");
  EXPECT_EQ(read("2026-07-01T21:05"), "2026-07-01T19:05:00Z");
  EXPECT_EQ(read("2026-07-01"), "2026-06-30T22:00:00Z");
  EXPECT_EQ(read("21:00"), "2026-11-26T20:00:00Z");
  EXPECT_EQ(read("today"), "2026-11-25T23:00:00Z");
  EXPECT_EQ(read("today 21:00"), "2026-11-26T20:00:00Z");
  EXPECT_EQ(read("tomorrow 8:00"), "2026-11-27T07:00:00Z");
  EXPECT_EQ(read("today 24:00"), "2026-11-26T23:00:00Z");
  for (const char* text : {"", "21", "25:00", "21:60", "24:01", "24:30", "24:59", "2026-11-25 24:30",
                           "tomorrow 24:01", "2026-02-31", "2026-11-25 ", "2026-11-25 21:00:00", "noon",
                           "todaytomorrow", "tomorrow8:00", "todayT8:00"})
    EXPECT_EQ(read(text), "") << text;
}

// Whatever was asked before it.
TEST(Time, WhatTheClocksSkipIsTheChangeAndOfWhatComesTwiceTheFirstIsMeant) {
  const struct {
    const char *zone, *local, *at, *again;
    bool skipped;
  } cases[] = {
      {kBerlin, "2027-03-28 01:59", "2027-03-28T00:59:00Z", "", false},
      {kBerlin, "2027-03-28 02:00", "2027-03-28T01:00:00Z", "", true},
      {kBerlin, "2027-03-28 02:30", "2027-03-28T01:00:00Z", "", true},
      {kBerlin, "2027-03-28 03:00", "2027-03-28T01:00:00Z", "", false},
      {kBerlin, "2027-10-31 01:59", "2027-10-30T23:59:00Z", "", false},
      {kBerlin, "2027-10-31 02:00", "2027-10-31T00:00:00Z", "2027-10-31T01:00:00Z", false},
      {kBerlin, "2027-10-31 02:59", "2027-10-31T00:59:00Z", "2027-10-31T01:59:00Z", false},
      {kBerlin, "2027-10-31 03:00", "2027-10-31T02:00:00Z", "", false},
      {kSydney, "2027-10-03 02:30", "2027-10-02T16:00:00Z", "", true},
      {kSydney, "2027-04-04 02:30", "2027-04-03T15:30:00Z", "2027-04-03T16:30:00Z", false},
      {"UTC", "2027-03-28 02:30", "2027-03-28T02:30:00Z", "", false},
  };
  const auto now = *parse_time("2027-06-01T00:00:00Z");
  for (const char* before : {"2027-01-01 12:00", "2027-07-01 12:00"}) {
    for (const auto& each : cases) {
      const ZoneScope zone(each.zone);
      parse_local_time(before, now);
      const auto instant = parse_local_time(each.local, now);
      ASSERT_TRUE(instant) << each.local;
      EXPECT_EQ(format_time(instant->at), each.at) << each.zone << " " << each.local;
      EXPECT_EQ(instant->again ? format_time(*instant->again) : "", each.again) << each.local;
      EXPECT_EQ(instant->skipped, each.skipped) << each.local;
      EXPECT_EQ(doubt_about(each.local, *instant).empty(), !each.skipped && !instant->again) << each.local;
    }
  }
}

TEST(Time, AZoneLastsAsLongAsItsScope) {
  const ZoneScope here(kSydney);
  const auto time = *parse_time("2027-01-01T00:00:00Z");
  const auto hours = [&] {
    return (local_of(time).time_since_epoch() - time.time_since_epoch()) / std::chrono::hours{1};
  };
  {
    const ZoneScope there(kBerlin);
    EXPECT_EQ(hours(), 1);
    EXPECT_EQ(local_zone(), kBerlin);
  }
  EXPECT_EQ(hours(), 11);
  EXPECT_EQ(local_zone(), kSydney);
}

// The C library takes a name that it does not know for UTC.
TEST(Time, AZoneThatThisMachineDoesNotKnowIsRefused) {
  const auto now = *parse_time("2027-01-01T00:00:00Z");
  for (const char* zone : {"Europe/Berln", "Mars", "CET1CEST,M3.5.0", "Europe", "/etc/passwd", "<CE>-1"}) {
    EXPECT_THROW(ZoneScope{zone}, Error) << zone;
    setenv("TZ", zone, 1);
    tzset();
    EXPECT_THROW(parse_local_time("12:00", now), Error) << zone;
    EXPECT_THROW(local_zone(), Error) << zone;
    EXPECT_FALSE(parse_local_time("2h", now)) << zone;  // no local time
    setenv("TZ", "UTC", 1);
    tzset();
  }
  for (const char* zone : {"UTC", "UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT", "<+0330>-3:30"}) {
    EXPECT_NO_THROW(ZoneScope{zone}) << zone;
  }
}

TEST(Time, TheFakeClockStandsStillUntilToldToGoOn) {
  FakeClock clock;
  const auto wall = clock.wall();
  clock.advance(Milliseconds{1500});
  EXPECT_EQ(clock.monotonic(), Milliseconds{1500});
  EXPECT_EQ(clock.wall() - wall, seconds{1});
}

TEST(Time, TheMachinesClocksGoForward) {
  const auto before = system_clock().monotonic();
  EXPECT_GE(system_clock().monotonic(), before);
  EXPECT_GT(system_clock().wall(), sys_seconds{seconds{1'600'000'000}});
}

}  // namespace
}  // namespace rackline
