// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "heartbeat/detector.h"
#include "heartbeat/replay.h"

namespace rackline::heartbeat {
namespace {

using std::chrono::seconds;

DetectorPolicy phi() {
  DetectorPolicy policy;
  policy.kind = DetectorPolicy::Kind::kPhi;
  return policy;
}

TEST(Detector, FixedTimeouts) {
  const DetectorPolicy policy;
  Detector detector;
  EXPECT_FALSE(detector.dead(seconds{100}, policy)) << "what was never heard is not dead";
  detector.heard(seconds{1}, policy);
  EXPECT_FALSE(detector.suspicious(Milliseconds{2999}, policy));
  EXPECT_TRUE(detector.suspicious(Milliseconds{3000}, policy));
  EXPECT_FALSE(detector.dead(Milliseconds{3999}, policy));
  EXPECT_TRUE(detector.dead(Milliseconds{4000}, policy));
  detector.forgive(seconds{5});
  EXPECT_FALSE(detector.suspicious(Milliseconds{4000}, policy));
}

TEST(Detector, PhiGrowsWithTheSilenceAndIsPatientWithAnIrregularHost) {
  const DetectorPolicy policy = phi();
  Detector regular;
  Detector irregular;
  Milliseconds a{0};
  Milliseconds b{0};
  for (int i = 0; i < 200; ++i) {
    regular.heard(a += Milliseconds{1000 + i % 3 * 10}, policy);
    irregular.heard(b += Milliseconds{i % 2 == 0 ? 200 : 1800}, policy);
  }
  double last = -1;
  for (int ms = 0; ms < 5000; ms += 100) {
    const double now = regular.phi(a + Milliseconds{ms}, policy);
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_TRUE(regular.dead(a + seconds{2}, policy));
  EXPECT_FALSE(irregular.dead(b + seconds{2}, policy));
  EXPECT_TRUE(irregular.dead(b + seconds{8}, policy));
}

TEST(Trace, ScoresDetectionTimeAndFalseAlarms) {
  Trace trace;
  for (std::int64_t at = 0; at <= 60'000; at += 1000) {
    record::HeartbeatSeen seen;
    seen.host = "h1";
    seen.at_ms = at;
    if (at != 20'000 && at != 21'000) trace.add(seen);  // a pause of 3 s
  }
  record::HostDied died;
  died.host = "h1";
  died.at_ms = 60'500;
  trace.add(died);
  DetectorPolicy policy;
  policy.dead = Milliseconds{2000};
  auto score = trace.score(policy);
  EXPECT_EQ(score.deaths, 1);
  EXPECT_EQ(score.detected, 1);
  EXPECT_EQ(score.detection_ms, 1500);
  EXPECT_EQ(score.false_positives, 1);
  policy.dead = Milliseconds{4000};
  score = trace.score(policy);
  EXPECT_EQ(score.detection_ms, 3500);
  EXPECT_EQ(score.false_positives, 0);
}

TEST(Paced, AsItComesAndWithBeatsThatAreFaster) {
  using std::chrono::milliseconds;
  const auto as_it_comes = paced(milliseconds{1000}, {}, {});
  EXPECT_EQ(as_it_comes.suspect, DetectorPolicy().suspect);
  EXPECT_EQ(as_it_comes.dead, DetectorPolicy().dead);
  EXPECT_EQ(as_it_comes.min_deviation, DetectorPolicy().min_deviation);
  for (const auto interval : {10, 50, 200, 250, 400, 1000, 5000}) {
    const auto policy = paced(milliseconds{interval}, {}, {});
    EXPECT_LT(policy.interval, policy.suspect) << interval;
    EXPECT_LT(policy.suspect, policy.dead) << interval;
    EXPECT_GE(policy.dead, 3 * std::max(policy.interval, kSlotPace)) << "beats on the storage are no faster";
  }
  EXPECT_LE(paced(milliseconds{250}, {}, {}).dead, milliseconds{1000}) << "a verdict within 1.2 s";
}

TEST(Paced, WhatAPersonWantsStays) {
  using std::chrono::milliseconds;
  EXPECT_EQ(paced(milliseconds{200}, milliseconds{800}, milliseconds{1500}).suspect, milliseconds{800});
  EXPECT_EQ(paced(milliseconds{200}, {}, milliseconds{1500}).suspect, milliseconds{1000});
  EXPECT_EQ(paced(milliseconds{200}, milliseconds{800}, {}).dead, milliseconds{1200});
}

}  // namespace
}  // namespace rackline::heartbeat
