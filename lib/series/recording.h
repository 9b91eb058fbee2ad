// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/appended_file.h"
#include "base/error.h"
#include "base/time.h"
#include "record/kinds_stream.h"
#include "record/reader.h"
#include "record/writer.h"

namespace rackline::series {

// A recording is a stream like any other: the samples as they came, round after round. So it can be read by
// every program, and any stream of samples that was kept can be replayed.

// Appends rounds to a file. A round is held until it is whole and written at once, so that a crash costs no
// more than the round in hand. Where the file was rotated, the round goes into the new one, and the old one
// is closed with an `end`: each of them is a whole stream.
class RecordingWriter {
 public:
  // What a writer that died has left unfinished is closed with an `end` record of `tool` first.
  // Throws Error(kUnreachable), as the others do.
  RecordingWriter(const std::string& path, const std::string& tool);

  // A record of the present round. Its head must be complete.
  template <class K>
  void add(const K& record) {
    lines_ += record::to_line(record) + "\n";
  }
  void end_round(const record::RoundEnd& end);
  void end(const record::End& end);

 private:
  void flush();
  std::string end_line(const char* outcome, const char* reason) const;

  std::string tool_;
  AppendedFile file_;
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
  // Instead of place(), of a round with a line that cannot be read (`broken`). True: it is the first of
  // another run, and that line is the torn last one of the run before and its own beginning, so it is to be
  // left out.
  bool lacks_beginning(const record::RoundEnd& end, bool broken);
  // By how much the wall clock had been set back before the round that was placed last, which is no matter
  // where the recorder measured.
  Milliseconds set_back() const { return set_back_; }

 private:
  std::string source_;
  Milliseconds set_back_{0};
  bool anew_ = false;  // what comes is of another run
  std::optional<record::RoundEnd> last_;
  Milliseconds at_{0}, base_{0};  // of the last round, and what the present run's at_ms is counted from
};

// Reads the rounds of recordings, one at a time. What their samples are, `Samples` knows.
class RoundReader {
 public:
  struct Samples {
    std::function<void(record::Reader&)> take;  // a record that is none about the stream itself
    std::function<bool()> drop;                 // forgets those taken since the round before; were there any?
  };
  using Report = std::function<void(const std::string&)>;

  // `report` is told of samples that belong to no whole round, and of a wall clock that was set back.
  RoundReader(record::Reader& reader, const std::string& source, Samples samples, Report report)
      : reader_(reader),
        source_(source),
        samples_(std::move(samples)),
        report_(std::move(report)),
        timeline_(source) {}

  // Reads up to the next `round_end`, and where it lies on a clock that never steps; false when there is
  // none. Throws Error(kUsage) where time runs backwards, and at the end of a recording that had no whole
  // round.
  bool next(record::RoundEnd& end, Milliseconds& at);

 private:
  void drop();

  record::Reader& reader_;
  std::string source_;
  Samples samples_;
  Report report_;
  Timeline timeline_;
  std::int64_t ends_ = 0, ends_at_round_ = 0, skipped_at_round_ = 0;
  bool any_ = false;
};

// Throws Error(kUsage) when time runs backwards anywhere in the recording, or it has no whole round. Does
// nothing where the path is no file that can be read twice. So nothing is written of one that is refused.
void check_times(const std::string& path);
// What is thrown of a recording without a whole round.
Error no_round(const std::string& source);

}  // namespace rackline::series
