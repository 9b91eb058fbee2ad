// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/appended_file.h"
#include "base/error.h"
#include "base/time.h"
#include "record/kind.h"
#include "record/reader.h"

namespace rackline::cli {

enum class Format { kJson, kTable };

// The records that a program writes: as JSON lines, one write(2) each and none held back; or, for people, as
// aligned tables of the same facts, one table per kind, when a round ends. Safe to use from several threads.
class Output {
 public:
  // What to do when the reader of stdout is gone, or it cannot be written.
  enum class Closed {
    kDie,   // SIGPIPE has already ended the program, or an Error does
    kStop,  // ask for an orderly stop (interrupt.h); what follows is dropped, but see tells_lost()
  };

  Output(int fd, std::string tool, Closed closed) : fd_(fd), tool_(std::move(tool)), closed_(closed) {}

  // From now on what it writes reaches a terminal: characters that could drive it are escaped, and each write
  // is done by `beside`, which takes off what else is drawn there.
  using Beside = std::function<void(const std::function<void()>& write)>;
  void on_terminal(Beside beside) { beside_ = std::move(beside); }
  // `lost` is told each outcome of what was done that cannot be written, in words.
  void tells_lost(std::function<void(const std::string& words)> lost) { lost_ = std::move(lost); }

  // From now on it writes to this file, and to the next one when that is rotated.
  void append_to(AppendedFile file) { file_ = std::move(file); }

  // `columns`: the width of the terminal, to which long texts of a table are cut; 0: they are whole.
  void set_format(Format format, bool all_columns, bool colour, std::size_t columns = 0);
  Format format() const { return format_; }
  bool colour() const { return colour_; }

  // From now on records are stamped with `time` instead of the clock: a decider is a pure function of its
  // input and so takes the time from there.
  void stamp(record::Time time) { stamp_ = time; }

  // Why nothing more can be written, where that asks for a stop; not that the reader is gone.
  std::optional<Error> failure();

  // Stamps the record with time and tool where they are not set, and writes it. With Closed::kDie throws
  // Error(kUnreachable) when it cannot be written (full disk).
  template <class K>
  void write(K record) {
    complete_head(record);
    emit(K::kKind, &record, record.time);
  }

  // Hands the reader's present record on as it came; among tables in the words of one, if its kind is known.
  // Throws Error(kUnreachable) when it cannot be written, but not when the reader is gone.
  // There the ends of rounds, and what another program has counted, are left out: they tell a person nothing.
  void pass(const record::Reader& reader);

  // Hands a record on that is there only as its line, without its end.
  void pass(std::string_view line);
  // Among tables: text that shows the same facts in another way, after what is held back.
  void illustrate(std::string_view text);

  // Shows what a table holds back.
  void flush();
  // For a program that shows each row as it comes: from now on a heading is shown only where it is another
  // than that of the table before; `timed`: and each row says when that was.
  void flow(bool timed) {
    flows_ = true;
    timed_ = timed;
  }
  // From now on each row of a table says when that was, and so does what is handed on among tables.
  void tell_when() { timed_ = true; }

 private:
  struct Table {
    const record::Kind* kind;
    std::vector<std::vector<std::string>> rows;
    std::vector<std::string> outcomes = {};  // in words, in case that it cannot be written
  };

  void complete_head(record::Head& head) const;
  void emit(const record::Kind& kind, const void* record, record::Time time);
  void flush_locked();
  std::string words_of_outcome(const record::Kind& kind, const void* record) const;
  std::string text_of(Table& table);
  void put_line(const std::string& json);
  void put(std::string_view text, const std::vector<std::string>& outcomes = {});
  void write_all(std::string_view left);
  void write_to_stdout(std::string_view left);
  void give_up(const Error& error, bool reader_gone);
  void require_reader() const;

  int fd_;
  std::optional<AppendedFile> file_;
  std::string tool_;
  Closed closed_;
  Format format_ = Format::kJson;
  bool all_columns_ = false;
  bool colour_ = false;
  std::size_t columns_ = 0;
  bool gone_ = false;
  std::optional<Error> failure_;
  Beside beside_;
  std::function<void(const std::string& words)> lost_;
  bool flows_ = false, timed_ = false;
  std::vector<std::string> shown_;  // the heading of the last table, and how wide it was
  std::vector<std::size_t> widths_;
  std::optional<record::Time> stamp_;
  std::vector<Table> tables_;
  std::mutex mutex_;
};

}  // namespace rackline::cli
