// SPDX-License-Identifier: Apache-2.0
#include "series/recording.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/fd.h"
#include "base/interrupt.h"
#include "base/units.h"
#include "record/reader.h"

namespace rackline::series {
namespace {

// The last line of the file, or as much of its end as is enough to tell whether it is an `end`.
std::string tail_of(const std::string& path) {
  constexpr off_t kEnough = 4096;
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const off_t size = lseek(file.get(), 0, SEEK_END);
  std::string tail(static_cast<std::size_t>(std::min(std::max<off_t>(size, 0), kEnough)), '\0');
  const ssize_t got = pread(file.get(), tail.data(), tail.size(), size - static_cast<off_t>(tail.size()));
  if (got != static_cast<ssize_t>(tail.size()))
    throw system_error(Status::kUnreachable, "record the rounds", path);
  return tail;
}

}  // namespace

Error no_round(const std::string& source) {
  return {Status::kUsage, "replay the rounds", source, "there is no whole round in it"};
}

RecordingWriter::RecordingWriter(const std::string& path, const std::string& tool)
    : tool_(tool), file_("record the rounds", path) {
  if (lseek(file_.fd(), 0, SEEK_END) <= 0) return;  // new, or a pipe
  const std::string tail = tail_of(path);
  const bool torn = tail.back() != '\n';
  const auto before = tail.rfind('\n', tail.size() - 2);
  const std::string_view line =
      std::string_view(tail).substr(before == std::string::npos || tail.size() < 2 ? 0 : before + 1);
  if (!torn && line.starts_with(R"({"kind":"end")")) return;
  if (torn) lines_ = "\n";
  lines_ += end_line("failed", "its recorder had died; this was written by the next");
  flush();
}

void RecordingWriter::end_round(const record::RoundEnd& end) {
  lines_ += record::to_line(end) + "\n";
  flush();
}

void RecordingWriter::end(const record::End& end) {
  lines_ = record::to_line(end) + "\n";  // and without the round that was cut off
  flush();
}

std::string RecordingWriter::end_line(const char* outcome, const char* reason) const {
  record::End end;
  end.time = system_clock().wall();
  end.tool = tool_;
  end.outcome = outcome;
  end.reason = reason;
  return record::to_line(end) + "\n";
}

void RecordingWriter::flush() {
  if (file_.moved()) {
    file_.write(end_line("ok", "the file was rotated, and the recording goes on in the next"));
    file_.follow_name();
  }
  file_.write(lines_);
  lines_.clear();
}

Milliseconds Timeline::place(const record::RoundEnd& end, bool fresh, std::int64_t line) {
  const auto backwards = [&](const std::string& what) {
    throw Error(Status::kUsage, "replay the rounds", source_ + ": line " + std::to_string(line),
                "time runs backwards: " + what, "what follows from rounds in a wrong order would be wrong");
  };
  constexpr Milliseconds kLongest = std::chrono::years(100);
  if (end.at_ms && (*end.at_ms < 0 || *end.at_ms > kLongest.count())) {
    throw Error(Status::kUsage, "replay the rounds", source_ + ": line " + std::to_string(line),
                "at_ms: " + std::to_string(*end.at_ms) + " is no time of a run");
  }
  const std::optional<Milliseconds> measured =
      end.at_ms ? std::optional(Milliseconds{*end.at_ms}) : std::nullopt;
  set_back_ = last_ ? std::max<Milliseconds>(last_->time - end.time, Milliseconds{0}) : Milliseconds{0};
  const bool other_run = std::exchange(anew_, false) || (last_ && fresh && end.round <= last_->round);
  if (!last_) {
    base_ = measured.value_or(Milliseconds{0});
  } else if (measured && last_->at_ms && !other_run) {
    if (*end.at_ms < *last_->at_ms) {
      backwards("the round is at " + format_duration(*measured) + " of its run, the one before at " +
                format_duration(Milliseconds{*last_->at_ms}));
    }
    at_ = *measured - base_;
  } else {
    const Milliseconds later = end.time - last_->time;
    if (later < Milliseconds{0}) {
      backwards("the round is of " + format_time(end.time) + ", the one before of " +
                format_time(last_->time));
    }
    at_ += later;
    if (measured) base_ = *measured - at_;
  }
  last_ = end;
  return at_;
}

bool Timeline::lacks_beginning(const record::RoundEnd& end, bool broken) {
  if (!broken || !last_ || end.round > last_->round) return false;
  anew_ = true;
  return true;
}

void check_times(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return;  // whoever reads it next says so
  record::Reader reader(file.get(), path, record::Policy::kSkip, {});
  Timeline timeline(path);
  std::int64_t ends = 0, skipped = 0;
  bool any = false;
  record::RoundEnd end;
  while (reader.next()) {
    if (!reader.is<record::RoundEnd>() || !reader.read(end)) continue;
    const bool fresh = reader.ends() != std::exchange(ends, reader.ends());
    const bool broken = reader.skipped() != std::exchange(skipped, reader.skipped());
    if (!fresh && timeline.lacks_beginning(end, broken)) continue;
    timeline.place(end, fresh, reader.line());
    any = true;
  }
  if (!any && !interrupt::requested()) throw no_round(path);
}

void RoundReader::drop() {
  if (!samples_.drop()) return;
  report_("replay the rounds: " + source_ + ": line " + std::to_string(reader_.line()) +
          ": the round before was cut off and is left out");
}

bool RoundReader::next(record::RoundEnd& end, Milliseconds& at) {
  while (reader_.next()) {
    // An `end` is not handed out, but whatever stood before it has no round_end to come.
    if (reader_.ends() != ends_) drop();
    ends_ = reader_.ends();
    if (!reader_.is<record::RoundEnd>()) {
      samples_.take(reader_);
      continue;
    }
    if (!reader_.read(end)) continue;
    const bool fresh = ends_ != std::exchange(ends_at_round_, ends_);
    const bool broken = reader_.skipped() != std::exchange(skipped_at_round_, reader_.skipped());
    if (!fresh && timeline_.lacks_beginning(end, broken)) {
      drop();
      continue;
    }
    at = timeline_.place(end, fresh, reader_.line());
    any_ = true;
    if (timeline_.set_back() > Milliseconds{0}) {
      report_("replay the rounds: " + source_ + ": line " + std::to_string(reader_.line()) +
              ": the wall clock was set back by " + format_duration(timeline_.set_back()) +
              "; the recorder's own clock is followed");
    }
    return true;
  }
  if (interrupt::requested()) return false;
  drop();
  if (!any_) throw no_round(source_);
  return false;
}

}  // namespace rackline::series
