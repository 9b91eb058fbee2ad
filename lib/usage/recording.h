// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/time.h"
#include "record/kinds_capacity.h"
#include "record/kinds_stream.h"
#include "record/reader.h"

namespace rackline::usage {

// A recording is a stream like any other: the samples as they came, round after round. So it can be read by
// every program, and any stream of samples that was kept can be replayed.

// Appends rounds to a file. A round is held until it is whole and written at once, so that a crash costs no
// more than the round in hand.
class RecordingWriter {
 public:
  // What a writer that died has left unfinished is closed with an `end` record first.
  // Throws Error(kUnreachable), as the others do.
  explicit RecordingWriter(const std::string& path);

  // Heads must be complete.
  void add(const record::HostSample& host);
  void add(const record::VmSample& vm);
  void end_round(const record::RoundEnd& end);
  void end(const record::End& end);

 private:
  void flush();

  std::string path_;
  Fd file_;
  std::string lines_;
};

// Where the rounds of recordings lie on one clock that never steps. Within a run that is what its recorder
// measured (at_ms); between runs, and where nothing was measured, the difference of the wall-clock times.
class Timeline {
 public:
  explicit Timeline(std::string source) : source_(std::move(source)) {}
  // `fresh`: an `end` stood before it, so that it may belong to another run than the round before.
  // Throws Error(kUsage) where time runs backwards.
  Milliseconds place(const record::RoundEnd& end, bool fresh, std::int64_t line);
  // By how much the wall clock had been set back before the round that was placed last, which is no matter
  // where the recorder measured.
  Milliseconds set_back() const { return set_back_; }

 private:
  std::string source_;
  Milliseconds set_back_{0};
  std::optional<record::RoundEnd> last_;
  Milliseconds at_{0}, base_{0};  // of the last round, and what the present run's at_ms is counted from
};

// Reads the rounds of a recording, one at a time.
class Recording {
 public:
  struct Round {
    Milliseconds at{0};
    std::vector<record::HostSample> hosts;
    std::vector<record::VmSample> vms;
    record::RoundEnd end;
  };
  using Report = std::function<void(const std::string&)>;

  // Only of `hosts` and what is on them; of all, if there are none. `report` is told of samples that belong
  // to no whole round, and of those of `hosts` that are nowhere.
  Recording(record::Reader& reader, std::string source, std::vector<std::string> hosts, Report report)
      : reader_(reader),
        source_(source),
        hosts_(std::move(hosts)),
        unseen_(hosts_),
        report_(std::move(report)),
        timeline_(std::move(source)) {}

  // The next whole round; false when there is none. Records of other kinds are left out: what follows from
  // samples is found anew. Throws Error(kUsage) where time runs backwards, and at the end of a recording
  // that had no whole round.
  bool next(Round& round);

 private:
  void drop(Round& round);

  record::Reader& reader_;
  std::string source_;
  std::vector<std::string> hosts_;
  std::vector<std::string> unseen_;  // of these, not met so far
  Report report_;
  Timeline timeline_;
  std::int64_t ends_ = 0, ends_at_round_ = 0;
  bool any_ = false;
};

// Throws Error(kUsage) when time runs backwards anywhere in the recording, or it has no whole round. Does
// nothing where the path is no file that can be read twice. So nothing is written of one that is refused.
void check_times(const std::string& path);

}  // namespace rackline::usage
