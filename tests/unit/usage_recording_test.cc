// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "record_support.h"
#include "usage/recording.h"

namespace rackline::usage {
namespace {

std::string sample(const std::string& host) {
  return R"({"kind":"host_sample","time":"2026-11-25T12:00:00Z","tool":"capwatch","host":")" + host +
         R"(","state":"up","cpus":8,"memory_bytes":1000})" + "\n";
}

std::string round_end(int round, const std::string& time, const std::string& at = "null") {
  return R"({"kind":"round_end","time":")" + time + R"(","tool":"capwatch","round":)" +
         std::to_string(round) + R"(,"at_ms":)" + at + "}\n";
}

const std::string kEnd = R"({"kind":"end","time":"2026-11-25T12:30:00Z","tool":"capwatch","outcome":"ok"})"
                         "\n";

struct Played {
  std::vector<Milliseconds> at;
  std::vector<std::size_t> hosts;
  std::vector<std::string> reports, problems;
  std::string error;
};

Played play(const std::string& text) {
  record::Stream stream(text);
  Played played;
  Recording recording(stream.reader, "rec", {},
                      [&](const std::string& report) { played.reports.push_back(report); });
  Recording::Round round;
  try {
    while (recording.next(round)) {
      played.at.push_back(round.at);
      played.hosts.push_back(round.hosts.size());
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUsage);
    played.error = error.what();
  }
  played.problems = stream.problems;
  return played;
}

using Times = std::vector<Milliseconds>;

TEST(Recording, ATornOneAndTheNextBehindItAreTwoRuns) {
  const std::string first = sample("h1") + round_end(1, "2026-11-25T12:00:00Z", "0") + sample("h1") +
                            round_end(2, "2026-11-25T12:00:01Z", "1000");
  const std::string next = sample("h1") + sample("h2") + round_end(1, "2026-11-25T13:00:00Z", "0") +
                           sample("h1") + round_end(2, "2026-11-25T13:00:01Z", "1000") + kEnd;
  for (const std::string& torn : {kEnd.substr(0, 40), sample("h1") + sample("h2").substr(0, 50)}) {
    const auto played = play(first + torn + next);
    EXPECT_EQ(played.error, "");
    EXPECT_EQ(played.problems.size(), 1U);
    // The first round of the next run lacks what stood in the line that cannot be read.
    EXPECT_EQ(played.at, (Times{Milliseconds{0}, Milliseconds{1000}, Milliseconds{3'601'000}}));
    EXPECT_EQ(played.hosts, (std::vector<std::size_t>{1, 1, 1}));
    ASSERT_EQ(played.reports.size(), 1U);
    EXPECT_NE(played.reports[0].find("cut off"), std::string::npos);
  }
  // The same recording once more.
  const auto twice = play(first + kEnd.substr(0, 40) + first + kEnd);
  EXPECT_EQ(twice.error, "");
  EXPECT_EQ(twice.at, (Times{Milliseconds{0}, Milliseconds{1000}, Milliseconds{1000}}));
}

TEST(Recording, ALineThatCannotBeReadIsAllThatIsLeftOutOfItsRun) {
  const auto played = play(sample("h1") + round_end(1, "2026-11-25T12:00:00Z", "0") + "garbage\n" +
                           sample("h1") + round_end(2, "2026-11-25T12:00:01Z", "1000") + kEnd);
  EXPECT_EQ(played.at, (Times{Milliseconds{0}, Milliseconds{1000}}));
  EXPECT_EQ(played.hosts, (std::vector<std::size_t>{1, 1}));
}

TEST(Recording, RoundsLieWhereTheRecorderMeasuredThem) {
  const auto played = play(sample("h1") + sample("h2") + round_end(1, "2026-11-25T12:00:00Z", "0") +
                           sample("h1") + round_end(2, "2026-11-25T12:00:00Z", "250") + kEnd);
  EXPECT_EQ(played.at, (Times{Milliseconds{0}, Milliseconds{250}}));
  EXPECT_EQ(played.hosts, (std::vector<std::size_t>{2, 1}));
  EXPECT_TRUE(played.reports.empty() && played.error.empty());
}

TEST(Recording, WithoutAMeasureTheWallClockCounts) {
  const auto played =
      play(sample("h1") + round_end(1, "2026-11-25T12:00:00Z") + sample("h1") +
           round_end(2, "2026-11-25T12:00:10Z") + sample("h1") + round_end(3, "2026-11-25T12:00:10Z"));
  EXPECT_EQ(played.at, (Times{Milliseconds{0}, Milliseconds{10'000}, Milliseconds{10'000}}));
}

TEST(Recording, RunsStandOneBehindTheOther) {
  const auto played = play(sample("h1") + round_end(1, "2026-11-25T12:00:00Z", "0") + sample("h1") +
                           round_end(2, "2026-11-25T12:00:10Z", "10000") + kEnd + sample("h1") +
                           round_end(1, "2026-11-25T13:00:10Z", "0") + sample("h1") +
                           round_end(2, "2026-11-25T13:00:20Z", "10500"));
  EXPECT_EQ(played.at,
            (Times{Milliseconds{0}, Milliseconds{10'000}, Milliseconds{3'610'000}, Milliseconds{3'620'500}}));
}

TEST(Recording, TimeThatRunsBackwardsIsRefusedWithItsLine) {
  const auto wall = play(sample("h1") + round_end(1, "2026-11-25T12:00:10Z") + sample("h1") +
                         round_end(2, "2026-11-25T12:00:09Z"));
  EXPECT_EQ(
      wall.error,
      "replay the rounds: rec: line 4: time runs backwards: the round is of 2026-11-25T12:00:09Z, the one "
      "before of 2026-11-25T12:00:10Z");
  EXPECT_EQ(wall.at.size(), 1U);
  const auto measured = play(sample("h1") + round_end(1, "2026-11-25T12:00:00Z", "5000") + sample("h1") +
                             round_end(2, "2026-11-25T12:00:10Z", "4000"));
  EXPECT_NE(measured.error.find("line 4: time runs backwards"), std::string::npos) << measured.error;
}

TEST(Recording, AWallClockThatWasSetBackIsToldAndNoMatterWhereTheRecorderMeasured) {
  const auto played = play(sample("h1") + round_end(1, "2026-11-25T12:00:10Z", "0") + sample("h1") +
                           round_end(2, "2026-11-25T11:00:20Z", "10000"));
  EXPECT_TRUE(played.error.empty());
  EXPECT_EQ(played.at.back(), Milliseconds{10'000});
  ASSERT_EQ(played.reports.size(), 1U);
  EXPECT_NE(played.reports[0].find("set back by 59m50s"), std::string::npos) << played.reports[0];
}

TEST(Recording, WhatWasCutOffIsLeftOutAndTold) {
  const std::string whole = sample("h1") + round_end(1, "2026-11-25T12:00:00Z", "0");
  const auto half_round = play(whole + sample("h1"));
  EXPECT_EQ(half_round.hosts, (std::vector<std::size_t>{1}));
  ASSERT_EQ(half_round.reports.size(), 1U);
  EXPECT_NE(half_round.reports[0].find("cut off"), std::string::npos);

  const auto torn = play(whole + sample("h1").substr(0, 50));
  EXPECT_EQ(torn.hosts, (std::vector<std::size_t>{1}));
  ASSERT_EQ(torn.problems.size(), 1U);
  EXPECT_TRUE(torn.problems[0].starts_with("stream: line 3: ")) << torn.problems[0];

  // The next run does not take over what the last one left.
  const auto appended =
      play(whole + sample("h1") + kEnd + sample("h2") + round_end(1, "2026-11-25T12:10:00Z", "0"));
  EXPECT_EQ(appended.hosts, (std::vector<std::size_t>{1, 1}));
  EXPECT_EQ(appended.reports.size(), 1U);
}

class RecordingFile : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "rackline-recording";
    std::filesystem::remove(path_);
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string text() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void record_round(const std::string& time, bool whole = true, bool end = true) {
    series::RecordingWriter writer(path_, "capwatch");
    record::HostSample host;
    host.tool = "capwatch";
    host.host = "h1";
    host.state = "up";
    writer.add(host);
    record::RoundEnd closed;
    closed.tool = "capwatch";
    closed.time = *parse_time(time);
    closed.round = 1;
    closed.at_ms = 0;
    if (whole) writer.end_round(closed);
    record::End last;
    last.tool = "capwatch";
    last.outcome = "ok";
    if (end) writer.end(last);
  }

  std::string path_;
};

TEST_F(RecordingFile, WhatIsWrittenComesBack) {
  record_round("2026-11-25T12:00:00Z");
  record_round("2026-11-25T13:00:00Z");
  const auto played = play(text());
  EXPECT_EQ(played.at, (Times{Milliseconds{0}, Milliseconds{3'600'000}}));
  EXPECT_TRUE(played.reports.empty() && played.problems.empty() && played.error.empty());
}

TEST_F(RecordingFile, ARoundThatIsNotWholeIsNotWritten) {
  record_round("2026-11-25T12:00:00Z", false);
  EXPECT_EQ(text().find("host_sample"), std::string::npos);
}

TEST_F(RecordingFile, ARecorderThatDiedIsClosedByTheNext) {
  record_round("2026-11-25T12:00:00Z", true, false);
  std::ofstream(path_, std::ios::app) << sample("h9").substr(0, 60);  // torn by a power failure
  record_round("2026-11-25T12:10:00Z");
  const auto played = play(text());
  EXPECT_EQ(played.hosts, (std::vector<std::size_t>{1, 1}));
  EXPECT_EQ(played.problems.size(), 1U);
  EXPECT_NE(text().find("its recorder had died"), std::string::npos);
}

TEST_F(RecordingFile, TimesAreCheckedBeforeAnythingIsRead) {
  std::ofstream(path_) << sample("h1") << round_end(1, "2026-11-25T12:00:10Z")
                       << round_end(2, "2026-11-25T12:00:09Z");
  EXPECT_THROW(series::check_times(path_), Error);
  std::ofstream(path_) << sample("h1");
  EXPECT_THROW(series::check_times(path_), Error);
  std::ofstream(path_) << sample("h1") << round_end(1, "2026-11-25T12:00:10Z");
  EXPECT_NO_THROW(series::check_times(path_));
}

}  // namespace
}  // namespace rackline::usage
