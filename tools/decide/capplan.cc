// SPDX-License-Identifier: Apache-2.0
// capplan: from rounds of samples to the moves that even out the load, empty a host, or place a virtual
// server.
#include <CLI/CLI.hpp>
#include <map>

#include "decide/session.h"
#include "plan/weights.h"

namespace rackline::decide {
namespace {

void declare(cli::Program& program, Options& options) {
  auto& app = program.app();
  plan::Policy& policy = options.policy;
  program.percent(app, "--cpu-threshold,--threshold", policy.threshold_percent,
                  "relieve hosts whose CPUs are busier than this");
  program.percent(app, "--memory-threshold", policy.memory_threshold_percent,
                  "relieve hosts that have given away more of their memory than this");
  app.add_option("--imbalance", policy.imbalance, "even out above this score of imbalance, thresholds apart")
      ->type_name("SCORE")
      ->check(cli::kFromZero);
  app.add_option("--margin", policy.margin,
                 "what a move has to lower the score by, divided by the number of hosts")
      ->type_name("SCORE")
      ->check(cli::kFromZero)
      ->capture_default_str();
  app.add_option("--hold", policy.hold, "rounds on end that a host must be above the threshold")
      ->type_name("N")
      ->check(cli::kAboveZero);
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
      ->check(cli::kFromZero)
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
      ->check(cli::kAboveZero);
  app.add_option("--cpu-overcommit", policy.cpu_overcommit,
                 "virtual CPUs for each CPU, where the host does not say otherwise")
      ->type_name("RATIO")
      ->check(cli::kAboveZero)
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
      ->check(cli::kAboveZero)
      ->capture_default_str();
  app.add_option("--max-outbound", policy.caps.out, "moves out of a host in one stage")
      ->type_name("N")
      ->check(cli::kAboveZero)
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
}  // namespace rackline::decide

int main(int argc, char** argv) {
  using namespace rackline;
  using namespace rackline::decide;
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
      ->check(cli::kAboveZero);
  headroom
      ->add_option("--cpu", options.size.cpu_cores, "CPUs that each keeps busy: asks for the load as well")
      ->type_name("CORES")
      ->check(cli::kFromZero);
  headroom->add_option("--at-least", options.at_least, "exit 1 if fewer fit")
      ->type_name("N")
      ->check(cli::kFromZero)
      ->capture_default_str();
  auto* rolling = verb("rolling", "groups of hosts that can be serviced together", Verb::kRolling);
  program.completes(rolling->add_option("HOST", options.hosts, "hosts to be serviced; all if not given"),
                    hosts);
  rolling->add_option("--at-once", options.at_once, "at most so many hosts together")
      ->type_name("N")
      ->check(cli::kAboveZero);
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
    return answer(program, options, chosen);
  });
}
