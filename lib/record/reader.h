// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "record/kinds_stream.h"

namespace rackline::record {

// A line that could not be read: which, and why.
struct Problem {
  std::string source;  // "stdin", or a file's name
  std::int64_t line = 0;
  std::string why;

  std::string text() const { return source + ": line " + std::to_string(line) + ": " + why; }
};

// What a line that cannot be read does to the rest.
enum class Policy {
  kSkip,    // it is reported, counted and left out: a fact is missing, the others still hold
  kRefuse,  // the reader throws Error(kUsage): an actor never acts on what it half understood
};

// Reads records from a descriptor, one at a time, in memory that does not grow with the stream.
//
//     Reader reader(STDIN_FILENO, "stdin", Policy::kSkip, report);
//     HostSample sample;                                    // reused: strings keep their memory
//     while (reader.next()) {
//       if (reader.is<HostSample>()) { if (reader.read(sample)) use(sample); }
//       else output.pass(reader);                           // unknown kinds pass through
//     }
//     if (!reader.complete()) ...                           // the producer died
//
// Blank lines are skipped, unknown fields ignored unless the kind is strict. A line may be at most 16 MiB.
class Reader {
 public:
  using Report = std::function<void(const Problem&)>;

  // `fd` stays the caller's. `report` may be empty.
  Reader(int fd, std::string source, Policy policy, Report report);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Goes to the next record. False at the end of the input, and when a stop was asked for (interrupt.h).
  // `end` records are not handed out: see end() and complete().
  // Throws Error(kUnreachable) when the input cannot be read.
  bool next();

  std::string_view kind() const { return kind_; }
  std::string_view text() const { return text_; }  // the line without its end; valid until next()
  std::int64_t line() const { return line_; }

  template <class K>
  bool is() const {
    return kind_ == K::kKind.name;
  }

  // Decodes the present record. False when it cannot be read, which has then been reported and counted.
  template <class K>
  bool read(K& out) {
    return decode(K::kKind, &out);
  }

  // As read(), of a kind that is known only at run time; `out` points to that kind's struct, or is nullptr to
  // check the record and keep nothing.
  bool decode(const Kind& kind, void* out);

  // Whether the present record has this field, be it one that its kind lacks, with another value than null or
  // false.
  bool says(std::string_view field);

  // From now on a stop is asked for (interrupt.h) when nobody reads from `fd` any more while there is nothing
  // to be read here: a pipeline that only waits would not notice that its end is gone.
  void stops_without_reader_of(int fd);

  std::int64_t skipped() const { return skipped_; }
  std::int64_t records() const { return records_; }  // read so far, `end` records not counted

  // True when the last record was `end`: the producer finished in order.
  bool complete() const { return complete_; }
  // The last `end` record.
  const std::optional<End>& end() const { return end_; }
  // How many there were so far: streams may stand one behind the other in a file.
  std::int64_t ends() const { return ends_; }

 private:
  struct Input;
  bool next_line();
  void find_kind();
  bool problem(std::string why);

  std::unique_ptr<Input> input_;
  std::string source_;
  Policy policy_;
  Report report_;
  std::string_view text_;
  std::string_view kind_;
  std::string kind_storage_;
  std::int64_t line_ = 0;
  std::int64_t skipped_ = 0;
  std::int64_t records_ = 0;
  bool complete_ = false;
  std::optional<End> end_;
  std::int64_t ends_ = 0;
};

}  // namespace rackline::record
