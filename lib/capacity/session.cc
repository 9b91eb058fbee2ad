// SPDX-License-Identifier: Apache-2.0
#include "capacity/session.h"

#include <limits>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/interrupt.h"
#include "capacity/feed.h"
#include "capacity/planner.h"
#include "cli/bars.h"

namespace rackline::capacity {
namespace {

cli::BarChart chart_of(const std::vector<HostOutlook>& hosts, const Policy& policy) {
  // The score of hbal is of what is promised, and has no thresholds.
  const bool promised = policy.objective == Objective::kGaneti;
  const double cpu_limit = promised ? std::numeric_limits<double>::infinity() : policy.threshold_percent;
  const double memory_limit = promised ? 100 : policy.memory_threshold_percent;
  cli::BarChart chart{"HOST", "VMS", {promised ? "VCPUS" : "CPU", "MEMORY"}, {}};
  for (const auto& host : hosts) {
    chart.rows.push_back({host.host,
                          std::to_string(host.vms_before) + " -> " + std::to_string(host.vms_after),
                          {{host.cpu_before, host.cpu_after, cpu_limit},
                           {host.memory_before, host.memory_after, memory_limit}}});
  }
  return chart;
}

class Session {
 public:
  Session(cli::Program& program, const Options& options, Verb verb)
      : program_(program), options_(options), verb_(verb), planner_(options.policy), feed_(planner_) {
    if (!options.rules.empty()) {
      const auto reader = program.file_reader(options.rules, record::Policy::kRefuse);
      while (reader->next()) {
        if (reader->is<record::PlacementRule>()) feed_.take_rule(*reader);
      }
    }
    if (options.history.empty()) return;
    const auto reader = program.file_reader(options.history, record::Policy::kSkip);
    record::VmMoved moved;
    while (reader->next()) {
      if (reader->is<record::VmMoved>() && reader->read(moved)) planner_.history().add(moved);
    }
  }

  Status run() {
    const auto reader = program_.stdin_reader(record::Policy::kSkip);
    while (reader->next()) {
      record::RoundEnd end;
      if (reader->is<record::RoundEnd>()) {
        if (reader->read(end)) close(end.time, &end);
      } else if (feed_.take(*reader)) {
        program_.out().pass(*reader);
      }
    }
    const bool stopped = reader->end() && reader->end()->outcome == "interrupted" && closed_;
    if (interrupt::requested()) return Status::kDone;
    if (!reader->complete() || !stopped)  // @rule 07-half-a-round
      cli::Program::require_complete(*reader, "plan");
    if (!planner_.round().empty() && !stopped) close({}, nullptr);
    return finish();
  }

 private:
  // Only balance answers each round; the others are questions about the state as it is at the end.
  void close(record::Time time, const record::RoundEnd* end) {
    planner_.close(time);
    closed_ = true;
    ++rounds_;
    program_.out().stamp(planner_.last().time);
    if (verb_ != Verb::kBalance) return;
    // A single round is answered as it stands, but the first one of a stream only tells where things stand:
    // which of the two it is shows when the input goes on, or ends.
    const Policy& policy = options_.policy;
    first_.reset();
    if (rounds_ == 1 && end != nullptr && !policy.hold && policy.objective == Objective::kLoad) {
      first_ = *end;
    } else {
      answer_or_say(end);
    }
  }

  // What a round is refused for is the matter of that round: whoever follows the stream has the next answer.
  void answer_or_say(const record::RoundEnd* end) {
    refusal_.reset();
    Plan plan;
    try {
      plan = plan_balance();
    } catch (const Error& error) {
      answer_.reset();
      refusal_ = error;
      program_.warn("round " + std::to_string(rounds_) + ": " + error.what() +
                    (error.hint().empty() ? "" : " (" + error.hint() + ")"));
      return;
    }
    tell(plan, end);
  }

  Plan plan_balance() {
    examine();
    return planner_.balance();
  }

  void tell(Plan& plan, const record::RoundEnd* end) {
    if (plan.none) program_.note("round " + std::to_string(rounds_) + ": " + plan.none->reason);
    const bool moves = !plan.moves.empty();
    write(plan);
    // The plan of this round is whole: whoever carries it out need not wait for the end.
    if (moves && end != nullptr) program_.out().write(*end);
    answer_ = std::move(plan.none);
  }

  // No plan is made on rules that contradict each other: which of them would it be right to break?
  void examine() {
    const Contradictions found = planner_.examine();
    if (!found.impossible.empty()) {
      std::string all;
      for (const auto& text : found.impossible) all += (all.empty() ? "" : "; ") + text;
      throw Error(Status::kUsage, "plan", "contradictory rules", all, "no placement can obey them");
    }
    for (const auto& text : found.doubtful) {
      if (told_.insert(text).second) program_.warn(text);
    }
    for (const auto& text : found.idle) {
      if (told_.insert(text).second) program_.note(text);
    }
  }

  void write(const Plan& plan) {
    cli::Output& out = program_.out();
    for (const auto& text : plan.left_out) program_.note(text);
    for (const auto& text : plan.doubts) program_.warn(text);
    for (const auto& move : plan.moves) out.write(move);
    for (const auto& freed : plan.freed) out.write(freed);
    for (const auto& place : plan.places) out.write(place);
    for (const auto& unplaced : plan.unplaced) out.write(unplaced);
    if (out.format() == cli::Format::kTable && !plan.outlook.empty()) {
      out.illustrate(draw(chart_of(plan.outlook, options_.policy), cli::output_columns(), out.colour()));
    }
    auto& summary = program_.summary<record::PlanSummary>();
    if (moves_ == 0) summary.score_before = plan.score_before;
    summary.score_after = plan.score_after;
    summary.lower_bound = plan.lower_bound;
    moves_ += static_cast<std::int64_t>(plan.moves.size());
    unplaced_ += static_cast<std::int64_t>(plan.unplaced.size());
    if (verb_ != Verb::kPlace || moves_ > 0) summary.moves = moves_;
    if (verb_ == Verb::kEvacuate || verb_ == Verb::kPlace) program_.end().unplaced = unplaced_;
    if (plan.stays.empty()) return;
    program_.end().reason = plan.stays;
    if (out.format() == cli::Format::kTable) program_.warn(plan.stays);
  }

  Status finish() {
    program_.summary<record::PlanSummary>().rounds = rounds_;
    if (!closed_) planner_.close({});
    if (verb_ != Verb::kBalance) examine();
    program_.end().outcome = "ok";  // also of a no: what could be told is whole
    switch (verb_) {
      case Verb::kCheck: {
        const record::BalanceCheck check = planner_.check();
        program_.out().write(check);
        return check.balanced ? Status::kDone : Status::kNo;
      }
      case Verb::kHeadroom:
        return headroom();
      case Verb::kRolling:
        return rolling();
      case Verb::kExplain:
        for (const auto& name : options_.names) {
          for (const auto& explanation : planner_.explain(name)) program_.out().write(explanation);
        }
        return Status::kDone;
      case Verb::kBalance:
        if (!closed_) answer_ = planner_.balance().none;
        if (first_) {
          Plan plan = plan_balance();
          tell(plan, &*first_);
        }
        if (refusal_) {
          program_.end().outcome.clear();  // it follows from the status
          program_.end().reason = refusal_->what();
          return refusal_->status();
        }
        break;
      default:
        Plan plan = verb_ == Verb::kPlace  ? planner_.place(!options_.no_moves)
                    : verb_ == Verb::kPack ? planner_.pack()
                                           : planner_.evacuate(options_.hosts);
        write(plan);
        answer_ = std::move(plan.none);
    }
    if (answer_ && moves_ == 0) program_.out().write(*answer_);
    return unplaced_ == 0 ? Status::kDone : Status::kNo;
  }

  Status headroom() {
    bool enough = true;
    const bool sized = options_.size.memory_bytes > 0;
    for (const auto& answer : planner_.headroom(sized ? std::optional(options_.size) : std::nullopt)) {
      for (const auto& host : answer.hosts) program_.out().write(host);
      program_.out().write(answer.total);
      enough = enough && answer.total.fits >= options_.at_least;
    }
    return enough ? Status::kDone : Status::kNo;
  }

  Status rolling() {
    const Rolling answer = planner_.rolling(options_.hosts, options_.at_once);
    for (const auto& text : answer.doubts) program_.warn(text);
    for (const auto& group : answer.groups) program_.out().write(group);
    for (const auto& host : answer.unserviceable) program_.out().write(host);
    return answer.unserviceable.empty() ? Status::kDone : Status::kNo;
  }

  cli::Program& program_;
  const Options& options_;
  Verb verb_;
  Planner planner_;
  Feed feed_;
  std::optional<record::NoBeneficialMove> answer_;
  std::optional<record::RoundEnd> first_;  // the end of a round that is not answered yet
  std::optional<Error> refusal_;           // of the last round
  std::set<std::string> told_;
  bool closed_ = false;
  std::int64_t rounds_ = 0, moves_ = 0, unplaced_ = 0;
};

}  // namespace

Status answer(cli::Program& program, const Options& options, Verb verb) {
  return Session(program, options, verb).run();
}

}  // namespace rackline::capacity
