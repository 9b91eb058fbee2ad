// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/program.h"
#include "record/kinds_planning.h"
#include "record/kinds_stream.h"
#include "record/reader.h"

namespace rackline::decide {

// The run of a decider: rounds of facts on stdin, closed by round_end or the end of the stream, and an answer
// to each of them or to the last. A subject says what it takes and how it answers.
class Session {
 public:
  explicit Session(cli::Program& program) : program_(program) {}
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Status run();

 protected:
  // Takes the reader's present record; true when it is to be handed on.
  virtual bool take(record::Reader& reader) = 0;
  // A line could not be read: something of the round that is being read is missing.
  virtual void miss_line() = 0;
  // Whether anything of the round that is being read was taken.
  virtual bool begun() = 0;
  // Ends the round, as of `time` (or of its samples, when that is none); the round's time.
  virtual record::Time end_round(record::Time time) = 0;
  // Whether each round is answered: then the last one is by answered_rounds().
  virtual bool answers_rounds() const = 0;
  // Whether the first round of a stream only tells where things stand. (A single round is answered.)
  virtual bool first_only_tells() const = 0;
  // Decides on the round. What has moved is written by the time it returns: whether anything has, and why
  // not. Throws Error(kRefused) and the like.
  struct Answer {
    bool moves = false;
    std::optional<record::NoBeneficialMove> none;
  };
  virtual Answer decide_round() = 0;
  // The same of a stream without any round.
  virtual std::optional<record::NoBeneficialMove> decide_on_nothing() = 0;
  // At the end of the stream, where rounds are not answered one by one. Writes what it answers.
  virtual Status finish() = 0;

  // Gives the reader at each record of the kind K in the file to `take`; an empty name is no file.
  template <class K, class Take>
  void read_file(const std::string& file, record::Policy policy, Take take) {
    if (file.empty()) return;
    const auto reader = program_.file_reader(file, policy);
    while (reader->next()) {
      if (reader->is<K>()) take(*reader);
    }
  }
  // Counts what was written of a plan, which a subject tells in its own kinds; the summary, for the rest.
  template <class Plan>
  record::PlanSummary& sum_up(const Plan& plan) {
    auto& summary = program_.summary<record::PlanSummary>();
    if (moves_ == 0) summary.score_before = plan.score_before;
    summary.score_after = plan.score_after;
    summary.lower_bound = plan.lower_bound;
    moves_ += static_cast<std::int64_t>(plan.moves.size());
    unplaced_ += static_cast<std::int64_t>(plan.unplaced.size());
    return summary;
  }
  void note_round(const std::string& text);
  // Once each.
  void warn_once(const std::string& text);
  void note_once(const std::string& text);
  bool closed() const { return closed_; }
  std::int64_t rounds() const { return rounds_; }

  cli::Program& program_;
  std::int64_t moves_ = 0, unplaced_ = 0;  // all that were written

 private:
  void close(record::Time time, const record::RoundEnd* end);
  void answer(const record::RoundEnd* end);
  void answer_or_say(const record::RoundEnd* end);
  Status answered_rounds();

  std::optional<record::NoBeneficialMove> none_;
  std::optional<record::RoundEnd> first_;  // the end of a round that is not answered yet
  std::optional<Error> refusal_;           // of the last round
  std::set<std::string> told_;
  bool closed_ = false;
  std::int64_t rounds_ = 0;
};

}  // namespace rackline::decide
