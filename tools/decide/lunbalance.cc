// SPDX-License-Identifier: Apache-2.0
// lunbalance: from rounds of samples to the moves that relieve storage arrays, empty one, or place a LUN.
#include <functional>

#include "storage/balance.h"

namespace rackline::storage {
namespace {

void declare_policy(cli::Options at, BalanceOptions& options) {
  Policy& policy = options.policy;
  at.percent("--space-threshold,--threshold", policy.space_percent,
             "LUNs leave arrays of which more is occupied, and none comes beyond it");
  at.percent("--load-threshold", policy.load_percent, "the same of the load that an array was seen to bear");
  at.number("--imbalance", policy.imbalance, "even out what is occupied above this coefficient of variation",
            cli::kFromZero, "SCORE")
      .shows_default();
  at.number("--margin", policy.margin, "what copying all bytes there are has to lower the score by",
            cli::kFromZero, "SCORE")
      .shows_default();
  at.number("--hold", policy.hold, "rounds on end that load must be above the threshold", cli::kAboveZero);
  at.duration("--horizon", policy.horizon, "in a stream: for so long the hours seen are taken to come again");
  at.bytes("--copy-rate", policy.copy_rate,
           "bytes a second: in a stream a move has to spare as much overload as its copy takes");
  at.duration("--growth", policy.growth, "LUNs are taken to grow for so long as they have");
  at.number("--overcommit", policy.overcommit, "sizes of thin LUNs for each byte of an array",
            cli::kAboveZero, "RATIO")
      .shows_default();
  at.bytes("--reserve", policy.reserve_bytes, "room of each array that is kept free below its threshold");
  at.duration("--cooldown", policy.cooldown, "leave a LUN alone for so long after a move");
  at.duration("--no-return", policy.no_return, "for so long no LUN goes back to where it came from");
  at.duration("--expires", policy.expires, "age at which a plan is too old to be carried out");
  at.duration("--stale", policy.stale, "leave out an array whose sample is older at the round's end");
  at.number("--seed", policy.seed, "choose otherwise among equals").shows_default();
  at.text("--history", options.history, "results of earlier moves", "FILE").offers(cli::Values::kFiles);
  at.text("--rules", options.rules, "placement rules, beside those on stdin", "FILE")
      .offers(cli::Values::kFiles);
}

void declare_limits(cli::Options at, Policy& policy) {
  at.percent("--max-change", policy.max_change_percent, "move no more of the LUNs in one plan");
  at.flag("--force", policy.force, "plan also beyond --max-change");
  at.number("--max-moves", policy.max_moves, "move at most so many LUNs", cli::kAboveZero);
  at.number("--max-per-lun", policy.most_per_lun, "moves of a LUN in a day", cli::kAboveZero).shows_default();
  at.number("--max-per-array", policy.most_per_array, "moves of an array in a day, in and out",
            cli::kAboveZero)
      .shows_default();
  at.number("--max-inbound", policy.caps.in, "moves into an array in one stage", cli::kAboveZero)
      .shows_default();
  at.number("--max-outbound", policy.caps.out, "moves out of an array in one stage", cli::kAboveZero)
      .shows_default();
}

void declare_size(cli::Options& at, BalanceOptions& options) {
  at.bytes("--size", options.size.size_bytes, "size of the LUN; 0: of those in the input");
  at.text("--tier", options.size.tier, "the tier that it has to be in", "TIER");
  at.number("--iops", options.size.iops, "commands a second that are expected of it", cli::kFromZero);
}

void declare_commands(cli::Options at, BalanceOptions& options, const std::function<Status(Verb)>& answer) {
  const auto verb = [&](const char* name, const char* about, Verb number) {
    return at.command(name, about, [answer, number] { return answer(number); });
  };
  at.command_is_optional();
  verb("balance", "relieve arrays, and even out what is occupied", Verb::kBalance);
  verb("evacuate", "empty arrays", Verb::kEvacuate)
      .operands("ARRAY", options.arrays, "arrays to be emptied")
      .required()
      .offers(cli::Values::kArrays);
  auto place = verb("place", "find an array for a LUN, or for each lun_request", Verb::kPlace);
  declare_size(place, options);
  place.text("--name", options.size.lun, "name of the LUN", "LUN").shows_default();
  auto headroom = verb("headroom", "how many more of a size fit, and what blocks the next", Verb::kHeadroom);
  declare_size(headroom, options);
  headroom.number("--at-least", options.at_least, "exit 1 if fewer fit", cli::kFromZero).shows_default();
  verb("check", "only tell whether anything needs to move", Verb::kCheck);
  verb("explain", "why LUNs move, or do not", Verb::kExplain)
      .operands("NAME", options.names, "a LUN, or an array", "LUN|ARRAY")
      .required()
      .offers(cli::Values::kArrays);
}

}  // namespace
}  // namespace rackline::storage

int main(int argc, char** argv) {
  using namespace rackline;
  using namespace rackline::storage;
  cli::Program program(
      {.name = "lunbalance",
       .nature = cli::Nature::kDecide,
       .summary = "plan on which storage array LUNs should be",
       .description = "Reads the samples of lunwatch and writes moves of LUNs. Without a command: balance.",
       .examples = {
           {"lunwatch | lunbalance", "what would relieve the arrays"},
           {"lunwatch --follow | lunbalance balance", "round after round, by what the hours have taught"},
           {"lunwatch | lunbalance evacuate a3", "empty an array"},
           {"lunwatch | lunbalance place --size 200GiB --tier fast", "where a new LUN should be"},
           {"lunwatch | lunbalance explain db1-data", "why it moves or stays, array by array"},
           {"lunwatch | lunbalance headroom --size 1TiB --at-least 4", "is there room for four more"},
           {"lunwatch | lunbalance check", "does anything need to move"}}});
  BalanceOptions options;
  options.size.lun = "new";
  declare_policy(program.options(), options);
  declare_limits(program.options(), options.policy);
  const auto answer_to = [&](Verb verb) { return balance(program, options, verb); };
  declare_commands(program.options(), options, answer_to);
  return program.run(argc, argv, [&] { return answer_to(Verb::kBalance); });
}
