// SPDX-License-Identifier: Apache-2.0
#include "decide/session.h"

#include "base/interrupt.h"

namespace rackline::decide {

Status Session::run() {
  const auto reader = program_.stdin_reader(record::Policy::kSkip);
  // A sample is known to be unreadable only when it was taken, so before whatever comes next, or nothing.
  std::int64_t skipped = 0;
  const auto look = [&] {
    if (reader->skipped() > skipped) miss_line();  // @rule 07-line-skipped
    skipped = reader->skipped();
  };
  while (reader->next()) {
    look();
    record::RoundEnd end;
    if (reader->is<record::RoundEnd>()) {
      if (reader->read(end)) close(end.time, &end);
    } else if (take(*reader)) {
      program_.out().pass(*reader);
    }
  }
  look();
  const bool stopped = reader->end() && reader->end()->outcome == "interrupted" && closed_;
  if (interrupt::requested()) return Status::kDone;
  if (!reader->complete() || !stopped)  // @rule 07-half-a-round
    cli::Program::require_complete(*reader, "plan");
  if (begun() && !stopped) close({}, nullptr);
  program_.summary<record::PlanSummary>().rounds = rounds_;
  if (!closed_) end_round({});
  if (answers_rounds()) return answered_rounds();
  return finish();
}

void Session::close(record::Time time, const record::RoundEnd* end) {
  const record::Time closed = end_round(time);
  closed_ = true;
  ++rounds_;
  program_.out().stamp(closed);
  if (!answers_rounds()) return;
  // Which of the two the first round is, single or the first of a stream, shows when the input goes on, or
  // ends.
  first_.reset();
  if (rounds_ == 1 && end != nullptr && first_only_tells()) {
    first_ = *end;
  } else {
    answer_or_say(end);
  }
}

// What a round is refused for is the matter of that round: whoever follows the stream has the next answer.
void Session::answer_or_say(const record::RoundEnd* end) {
  refusal_.reset();
  try {
    answer(end);
  } catch (const Error& error) {
    none_.reset();
    refusal_ = error;
    program_.warn("round " + std::to_string(rounds_) + ": " + error.what() +
                  (error.hint().empty() ? "" : " (" + error.hint() + ")"));
  }
}

void Session::answer(const record::RoundEnd* end) {
  Answer answer = decide_round();
  // The plan of this round is whole: whoever carries it out need not wait for the end.
  if (answer.moves && end != nullptr) program_.out().write(*end);
  none_ = std::move(answer.none);
}

Status Session::answered_rounds() {
  program_.end().outcome = "ok";  // also of a no: what could be told is whole
  if (!closed_) none_ = decide_on_nothing();
  if (first_) answer(&*first_);
  if (refusal_) {
    program_.end().outcome.clear();  // it follows from the status
    program_.end().reason = refusal_->what();
    return refusal_->status();
  }
  if (none_ && moves_ == 0) program_.out().write(*none_);
  return Status::kDone;
}

void Session::note_round(const std::string& text) {
  program_.note("round " + std::to_string(rounds_) + ": " + text);
}

void Session::warn_once(const std::string& text) {
  if (told_.insert(text).second) program_.warn(text);
}

void Session::note_once(const std::string& text) {
  if (told_.insert(text).second) program_.note(text);
}

}  // namespace rackline::decide
