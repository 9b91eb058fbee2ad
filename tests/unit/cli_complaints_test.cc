// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cli/complaints.h"

namespace rackline::cli {
namespace {

struct Told {
  FakeClock clock;
  std::vector<std::string> lines;
  Complaints complaints{clock, [this](const std::string& text) { lines.push_back(text); }};
};

TEST(Complaints, ManyAlikeBecomeThreeAndACount) {
  Told told;
  for (int i = 1; i <= 200; ++i)
    told.complaints.add("h" + std::to_string(i) + " is left out: its sample is stale: " + std::to_string(i) +
                        "s old");
  told.complaints.add("the store is busy");
  EXPECT_EQ(told.lines.size(), 4U) << "another one is said at once";
  told.complaints.close();
  ASSERT_EQ(told.lines.size(), 5U);
  EXPECT_EQ(told.lines[2], "h3 is left out: its sample is stale: 3s old");
  EXPECT_EQ(told.lines[4],
            "197 more like this, the last of them: h200 is left out: its sample is stale: 200s old");
}

TEST(Complaints, AFewAreAllSaid) {
  Told told;
  for (const char* host : {"h1", "h2", "h3", "h4"}) told.complaints.add(std::string(host) + " is silent");
  told.complaints.close();
  EXPECT_EQ(told.lines,
            (std::vector<std::string>{"h1 is silent", "h2 is silent", "h3 is silent", "h4 is silent"}));
}

TEST(Complaints, WhoGoesOnForLongTellsTheCountWithTheNextMessage) {
  Told told;
  for (int i = 0; i < 10; ++i) told.complaints.add("no answer of h1");
  told.clock.advance(Milliseconds{61'000});
  told.complaints.add("no answer of h1");
  ASSERT_EQ(told.lines.size(), 5U);
  EXPECT_EQ(told.lines[3], "7 more like this, the last of them: no answer of h1");
  EXPECT_EQ(told.lines[4], "no answer of h1");
}

TEST(Complaints, WordsTellKindsApartAndNamesAndNumbersDoNot) {
  EXPECT_EQ(kind_of_message("line 20: field \"vcpus\": expected an integer"),
            kind_of_message("line 7: field \"cpus\": expected an integer"));
  EXPECT_NE(kind_of_message("h1 is silent"), kind_of_message("h1 is not silent"));
  EXPECT_EQ(kind_of_message("\""), kind_of_message("\""));
}

}  // namespace
}  // namespace rackline::cli
