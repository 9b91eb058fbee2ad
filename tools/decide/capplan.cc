// SPDX-License-Identifier: Apache-2.0
// capplan: from rounds of samples to the moves that even out the load, empty a host, or place a VM.
#include <functional>

#include "capacity/session.h"
#include "capacity/weights.h"

namespace rackline::capacity {
namespace {

void declare_policy(cli::Options at, Options& options) {
  capacity::Policy& policy = options.policy;
  at.percent("--cpu-threshold,--threshold", policy.threshold_percent,
             "relieve hosts whose CPUs are busier than this");
  at.percent("--memory-threshold", policy.memory_threshold_percent,
             "relieve hosts that have given away more of their memory than this");
  at.number("--imbalance", policy.imbalance, "even out above this score of imbalance, thresholds apart",
            cli::kFromZero, "SCORE");
  at.number("--margin", policy.margin,
            "what a move has to lower the score by, divided by the number of hosts", cli::kFromZero, "SCORE")
      .shows_default();
  at.number("--hold", policy.hold, "rounds on end that a host must be above the threshold", cli::kAboveZero);
  at.duration("--horizon", policy.horizon, "in a stream: for so long loads are taken to last");
  at.duration("--move-price", policy.move_price,
              "in a stream: overload that a move has to spare within the horizon");
  at.choice("--objective", options.objective, {"load", "ganeti"},
            "load: even out what is used; ganeti: what is promised, by the score of hbal")
      .shows_default();
  at.text("--weight", options.weights, "what parts of the score count, such as cpu=1,memory=0.5",
          "NAME=N,...");
  at.number("--min-gain", policy.least_gain,
            "what a move has to lower the score of hbal by, divided by the number of hosts", cli::kFromZero,
            "SCORE")
      .shows_default();
  at.duration("--budget", options.budget,
              "look for exchanges by the score of hbal for about so long, counted in steps");
  at.duration("--cooldown", policy.cooldown, "leave a virtual server alone for so long after a move");
  at.duration("--stale", policy.stale, "leave out a host whose sample is older at the round's end");
  at.number("--seed", policy.seed, "choose otherwise among equals").shows_default();
  at.text("--history", options.history, "results of earlier moves, for the cooldown", "FILE")
      .offers(cli::Values::kFiles);
  at.text("--rules", options.rules, "placement rules, beside those on stdin", "FILE")
      .offers(cli::Values::kFiles);
}

void declare_limits(cli::Options at, Options& options) {
  capacity::Policy& policy = options.policy;
  at.percent("--max-change", policy.max_change_percent,
             "refuse a plan that moves more of the running virtual servers");
  at.flag("--force", policy.force, "plan also beyond --max-change");
  at.number("--max-moves", policy.max_moves, "move at most so many virtual servers", cli::kAboveZero);
  at.number("--cpu-overcommit", policy.cpu_overcommit,
            "virtual CPUs for each CPU, where the host does not say otherwise", cli::kAboveZero, "RATIO")
      .shows_default();
  at.bytes("--memory-reserve", policy.memory_reserve_bytes,
           "memory kept for a host itself, where the host does not say otherwise");
  at.choice("--spare", options.spare, {"keep", "ignore"},
            "keep: no move may leave a host without place for its virtual servers if it fails")
      .shows_default();
  at.choice("--cpu-model", options.cpu_model, {"same", "any"},
            "same: nothing moves live to a host of another CPU model")
      .shows_default();
  at.choice("--cpu-speed", options.cpu_speed, {"clock", "same"},
            "clock: CPUs of a higher clock do more; same: all do the same")
      .shows_default();
  at.number("--max-inbound", policy.caps.in, "moves into a host in one stage", cli::kAboveZero)
      .shows_default();
  at.number("--max-outbound", policy.caps.out, "moves out of a host in one stage", cli::kAboveZero)
      .shows_default();
}

void declare_commands(cli::Options at, Options& options, const std::function<Status(Verb)>& answer) {
  const auto verb = [&](const char* name, const char* about, Verb number) {
    return at.command(name, about, [answer, number] { return answer(number); });
  };
  at.command_is_optional();
  verb("balance", "even out the load", Verb::kBalance);
  verb("pack", "free hosts, to switch them off", Verb::kPack);
  verb("evacuate", "empty hosts", Verb::kEvacuate)
      .operands("HOST", options.hosts, "hosts to be emptied")
      .required()
      .offers(cli::Values::kHosts);
  verb("place", "find a host for each vm_request", Verb::kPlace)
      .flag("--no-moves", options.no_moves, "move no others to make room");
  auto headroom = verb("headroom", "how many more of a size fit, and what blocks the next", Verb::kHeadroom);
  headroom.bytes("--memory", options.size.memory_bytes, "memory of each; 0: as is usual here");
  headroom.number("--vcpus", options.size.vcpus, "virtual CPUs of each, 1 if not given", cli::kAboveZero);
  headroom.number("--cpu", options.size.cpu_cores, "CPUs that each keeps busy: asks for the load as well",
                  cli::kFromZero, "CORES");
  headroom.number("--at-least", options.at_least, "exit 1 if fewer fit", cli::kFromZero).shows_default();
  auto rolling = verb("rolling", "groups of hosts that can be serviced together", Verb::kRolling);
  rolling.operands("HOST", options.hosts, "hosts to be serviced; all if not given")
      .offers(cli::Values::kHosts);
  rolling.number("--at-once", options.at_once, "at most so many hosts together", cli::kAboveZero);
  verb("explain", "why virtual servers move, or do not", Verb::kExplain)
      .operands("NAME", options.names, "a virtual server, or a host", "VM|HOST")
      .required()
      .offers(cli::Values::kVms);
  verb("check", "only tell whether the load needs to be evened out", Verb::kCheck);
}

}  // namespace
}  // namespace rackline::capacity

int main(int argc, char** argv) {
  using namespace rackline;
  using namespace rackline::capacity;
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
  declare_policy(program.options(), options);
  declare_limits(program.options(), options);
  const auto answer_to = [&](Verb verb) {
    options.policy.keep_spare = options.spare == "keep";
    options.policy.same_cpu_model = options.cpu_model == "same";
    options.policy.clock_is_speed = options.cpu_speed == "clock";
    if (options.objective == "ganeti") options.policy.objective = capacity::Objective::kGaneti;
    options.policy.budget = options.budget.count() * capacity::kStepsPerMillisecond;
    capacity::set_weights(options.policy, options.weights);
    return answer(program, options, verb);
  };
  declare_commands(program.options(), options, answer_to);
  return program.run(argc, argv, [&] { return answer_to(Verb::kBalance); });
}
