// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "heartbeat/complaints.h"

namespace rackline::heartbeat {
namespace {

using std::chrono::seconds;

TEST(Complaints, AFloodIsOneLineAMinute) {
  std::vector<std::string> lines;
  Complaints complaints([&](const std::string& line) { lines.push_back(line); });
  for (Milliseconds now{0}; now < seconds{120}; now += seconds{1}) {
    complaints.add("forged", net::resolve("127.0.0.1:5", 0), "with 1234");
    complaints.tell(now);
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"forged: lately with 1234, from 127.0.0.1:5",
                                             "forged: lately with 1234, from 127.0.0.1:5 (60 times)"}));
}

TEST(Complaints, AnotherKindDoesNotWait) {
  std::vector<std::string> lines;
  Complaints complaints([&](const std::string& line) { lines.push_back(line); });
  complaints.add("one", {});
  complaints.tell(seconds{1});
  complaints.add("two", {});
  complaints.tell(seconds{2});
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two"}));
}

TEST(Complaints, OfTooManyKindsTheRestIsCounted) {
  std::vector<std::string> lines;
  Complaints complaints([&](const std::string& line) { lines.push_back(line); });
  for (Milliseconds now{0}; now < seconds{60}; now += seconds{1}) {
    for (int i = 0; i < 100; ++i) complaints.add("kind " + std::to_string(i), {});
    complaints.tell(now);
  }
  EXPECT_EQ(lines.size(), 65U);
  EXPECT_EQ(lines.back(), "and 36 messages more of other kinds");
}

}  // namespace
}  // namespace rackline::heartbeat
