// SPDX-License-Identifier: Apache-2.0
// capplan: from rounds of samples to the moves that even out the load, empty a host, or place a virtual
// server.
#include <CLI/CLI.hpp>
#include <limits>
#include <set>

#include "base/interrupt.h"
#include "cli/bars.h"
#include "cli/program.h"
#include "plan/feed.h"
#include "plan/planner.h"
#include "plan/weights.h"

namespace rackline {
namespace {

struct Options {
  plan::Policy policy;
  std::string history, rules, spare = "keep", cpu_model = "same", objective = "load", weights;
  std::chrono::milliseconds budget = std::chrono::seconds(4);
  std::vector<std::string> hosts, names;
  record::VmRequest size;
  std::int64_t at_least = 1;
  int at_once = std::numeric_limits<int>::max();
  bool no_moves = false;
};

enum class Verb { kBalance, kPack, kEvacuate, kPlace, kHeadroom, kRolling, kExplain, kCheck };

cli::BarChart chart_of(const std::vector<plan::HostOutlook>& hosts, const plan::Policy& policy) {
  cli::BarChart chart{"HOST", "VMS", {"CPU", "MEMORY"}, {}};
  for (const auto& host : hosts) {
    chart.rows.push_back({host.host,
                          std::to_string(host.vms_before) + " -> " + std::to_string(host.vms_after),
                          {{host.cpu_before, host.cpu_after, policy.threshold_percent},
                           {host.memory_before, host.memory_after, policy.memory_threshold_percent}}});
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
    if (!reader->complete() || !stopped) cli::Program::require_complete(*reader, "plan");
    if (!planner_.round().empty() && !stopped) close({}, nullptr);
    program_.end().rounds = rounds_;
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
    examine();
    // A single round is answered as it stands, but the first one of a stream only tells where things stand:
    // which of the two it is shows when the input goes on, or ends.
    const plan::Policy& policy = options_.policy;
    first_.reset();
    if (rounds_ == 1 && end != nullptr && !policy.hold && policy.objective == plan::Objective::kLoad) {
      first_ = *end;
    } else {
      answer(end);
    }
  }

  void answer(const record::RoundEnd* end) {
    plan::Plan plan = planner_.balance();
    if (plan.none) program_.note("round " + std::to_string(rounds_) + ": " + plan.none->reason);
    const bool moves = !plan.moves.empty();
    write(plan);
    // The plan of this round is whole: whoever carries it out need not wait for the end.
    if (moves && end != nullptr) program_.out().write(*end);
    answer_ = std::move(plan.none);
  }

  // No plan is made on rules that contradict each other: which of them would it be right to break?
  void examine() {
    const plan::Contradictions found = planner_.examine();
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

  void write(const plan::Plan& plan) {
    cli::Output& out = program_.out();
    for (const auto& text : plan.left_out) program_.note(text);
    for (const auto& move : plan.moves) out.write(move);
    for (const auto& freed : plan.freed) out.write(freed);
    for (const auto& place : plan.places) out.write(place);
    for (const auto& unplaced : plan.unplaced) out.write(unplaced);
    if (out.format() == cli::Format::kTable && !plan.outlook.empty()) {
      out.illustrate(draw(chart_of(plan.outlook, options_.policy), cli::output_columns(), out.colour()));
    }
    record::End& end = program_.end();
    if (moves_ == 0) end.score_before = plan.score_before;
    end.score_after = plan.score_after;
    end.lower_bound = plan.lower_bound;
    moves_ += static_cast<std::int64_t>(plan.moves.size());
    unplaced_ += static_cast<std::int64_t>(plan.unplaced.size());
    if (verb_ != Verb::kPlace || moves_ > 0) end.moves = moves_;
    if (verb_ == Verb::kEvacuate || verb_ == Verb::kPlace) end.unplaced = unplaced_;
  }

  Status finish() {
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
        if (first_) answer(&*first_);
        break;
      default:
        plan::Plan plan = verb_ == Verb::kPlace  ? planner_.place(!options_.no_moves)
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
    const plan::Rolling answer = planner_.rolling(options_.hosts, options_.at_once);
    for (const auto& group : answer.groups) program_.out().write(group);
    for (const auto& host : answer.unserviceable) program_.out().write(host);
    return answer.unserviceable.empty() ? Status::kDone : Status::kNo;
  }

  cli::Program& program_;
  const Options& options_;
  Verb verb_;
  plan::Planner planner_;
  plan::Feed feed_;
  std::optional<record::NoBeneficialMove> answer_;
  std::optional<record::RoundEnd> first_;  // the end of a round that is not answered yet
  std::set<std::string> told_;
  bool closed_ = false;
  std::int64_t rounds_ = 0, moves_ = 0, unplaced_ = 0;
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
      ->check(CLI::PositiveNumber);
  program.duration(app, "--horizon", policy.horizon, "in a stream: for so long loads are taken to last");
  program.duration(app, "--move-price", policy.move_price,
                   "in a stream: overload that a move has to spare within the horizon");
  program
      .choice(app, "--objective", options.objective, {"load", "ganeti"},
              "load: even out what is used; ganeti: what is promised, by the score of hbal")
      ->capture_default_str();
  app.add_option("--weight", options.weights, "what parts of the score count, such as cpu=1,memory=0.5")
      ->type_name("NAME=N,...");
  app.add_option("--min-gain", policy.least_gain,
                 "what a move has to lower the score of hbal by, divided by the number of hosts")
      ->type_name("SCORE")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  program.duration(app, "--budget", options.budget,
                   "look for exchanges by the score of hbal for about so long, counted in steps");
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
  program
      .choice(app, "--cpu-model", options.cpu_model, {"same", "any"},
              "same: nothing moves live to a host of another CPU model")
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
                    {"capwatch | capplan explain web1", "why it moves or stays, host by host"},
                    {"capwatch | capplan headroom --memory 8GiB --at-least 10",
                     "is there room for ten more, with N+1"},
                    {"capwatch | capplan rolling", "which hosts can be serviced together"},
                    {"capwatch | capplan pack", "which hosts could be switched off, and by which moves"},
                    {"capwatch | capplan check || capwatch | capplan | migrate", "only when needed"}}});
  Options options;
  auto& app = program.app();
  declare(program, options);
  app.require_subcommand(0, 1);
  const auto hosts = cli::Program::Values::kHosts;
  std::map<const CLI::App*, Verb> verbs;
  const auto verb = [&](const char* name, const char* text, Verb number) {
    auto* sub = app.add_subcommand(name, text);
    verbs[sub] = number;
    return sub;
  };
  verb("balance", "even out the load", Verb::kBalance);
  verb("pack", "free hosts, to switch them off", Verb::kPack);
  auto* evacuate = verb("evacuate", "empty hosts", Verb::kEvacuate);
  program.completes(evacuate->add_option("HOST", options.hosts, "hosts to be emptied")->required(), hosts);
  auto* place = verb("place", "find a host for each vm_request", Verb::kPlace);
  place->add_flag("--no-moves", options.no_moves, "move no others to make room");
  auto* headroom = verb("headroom", "how many more of a size fit, and what blocks the next", Verb::kHeadroom);
  program.bytes(*headroom, "--memory", options.size.memory_bytes, "memory of each; 0: as is usual here");
  headroom->add_option("--vcpus", options.size.vcpus, "virtual CPUs of each, 1 if not given")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  headroom
      ->add_option("--cpu", options.size.cpu_cores, "CPUs that each keeps busy: asks for the load as well")
      ->type_name("CORES")
      ->check(CLI::NonNegativeNumber);
  headroom->add_option("--at-least", options.at_least, "exit 1 if fewer fit")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  auto* rolling = verb("rolling", "groups of hosts that can be serviced together", Verb::kRolling);
  program.completes(rolling->add_option("HOST", options.hosts, "hosts to be serviced; all if not given"),
                    hosts);
  rolling->add_option("--at-once", options.at_once, "at most so many hosts together")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  auto* explain = verb("explain", "why virtual servers move, or do not", Verb::kExplain);
  program.completes(explain->add_option("NAME", options.names, "a virtual server, or a host")
                        ->required()
                        ->type_name("VM|HOST"),
                    cli::Program::Values::kVms);
  verb("check", "only tell whether the load needs to be evened out", Verb::kCheck);

  return program.run(argc, argv, [&] {
    options.policy.keep_spare = options.spare == "keep";
    options.policy.same_cpu_model = options.cpu_model == "same";
    if (options.objective == "ganeti") options.policy.objective = plan::Objective::kGaneti;
    options.policy.budget = options.budget.count() * plan::kStepsPerMillisecond;
    plan::set_weights(options.policy, options.weights);
    Verb chosen = Verb::kBalance;
    for (const auto& [sub, number] : verbs) {
      if (sub->parsed()) chosen = number;
    }
    return Session(program, options, chosen).run();
  });
}
