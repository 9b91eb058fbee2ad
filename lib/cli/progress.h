// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/time.h"
#include "cli/output.h"
#include "record/kinds_stream.h"

namespace rackline::cli {

// Shows long work: a bar per object on a terminal's stderr, or sparse `progress` records on stdout, or
// nothing.
class ProgressView {
 public:
  enum class Mode { kNone, kBar, kJson };

  ProgressView(Mode mode, const Clock& clock, Output& out) : mode_(mode), clock_(clock), out_(out) {}
  ~ProgressView() { finish(); }
  ProgressView(const ProgressView&) = delete;
  ProgressView& operator=(const ProgressView&) = delete;

  // The latest of an object replaces what was shown of it. Bars are redrawn at most ten times a second; a
  // record is written when the state of an object changes and otherwise at most once in five seconds.
  void update(const record::Progress& progress);
  // Writes to the terminal on which the bars are: takes them off first, and draws none meanwhile. The next
  // update draws them again, below what was written.
  void beside(const std::function<void()>& write);
  // Leaves the last bars standing and starts below them.
  void finish();

 private:
  struct Seen {
    record::Progress latest;
    Milliseconds written{-1'000'000};
    std::string state;
  };

  void draw();
  void clear_locked();

  Mode mode_;
  const Clock& clock_;
  Output& out_;
  std::mutex mutex_;
  std::vector<std::string> order_;
  std::map<std::string, Seen> seen_;
  Milliseconds drawn_at_{-1'000'000};
  std::size_t lines_ = 0;
};

// One bar as a line, at most `columns` wide: "db1  [=====>    ]  54%  118MiB/s  1.2GiB left  ETA 10.2s
// pre-copy".
std::string progress_line(const record::Progress& progress, std::size_t columns);

}  // namespace rackline::cli
