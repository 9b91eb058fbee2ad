// SPDX-License-Identifier: Apache-2.0
// capplan: from rounds of samples to the moves that even out the load, empty a host, or place a virtual
// server.
#include <CLI/CLI.hpp>

#include "base/interrupt.h"
#include "cli/program.h"
#include "plan/planner.h"

namespace rackline {
namespace {

struct Options {
  plan::Policy policy;
  std::string history, rules, spare = "keep";
  std::vector<std::string> hosts;
};

enum class Verb { kBalance, kEvacuate, kPlace, kCheck };

// A rule that cannot be read is one that would be broken unknowingly.
void take_rule(record::Reader& reader, plan::Planner& planner) {
  record::PlacementRule rule;
  if (!reader.read(rule)) {
    throw Error(Status::kUsage, "read the placement rules", "line " + std::to_string(reader.line()),
                "it cannot be read", "no plan is made without a rule that was meant to hold");
  }
  planner.rules().add(rule);
}

class Session {
 public:
  Session(cli::Program& program, const Options& options, Verb verb)
      : program_(program), options_(options), verb_(verb), planner_(options.policy) {
    if (!options.rules.empty()) {
      const auto reader = program.file_reader(options.rules, record::Policy::kRefuse);
      while (reader->next()) {
        if (reader->is<record::PlacementRule>()) take_rule(*reader, planner_);
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
    while (reader->next()) take(*reader);
    const bool stopped = reader->end() && reader->end()->outcome == "interrupted" && closed_;
    if (interrupt::requested()) return Status::kDone;
    if (!reader->complete() || !stopped) cli::Program::require_complete(*reader, "plan");
    if (!planner_.round().empty() && !stopped) close({}, nullptr);
    program_.end().rounds = rounds_;
    return finish();
  }

 private:
  void take(record::Reader& reader) {
    if (reader.is<record::VmSample>()) {
      if (reader.read(planner_.round().vm_slot())) planner_.round().keep_vm();
    } else if (reader.is<record::HostSample>()) {
      if (reader.read(planner_.round().host_slot())) planner_.round().keep_host();
    } else if (reader.is<record::RoundEnd>()) {
      record::RoundEnd end;
      if (reader.read(end)) close(end.time, &end);
    } else if (reader.is<record::PlacementRule>()) {
      take_rule(reader, planner_);
    } else if (reader.is<record::VmRequest>()) {
      record::VmRequest request;
      if (reader.read(request)) planner_.add(request);
    } else {
      if (record::VmMoved moved; reader.is<record::VmMoved>() && reader.read(moved)) {
        planner_.history().add(moved);
      }
      program_.out().pass(reader);
    }
    if (reader.skipped() > skipped_) planner_.round().lines_skipped = true;
    skipped_ = reader.skipped();
  }

  // Only balance answers each round; the others are questions about the state as it is at the end.
  void close(record::Time time, const record::RoundEnd* end) {
    planner_.close(time);
    closed_ = true;
    ++rounds_;
    program_.out().stamp(planner_.last().time);
    if (verb_ != Verb::kBalance) return;
    plan::Plan plan = planner_.balance();
    if (plan.none) program_.note("round " + std::to_string(rounds_) + ": " + plan.none->reason);
    const bool moves = !plan.moves.empty();
    write(plan);
    // The plan of this round is whole: whoever carries it out need not wait for the end.
    if (moves && end != nullptr) program_.out().write(*end);
    answer_ = std::move(plan.none);
  }

  void write(const plan::Plan& plan) {
    for (const auto& text : plan.left_out) program_.note(text);
    for (const auto& move : plan.moves) program_.out().write(move);
    for (const auto& place : plan.places) program_.out().write(place);
    for (const auto& unplaced : plan.unplaced) program_.out().write(unplaced);
    record::End& end = program_.end();
    if (moves_ == 0) end.score_before = plan.score_before;
    end.score_after = plan.score_after;
    end.lower_bound = plan.lower_bound;
    moves_ += static_cast<std::int64_t>(plan.moves.size());
    unplaced_ += static_cast<std::int64_t>(plan.unplaced.size());
    if (verb_ != Verb::kPlace) end.moves = moves_;
    if (verb_ == Verb::kEvacuate || verb_ == Verb::kPlace) end.unplaced = unplaced_;
  }

  Status finish() {
    if (!closed_) planner_.close({});
    if (verb_ == Verb::kCheck) {
      const record::BalanceCheck check = planner_.check();
      program_.out().write(check);
      program_.end().outcome = "ok";
      return check.balanced ? Status::kDone : Status::kNo;
    }
    if (verb_ == Verb::kBalance) {
      if (!closed_) answer_ = planner_.balance().none;
    } else {
      plan::Plan plan = verb_ == Verb::kPlace ? planner_.place() : planner_.evacuate(options_.hosts);
      write(plan);
      answer_ = std::move(plan.none);
    }
    if (answer_ && moves_ == 0) program_.out().write(*answer_);
    // What could be planned is a whole plan, to be carried out; what could not is told by its own records.
    program_.end().outcome = "ok";
    return unplaced_ == 0 ? Status::kDone : Status::kNo;
  }

  cli::Program& program_;
  const Options& options_;
  Verb verb_;
  plan::Planner planner_;
  std::optional<record::NoBeneficialMove> answer_;
  bool closed_ = false;
  std::int64_t rounds_ = 0, skipped_ = 0, moves_ = 0, unplaced_ = 0;
};

void declare(cli::Program& program, Options& options) {
  auto& app = program.app();
  plan::Policy& policy = options.policy;
  program.percent(app, "--cpu-threshold,--threshold", policy.threshold_percent,
                  "relieve hosts whose CPUs are busier than this");
  program.percent(app, "--memory-threshold", policy.memory_threshold_percent,
                  "relieve hosts that have given away more of their memory than this");
  app.add_option("--imbalance", policy.imbalance, "even out above this score of imbalance, thresholds apart")
      ->type_name("SCORE")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--margin", policy.margin,
                 "what a move has to lower the score by, divided by the number of hosts")
      ->type_name("SCORE")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--hold", policy.hold, "rounds on end that a host must be above the threshold")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.duration(app, "--cooldown", policy.cooldown,
                   "leave a virtual server alone for so long after a move");
  program.duration(app, "--stale", policy.stale, "leave out a host whose sample is older at the round's end");
  program.percent(app, "--max-change", policy.max_change_percent,
                  "refuse a plan that moves more of the running virtual servers");
  app.add_flag("--force", policy.force, "plan also beyond --max-change");
  app.add_option("--max-moves", policy.max_moves, "move at most so many virtual servers")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_option("--cpu-overcommit", policy.cpu_overcommit,
                 "virtual CPUs for each CPU, where the host does not say otherwise")
      ->type_name("RATIO")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.bytes(app, "--memory-reserve", policy.memory_reserve_bytes,
                "memory kept for a host itself, where the host does not say otherwise");
  program
      .choice(app, "--spare", options.spare, {"keep", "ignore"},
              "keep: no move may leave a host without place for its virtual servers if it fails")
      ->capture_default_str();
  app.add_option("--max-inbound", policy.caps.in, "moves into a host in one stage")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--max-outbound", policy.caps.out, "moves out of a host in one stage")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", policy.seed, "choose otherwise among equals")
      ->type_name("N")
      ->capture_default_str();
  const auto files = cli::Program::Values::kFiles;
  program.completes(app.add_option("--history", options.history, "results of earlier moves, for the cooldown")
                        ->type_name("FILE"),
                    files);
  program.completes(
      app.add_option("--rules", options.rules, "placement rules, beside those on stdin")->type_name("FILE"),
      files);
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "capplan",
       .nature = cli::Nature::kDecide,
       .summary = "plan where virtual servers should run",
       .description = "Reads the samples of capwatch and writes moves, which migrate carries out. Without a "
                      "command: balance.",
       .examples = {{"capwatch | capplan", "what would even out the load"},
                    {"capwatch | capplan evacuate h3 | migrate", "empty a host for maintenance"},
                    {"capwatch --interval 20s --count 3 | capplan --hold 3 --history moved.jsonl | migrate",
                     "not for a spike, and nothing that has moved lately"},
                    {"capwatch | capplan check || capwatch | capplan | migrate", "only when needed"}}});
  Options options;
  auto& app = program.app();
  declare(program, options);
  app.require_subcommand(0, 1);
  app.add_subcommand("balance", "even out the load");
  auto* evacuate = app.add_subcommand("evacuate", "empty hosts");
  auto* place = app.add_subcommand("place", "find a host for each vm_request");
  auto* check = app.add_subcommand("check", "only tell whether the load needs to be evened out");
  program.completes(evacuate->add_option("HOST", options.hosts, "hosts to be emptied")->required(),
                    cli::Program::Values::kHosts);

  return program.run(argc, argv, [&] {
    options.policy.keep_spare = options.spare == "keep";
    const Verb verb = *evacuate ? Verb::kEvacuate
                      : *place  ? Verb::kPlace
                      : *check  ? Verb::kCheck
                                : Verb::kBalance;
    return Session(program, options, verb).run();
  });
}
