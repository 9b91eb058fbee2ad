// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/author.h"
#include "audit/line.h"
#include "audit/sign.h"
#include "audit/trail_end.h"
#include "base/fd.h"
#include "base/time.h"

namespace rackline::audit {

// The writing end of a trail. Several processes may write one trail: each takes turns under flock(2) on the
// file itself, and finds out whether it was rotated meanwhile.
//
// All throw Error(kUnreachable) when the file cannot be read or written; what could not be written whole is
// taken back, so nothing half-written stays. Error(kRefused): it is no trail, one of another chain than was
// last written here, its last line is not as it was written, or lines that were written are missing at its
// end; nothing is changed then.
class Trail {
 public:
  // Of what was found and put in order, for the person who runs this.
  using Notice = std::function<void(const std::string&)>;
  // The files of the trail stand beside the one that the name leads to. Throws Error(kRefused) where they
  // could be changed by somebody else than who runs this, or root.
  Trail(const std::string& path, Author author, const Clock& clock, Notice notice);

  // Appends a line for each: an object becomes an audit_record, anything else is kept as text. Returns which
  // of them were no records. They are in the file when it returns, so the death of this process loses
  // none; on the disk they are after sync().
  std::vector<std::size_t> append(const std::vector<std::string_view>& lines);

  // Puts what was appended on the disk. May be called from another thread.
  void sync();

  // The line that says that this writer ends in order, on the disk. Nothing when it has written nothing.
  void close();

  // Signs everything so far; the line is on the disk. Returns it without its end.
  std::string checkpoint(const PrivateKey& key);

  struct Rotated {
    std::string file;  // what the full part is called now
    std::int64_t part = 0;
    std::int64_t last = 0;  // the number of its last line
  };
  // Closes this part and begins the next; nothing when there is nothing in it. A crash at any instant leaves
  // a whole trail, and the next writer finishes what was begun.
  std::optional<Rotated> rotate(bool compressed);

  struct Redaction {
    std::vector<std::int64_t> lines;
    std::vector<std::string> fields;
    std::string reason;
  };
  // Takes fields out of lines and appends a line that says so, for each. Returns how many lines were changed;
  // those where it was done before are passed by. Throws Error(kUsage) when there is no such line or field:
  // nothing was changed then.
  std::size_t redact(const Redaction& redaction);

  // Opens it, puts in order what is to be put in order, and returns the number of its last line. With
  // `accept_loss` lines that are missing at its end are no reason to refuse: a line says what was lost.
  std::int64_t open(bool accept_loss = false);

 private:
  class Turn;
  struct State {
    std::string chain;
    std::int64_t part = 1, seq = 0;  // seq: of the next line
    Digest before{};
    LineKind last = LineKind::kBegin;
    std::int64_t size = 0;
  };

  void load();
  void read_first_line(const std::optional<TrailHead>& head);
  void take_away(std::size_t torn);
  void repair(const std::string& torn);
  void go_on_without(const Loss& loss, const std::string& torn);
  void begin_chain();
  void finish_rotation();
  std::string begin_line(const State& after, std::int64_t part, const std::string& more, State& state) const;
  void write(const std::string& text, const State& next);
  void write_head();
  void add_line(std::string& out, State& state, LineKind kind, const std::string& body) const;
  std::string who() const;
  void sync_file();

  std::string path_;
  Author author_;
  const Clock& clock_;
  Notice notice_;
  std::shared_ptr<Fd> fd_;
  std::mutex swap_;  // of fd_: sync() may run in another thread
  Fd head_;
  State state_;
  bool accepts_loss_ = false;
  bool known_ = false;  // state_ is that of the file as fd_ has it, unless it has grown
  std::int64_t written_ = 0;
};

}  // namespace rackline::audit
