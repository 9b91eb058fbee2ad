// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.h"
#include "cli/progress.h"

namespace rackline::cli {
namespace {

record::Progress at(double percent, const std::string& state = "pre-copy") {
  record::Progress progress;
  progress.object = "db1";
  progress.percent = percent;
  progress.state = state;
  return progress;
}

TEST(Progress, ALineHasBarRateRestAndExpectation) {
  auto progress = at(50);
  progress.bytes_per_second = 123'456'789;
  progress.remaining_bytes = 1'288'490'188;
  progress.eta_ms = 10'200;
  EXPECT_EQ(progress_line(progress, 200),
            "db1              [===========>            ]  50%  118MiB/s  1.20GiB left  ETA 10.2s  pre-copy");
}

TEST(Progress, ALineFitsItsTerminalWhateverItIsGiven) {
  EXPECT_EQ(progress_line(at(50), 20).size(), 20U);
  EXPECT_NE(progress_line(at(1e9), 200).find("100%"), std::string::npos);
  EXPECT_NE(progress_line(at(-5), 200).find("  0%"), std::string::npos);
}

// With --progress json: when the state changes, and otherwise at most once in five seconds.
TEST(Progress, RecordsAreSparse) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const Fd from(ends[0]);
  const Fd to(ends[1]);
  Output output(to.get(), "tool", Output::Closed::kDie);
  FakeClock clock;
  ProgressView view(ProgressView::Mode::kJson, clock, output);
  for (int i = 0; i < 100; ++i) {
    view.update(at(i));
    clock.advance(Milliseconds{100});
  }
  view.update(at(100, "done"));
  std::string text(1 << 16, '\0');
  const auto size = read(from.get(), text.data(), text.size());
  ASSERT_GT(size, 0);
  text.resize(static_cast<std::size_t>(size));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);  // at 0 s, at 5 s, and the new state
}

// A row that is written to the terminal stands above the bars: they are taken off before it, and none is
// drawn over it.
TEST(Progress, WhatIsWrittenBesideBarsIsNotDrawnOver) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const Fd from(ends[0]), to(ends[1]), kept(dup(STDERR_FILENO));
  dup2(to.get(), STDERR_FILENO);
  {
    Output output(to.get(), "tool", Output::Closed::kDie);
    FakeClock clock;
    ProgressView view(ProgressView::Mode::kBar, clock, output);
    output.on_terminal([&](const auto& write) { view.beside(write); });
    view.update(at(10));
    output.pass(std::string_view("{}"));
    clock.advance(Milliseconds{1000});
    view.update(at(20));
  }
  dup2(kept.get(), STDERR_FILENO);
  std::string text(1 << 12, '\0');
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, read(from.get(), text.data(), text.size()))));
  const auto row = text.find("{}\n");
  ASSERT_NE(row, std::string::npos) << text;
  EXPECT_NE(text.rfind("\x1b[1A\r\x1b[J", row), std::string::npos) << "the bar is taken off";
  EXPECT_TRUE(text.substr(row + 3).starts_with("\r\x1b[K")) << "the next bar goes up over nothing";
}

}  // namespace
}  // namespace rackline::cli
