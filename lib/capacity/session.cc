// SPDX-License-Identifier: Apache-2.0
#include "capacity/session.h"

#include <limits>
#include <optional>

#include "base/error.h"
#include "capacity/feed.h"
#include "capacity/planner.h"
#include "cli/bars.h"
#include "decide/session.h"

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

class Session : public decide::Session {
 public:
  Session(cli::Program& program, const Options& options, Verb verb)
      : decide::Session(program), options_(options), verb_(verb), planner_(options.policy), feed_(planner_) {
    read_file<record::PlacementRule>(options.rules, record::Policy::kRefuse,
                                     [this](record::Reader& reader) { feed_.take_rule(reader); });
    read_file<record::VmMoved>(options.history, record::Policy::kSkip, [this](record::Reader& reader) {
      if (record::VmMoved moved; reader.read(moved)) planner_.history().add(moved);
    });
  }

 private:
  bool take(record::Reader& reader) override { return feed_.take(reader); }
  void miss_line() override { planner_.round().lines_skipped = true; }
  bool begun() override { return !planner_.round().empty(); }
  record::Time end_round(record::Time time) override {
    planner_.close(time);
    return planner_.last().time;
  }
  // The other commands are questions about the state as it is at the end.
  bool answers_rounds() const override { return verb_ == Verb::kBalance; }
  bool first_only_tells() const override {
    return !options_.policy.hold && options_.policy.objective == Objective::kLoad;
  }

  Answer decide_round() override {
    examine();
    Plan plan = planner_.balance();
    if (plan.none) note_round(plan.none->reason);
    write(plan);
    return {!plan.moves.empty(), std::move(plan.none)};
  }

  std::optional<record::NoBeneficialMove> decide_on_nothing() override { return planner_.balance().none; }

  // No plan is made on rules that contradict each other: which of them would it be right to break?
  void examine() {
    const Contradictions found = planner_.examine();
    if (!found.impossible.empty()) {
      std::string all;
      for (const auto& text : found.impossible) all += (all.empty() ? "" : "; ") + text;
      throw Error(Status::kUsage, "plan", "contradictory rules", all, "no placement can obey them");
    }
    for (const auto& text : found.doubtful) {
      warn_once(text);
    }
    for (const auto& text : found.idle) {
      note_once(text);
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
    auto& summary = sum_up(plan);
    if (verb_ != Verb::kPlace || moves_ > 0) summary.moves = moves_;
    if (verb_ == Verb::kEvacuate || verb_ == Verb::kPlace) program_.end().unplaced = unplaced_;
    if (plan.stays.empty()) return;
    program_.end().reason = plan.stays;
    if (out.format() == cli::Format::kTable) program_.warn(plan.stays);
  }

  Status finish() override {
    examine();
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
      default:
        Plan plan = verb_ == Verb::kPlace  ? planner_.place(!options_.no_moves)
                    : verb_ == Verb::kPack ? planner_.pack()
                                           : planner_.evacuate(options_.hosts);
        write(plan);
        if (plan.none && moves_ == 0) program_.out().write(*plan.none);
    }
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

  const Options& options_;
  Verb verb_;
  Planner planner_;
  Feed feed_;
};

}  // namespace

Status answer(cli::Program& program, const Options& options, Verb verb) {
  return Session(program, options, verb).run();
}

}  // namespace rackline::capacity
