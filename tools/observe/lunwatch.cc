// SPDX-License-Identifier: Apache-2.0
// lunwatch: what every storage array has, has promised and does, and who uses its LUNs, as rounds of records.
#include "cli/program.h"
#include "observe/options.h"
#include "storage/watch.h"

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "lunwatch",
       .nature = cli::Nature::kObserve,
       .summary = "sample the capacity and the use of every storage array and LUN",
       .description = "An array that cannot be reached, or hangs, is a record too and delays no other.",
       .examples = {
           {"lunwatch", "one round, as a table"},
           {"lunwatch a1 a2", "only these arrays of the inventory"},
           {"lunwatch --follow | jq -c 'select(.kind==\"fluctuation\")'", "which array fills"},
           {"lunwatch --follow --record night.rec --listen 127.0.0.1:9751 >/dev/null",
            "keep the rounds, and let Prometheus ask"},
           {"lunwatch --replay night.rec --band space=70", "what would have been said"},
           {"lunwatch | jq -c 'select(.kind==\"lun_sample\" and .in_use==\"no\")'", "LUNs that nobody uses"},
           {"lunwatch | jq -c 'select(.kind==\"identity_conflict\")'",
            "LUNs that clients would take for one"}}});
  storage::WatchOptions options;
  auto& at = program.options();
  program.takes_inventory();
  program.takes_timeout(Milliseconds{10'000});
  observe::PaceOptions pace(at, options.pace, "sample again and again, this far apart (with --follow 10s)");
  at.duration("--window", options.window, "rates of an array not seen before: time between two samples");
  at.flag("-f,--follow", options.follow,
          "keep windows of use, and tell when it leaves its band and when it is back");
  observe::takes_windows(at, options.policy);
  observe::takes_bands(at, "--band", storage::kArrayResources, options.policy.arrays,
                       "RESOURCE=HIGH, =LOW..HIGH or =off of arrays: space in percent, latency in ms, iops, "
                       "bytes a second; space=85");
  observe::takes_bands(at, "--lun-band", storage::kLunResources, options.policy.luns,
                       "the same of LUNs: iops, bytes a second; none");
  observe::KeptOptions kept(at, options, pace);
  const auto names = at.choice("--list", options.list, {"arrays", "luns"},
                               "print their names, one a line, and nothing else");
  kept.replay().excludes({names});
  at.operands("ARRAY", options.arrays, "only these arrays of the inventory").offers(cli::Values::kArrays);

  return program.run(argc, argv, [&] {
    options.follow = options.follow || !options.listen.empty() || !options.replay.empty();
    pace.settle(options.follow, " or --follow");
    if (!options.replay.empty()) return storage::replay(program, options);
    return options.list.empty() ? storage::watch(program, options) : storage::list(program, options);
  });
}
