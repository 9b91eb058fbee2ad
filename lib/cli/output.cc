// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/printable.h"
#include "base/time.h"
#include "record/kinds.h"
#include "record/writer.h"

namespace rackline::cli {
namespace {

// Columns on a terminal: bytes that start a UTF-8 sequence. Wide and combining characters are not told apart;
// names of hosts and VMs have none.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

// Takes a column away, from anything that has one element for each.
template <class T>
void remove_column(std::vector<T>& row, std::size_t column) {
  row.erase(row.begin() + static_cast<std::ptrdiff_t>(column));
}

// At most so wide, with "..." in the place of its end.
std::string cut(const std::string& text, std::size_t columns) {
  constexpr std::string_view kMore = "...";
  if (width(text) <= columns) return text;
  std::string result;
  std::size_t left = columns - kMore.size();
  for (const char c : text) {
    const bool begins = (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    if (begins && left-- == 0) break;
    result += c;
  }
  return result.append(kMore);
}

// Makes the widest columns of text narrower until a row fits. What is shorter than a name may be stays whole.
void fit(std::vector<std::size_t>& widths, const std::vector<bool>& right, std::size_t columns) {
  constexpr std::size_t kNarrowest = 24;
  std::size_t total = 2 * (widths.size() - 1);
  for (const auto one : widths) total += one;
  while (total > columns) {
    std::size_t widest = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (!right[i] && widths[i] > kNarrowest && (widest == widths.size() || widths[i] > widths[widest]))
        widest = i;
    }
    if (widest == widths.size()) return;
    const std::size_t less = std::min(total - columns, widths[widest] - kNarrowest);
    widths[widest] -= less;
    total -= less;
  }
}

void append_row(std::string& text, const std::vector<std::string>& cells,
                const std::vector<std::size_t>& widths, const std::vector<bool>& right) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = cut(cells[i], widths[i]);
    const std::string padding(widths[i] - width(cell), ' ');
    const bool last = i + 1 == cells.size();
    if (i > 0) text += "  ";
    if (right[i]) text += padding;
    text += cell;
    if (!right[i] && !last) text += padding;
  }
  text += '\n';
}

}  // namespace

void Output::set_format(Format format, bool all_columns, bool colour, std::size_t columns) {
  format_ = format;
  all_columns_ = all_columns;
  colour_ = colour;
  columns_ = columns;
}

void Output::complete_head(record::Head& head) const {
  if (head.time == record::Time{}) head.time = stamp_ ? *stamp_ : system_clock().wall();
  if (head.tool.empty()) head.tool = tool_;
}

// Empty for a record that tells of no action, or where nobody wants to know.
std::string Output::words_of_outcome(const record::Kind& kind, const void* record) const {
  if (!lost_) return {};
  bool tells = kind.role == record::Role::kResult;
  for (const auto& field : kind.fields) {
    // What is only listed has none.
    if (field.name == "outcome" && field.optional)
      tells = static_cast<const record::Text*>(field.member(const_cast<void*>(record)))->has_value();
  }
  return tells ? record::to_words(kind, record::to_line(kind, record)) : std::string();
}

void Output::emit(const record::Kind& kind, const void* record, record::Time time) {
  const std::lock_guard lock(mutex_);
  if (format_ == Format::kJson) {
    put_line(record::to_line(kind, record));
    if (!gone_) return;
    if (const auto words = words_of_outcome(kind, record); !words.empty()) lost_(words);
    return;
  }
  if (kind.role == record::Role::kControl || kind.role == record::Role::kSummary) {
    flush_locked();
    std::string line(kind.name);
    const auto names = record::headings(kind, all_columns_);
    const auto cells = record::to_cells(kind, record, all_columns_);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i] != "-") line += "  " + names[i] + " " + cells[i];
    }
    if (kind.role == record::Role::kControl || line.size() > kind.name.size()) put(line + "\n");
    return;
  }
  auto table = std::find_if(tables_.begin(), tables_.end(), [&](const Table& t) { return t.kind == &kind; });
  if (table == tables_.end()) table = tables_.insert(tables_.end(), Table{&kind, {}});
  auto cells = record::to_cells(kind, record, all_columns_);
  if (timed_ && !all_columns_) cells.insert(cells.begin(), record::time_of_day(time));
  table->rows.push_back(std::move(cells));
  if (auto words = words_of_outcome(kind, record); !words.empty())
    table->outcomes.push_back(std::move(words));
}

std::string Output::text_of(Table& table) {
  auto names = record::headings(*table.kind, all_columns_);
  auto right = record::numeric(*table.kind, all_columns_);
  auto seldom = record::seldom(*table.kind, all_columns_);
  // Among all columns it is one already; TIME is how long something took.
  if (timed_ && !all_columns_) {
    names.insert(names.begin(), "WHEN");
    right.insert(right.begin(), false);
    seldom.insert(seldom.begin(), false);
  }
  // Where rows come one by one, the next may have what this one lacks.
  for (std::size_t i = flows_ ? 0 : seldom.size(); i-- > 0;) {
    const auto empty = [i](const auto& row) { return row[i] == "-"; };
    if (!seldom[i] || !std::all_of(table.rows.begin(), table.rows.end(), empty)) continue;
    remove_column(names, i);
    remove_column(right, i);
    for (auto& row : table.rows) remove_column(row, i);
  }
  const bool goes_on = flows_ && shown_ == names;
  if (!goes_on) widths_.assign(names.size(), 0);
  auto& widths = widths_;
  for (std::size_t i = 0; i < names.size(); ++i) {
    widths[i] = std::max(widths[i], width(names[i]));
    for (const auto& row : table.rows) widths[i] = std::max(widths[i], width(row[i]));
  }
  if (columns_ > 0) fit(widths, right, columns_);
  std::string text;
  if (!goes_on) {
    if (colour_) text += "\x1b[1m";
    append_row(text, names, widths, right);
    if (colour_) text += "\x1b[0m";
  }
  shown_ = std::move(names);
  for (const auto& row : table.rows) append_row(text, row, widths, right);
  return text;
}

void Output::flush_locked() {
  // Let go of before they are written: what cannot be written now is not written later either.
  auto tables = std::exchange(tables_, {});
  for (Table& table : tables) put(text_of(table), table.outcomes);
}

void Output::flush() {
  const std::lock_guard lock(mutex_);
  flush_locked();
}

void Output::illustrate(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (format_ != Format::kTable) return;
  flush_locked();
  put(text);
}

void Output::pass(const record::Reader& reader) {
  const std::lock_guard lock(mutex_);
  flush_locked();
  if (format_ == Format::kTable) {
    const record::Kind* kind = record::find_kind(reader.kind());
    if (kind == &record::RoundEnd::kKind) return;
    if (kind != nullptr && kind->role == record::Role::kSummary) return;
    const std::string words = kind == nullptr ? "" : record::to_words(*kind, reader.text(), timed_);
    if (!words.empty()) {
      put(words + "\n");
      return require_reader();
    }
  }
  put_line(std::string(reader.text()));
  require_reader();
}

void Output::pass(std::string_view line) {
  const std::lock_guard lock(mutex_);
  flush_locked();
  put_line(std::string(line));
  require_reader();
}

// What is handed on is often what is to be acted on next: nothing may be begun of which nobody would learn.
void Output::require_reader() const {
  if (failure_) throw Error(*failure_);
}

std::optional<Error> Output::failure() {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Output::put_line(const std::string& json) {
  put((beside_ ? escaped(json) : json) + "\n");
}

void Output::put(std::string_view text, const std::vector<std::string>& outcomes) {
  if (beside_) {
    beside_([&] { write_all(text); });
  } else {
    write_all(text);
  }
  if (!gone_) return;
  for (const auto& words : outcomes) lost_(words);
}

void Output::write_all(std::string_view left) {
  if (gone_) return;
  if (!file_) return write_to_stdout(left);
  try {
    file_->follow_name();
    file_->write(left);
  } catch (const Error& error) {
    give_up(error, false);
  }
}

void Output::write_to_stdout(std::string_view left) {
  while (!gone_ && !left.empty()) {
    const ssize_t written = ::write(fd_, left.data(), left.size());
    if (written >= 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // somebody else has made the pipe or terminal non-blocking
      pollfd writable{fd_, POLLOUT, 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      const bool reader_gone = errno == EPIPE;
      give_up(system_error(Status::kUnreachable, "write records", "stdout"), reader_gone);
    }
  }
}

void Output::give_up(const Error& error, bool reader_gone) {
  gone_ = true;  // the `end` record would fail in the same way
  if (closed_ == Closed::kDie) throw Error(error);
  if (!reader_gone) failure_ = error;
  interrupt::request(SIGPIPE);
}

}  // namespace rackline::cli
