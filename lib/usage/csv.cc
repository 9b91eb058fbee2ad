// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/time.h"
#include "base/units.h"
#include "usage/import.h"

namespace rackline::usage {
namespace {

using detail::shown;
using record::Field;
using record::Type;

// What the columns are called is what the fields are called, so there is one list of names to learn; the
// descriptions of the kinds say what type each has.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& source) : text_(text), source_(source) {}
  Imported read();

 private:
  struct Column {
    std::string name;
    const Field* of_host = nullptr;
    const Field* of_vm = nullptr;
  };

  [[noreturn]] void refuse(std::int64_t line, const std::string& why, const std::string& hint = {}) const {
    throw Error(Status::kUsage, "import a table", source_ + ": line " + std::to_string(line), why, hint);
  }

  bool next_row();
  void read_quoted();
  void read_header();
  void read_row();
  void begin_round(std::optional<record::Time> time);
  void finish_round();
  void set(const Field& field, void* record, const std::string& value) const;
  void add_host(const std::string& name);
  void add_vm(const std::string& name);
  const std::string* cell(std::string_view column) const;

  std::string_view text_;
  std::string source_;
  char delimiter_ = ',';
  std::int64_t next_line_ = 1, line_ = 0;  // of the text that is left, and where the present row begins
  std::vector<std::string> cells_;
  std::vector<Column> columns_;

  Imported result_;
  Imported::Round round_;
  bool begun_ = false;
  std::set<std::string> hosts_;
  std::set<std::string> vms_;                             // with their hosts
  std::unordered_map<std::string, std::int64_t> needed_;  // hosts that servers name, and in which line
};

// A cell in quotes may have the delimiter, line ends and doubled quotes in it (RFC 4180).
void CsvReader::read_quoted() {
  for (;;) {
    const auto end = text_.find('"');
    if (end == std::string_view::npos) refuse(line_, "a quote is opened and never closed");
    const std::string_view part = text_.substr(0, end);
    next_line_ += std::count(part.begin(), part.end(), '\n');
    cells_.back() += part;
    text_.remove_prefix(end + 1);
    if (!text_.starts_with('"')) break;
    cells_.back() += '"';
    text_.remove_prefix(1);
  }
  if (!text_.empty() && text_.front() != delimiter_ && text_.front() != '\n' && text_.front() != '\r') {
    refuse(line_, "there is something behind a closing quote");
  }
}

// False at the end. Empty lines are left out.
bool CsvReader::next_row() {
  while (text_.starts_with('\n') || text_.starts_with("\r\n")) {
    text_.remove_prefix(text_.front() == '\r' ? 2 : 1);
    ++next_line_;
  }
  if (text_.empty()) return false;
  line_ = next_line_;
  cells_.clear();
  for (;;) {
    cells_.emplace_back();
    if (text_.starts_with('"')) {
      text_.remove_prefix(1);
      read_quoted();
    } else {
      const std::array<char, 3> ends{delimiter_, '\n', '\0'};
      const auto end = std::min(text_.find_first_of(ends.data()), text_.size());
      cells_.back() = text_.substr(0, end);
      text_.remove_prefix(end);
      if (cells_.back().ends_with('\r') && (text_.empty() || text_.front() == '\n')) cells_.back().pop_back();
    }
    if (text_.starts_with(delimiter_)) {
      text_.remove_prefix(1);
      continue;
    }
    if (text_.starts_with("\r\n")) text_.remove_prefix(1);
    if (text_.empty()) return true;
    if (text_.front() != '\n') refuse(line_, "there is a character in it that no text has");
    text_.remove_prefix(1);
    ++next_line_;
    return true;
  }
}

const Field* find_field(const record::Kind& kind, std::string_view name) {
  // The rest is about the stream, not about the host.
  if (name == "tool" || name == "time" || name == "imported" || name == "elapsed_ms") return nullptr;
  const auto found =
      std::find_if(kind.fields.begin(), kind.fields.end(), [&](const Field& f) { return f.name == name; });
  return found == kind.fields.end() ? nullptr : &*found;
}

void CsvReader::read_header() {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  // Spreadsheets write what their country takes for a comma.
  const std::string_view first = text_.substr(0, text_.find('\n'));
  for (const char candidate : {',', ';', '\t'}) {
    if (first.find(candidate) == std::string_view::npos) continue;
    delimiter_ = candidate;
    break;
  }
  if (!next_row()) throw Error(Status::kUsage, "import a table", source_, "it is empty");
  for (const auto& name : cells_) {
    Column column{name, find_field(record::HostSample::kKind, name),
                  find_field(record::VmSample::kKind, name)};
    if (column.of_host == nullptr && column.of_vm == nullptr && name != "time") {
      refuse(line_, "there is no column " + shown(name),
             "the first line names fields of host_sample and vm_sample: capwatch(1), CSV");
    }
    if (std::any_of(columns_.begin(), columns_.end(), [&](const auto& c) { return c.name == name; })) {
      refuse(line_, "there are two columns " + shown(name));
    }
    columns_.push_back(std::move(column));
  }
  if (std::none_of(columns_.begin(), columns_.end(), [](const auto& c) { return c.name == "host"; })) {
    refuse(line_, "there is no column \"host\"");
  }
}

const std::string* CsvReader::cell(std::string_view column) const {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].name == column) return cells_[i].empty() ? nullptr : &cells_[i];
  }
  return nullptr;
}

template <class T>
void store(const Field& field, void* record, T value) {
  void* at = field.member(record);
  if (field.optional) {
    *static_cast<std::optional<T>*>(at) = std::move(value);
  } else {
    *static_cast<T*>(at) = std::move(value);
  }
}

void CsvReader::set(const Field& field, void* record, const std::string& value) const {
  const auto wrong = [&](const std::string& expected) {
    refuse(line_, std::string(field.name) + ": expected " + expected + ", not " + shown(value));
  };
  const char* end = value.data() + value.size();
  switch (field.type) {
    case Type::kString:
      if (std::any_of(value.begin(), value.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        wrong("text without control characters");
      store<std::string>(field, record, value);
      return;
    case Type::kInteger: {
      std::int64_t number = 0;
      const auto parsed = std::from_chars(value.data(), end, number);
      if (parsed.ec == std::errc{} && parsed.ptr == end && (number >= 0 || field.name == "priority")) {
        store(field, record, number);
        return;
      }
      if (!field.name.ends_with("_bytes")) wrong("a whole number from 0");
      try {
        store(field, record, parse_bytes(value));
      } catch (const Error&) {
        wrong("a size such as 8589934592 or 8GiB");
      }
      return;
    }
    case Type::kNumber: {
      double number = 0;
      const auto parsed = std::from_chars(value.data(), end, number);
      if (parsed.ec != std::errc{} || parsed.ptr != end || !std::isfinite(number) || number < 0)
        wrong("a number from 0");
      store(field, record, number);
      return;
    }
    case Type::kBoolean:
      if (value != "true" && value != "false") wrong("true or false");
      store(field, record, value == "true");
      return;
    case Type::kTime:
    case Type::kStrings:
      return;  // no field of a sample is one
  }
}

void CsvReader::begin_round(std::optional<record::Time> time) {
  if (begun_ && time == round_.time) return;
  if (begun_) {
    if (!time || !round_.time) refuse(line_, "some rows have a time and some have none");
    if (*time < *round_.time) {
      refuse(line_, "time runs backwards: the row is of " + format_time(*time) + ", the one before of " +
                        format_time(*round_.time));
    }
    finish_round();
  }
  begun_ = true;
  round_.time = time;
}

void CsvReader::finish_round() {
  for (const auto& [host, line] : needed_) {
    if (!hosts_.contains(host)) {
      refuse(line, "there is no row for the host " + shown(host),
             "a row with a host and no vm describes the host itself");
    }
  }
  needed_.clear();
  hosts_.clear();
  vms_.clear();
  detail::complete(round_);
  result_.rounds.push_back(std::move(round_));
  round_ = {};
}

void CsvReader::add_host(const std::string& name) {
  record::HostSample host;
  host.state = "up";
  host.imported = "csv";
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (cells_[i].empty() || columns_[i].name == "time") continue;
    if (columns_[i].of_host == nullptr)
      refuse(line_, columns_[i].name + ": only a virtual server has it, and this row names none");
    set(*columns_[i].of_host, &host, cells_[i]);
  }
  if (host.state != "up" && host.state != "unreachable" && host.state != "timeout")
    refuse(line_, "state: expected up, unreachable or timeout, not " + shown(host.state));
  if (host.state == "up") {
    if (host.cpus.value_or(0) <= 0) refuse(line_, "cpus: a host has at least one");
    if (host.memory_bytes.value_or(0) <= 0) refuse(line_, "memory_bytes: a host has some");
    if (host.memory_used_bytes.value_or(0) > *host.memory_bytes ||
        host.memory_free_bytes.value_or(0) > *host.memory_bytes)
      refuse(line_, "more memory is used or free than there is");
  }
  if (!hosts_.insert(name).second) refuse(line_, "a second row for the host " + shown(name));
  round_.hosts.push_back(std::move(host));
}

void CsvReader::add_vm(const std::string& name) {
  record::VmSample vm;
  vm.state = "running";
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (cells_[i].empty() || columns_[i].name == "time") continue;
    if (columns_[i].of_vm == nullptr)
      refuse(line_, columns_[i].name + ": only a host has it, and this row names a virtual server");
    set(*columns_[i].of_vm, &vm, cells_[i]);
  }
  constexpr std::array<std::string_view, 6> kStates{"running", "paused",    "shutoff",
                                                    "crashed", "suspended", "unknown"};
  if (std::find(kStates.begin(), kStates.end(), vm.state) == kStates.end())
    refuse(line_,
           "state: expected running, paused, shutoff, crashed, suspended or unknown, not " + shown(vm.state));
  if (vm.vcpus == 0) refuse(line_, "vcpus: a virtual server has at least one");
  if (vm.memory_bytes == 0) refuse(line_, "memory_bytes: a virtual server has some");
  const double vcpus = static_cast<double>(vm.vcpus.value_or(0));
  if (vcpus > 0 && vm.cpu_cores && !vm.cpu_percent) vm.cpu_percent = *vm.cpu_cores / vcpus * 100;
  if (vcpus > 0 && vm.cpu_percent && !vm.cpu_cores) vm.cpu_cores = *vm.cpu_percent / 100 * vcpus;
  if (!vms_.insert(vm.host + '\n' + name).second)
    refuse(line_, "a second row for " + shown(name) + " on " + shown(vm.host));
  needed_.emplace(vm.host, line_);
  round_.vms.push_back(std::move(vm));
}

void CsvReader::read_row() {
  if (cells_.size() != columns_.size()) {
    refuse(line_, "there are " + std::to_string(cells_.size()) + " cells under " +
                      std::to_string(columns_.size()) + " headings");
  }
  std::optional<record::Time> time;
  if (const auto* text = cell("time")) {
    time = parse_time(*text);
    if (!time) refuse(line_, "time: expected one such as 2026-11-22T12:00:00Z, not " + shown(*text));
  }
  begin_round(time);
  const auto* host = cell("host");
  if (host == nullptr) refuse(line_, "it names no host");
  const auto* vm = cell("vm");
  if (vm == nullptr) {
    add_host(*host);
  } else {
    add_vm(*vm);
  }
}

Imported CsvReader::read() {
  read_header();
  while (next_row()) read_row();
  if (begun_) finish_round();
  if (result_.rounds.empty())
    throw Error(Status::kUsage, "import a table", source_, "it has a header and no row");
  return std::move(result_);
}

}  // namespace

Imported read_csv(std::string_view text, const std::string& source) {
  return CsvReader(text, source).read();
}

}  // namespace rackline::usage
