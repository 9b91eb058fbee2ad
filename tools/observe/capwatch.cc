// SPDX-License-Identifier: Apache-2.0
// capwatch: what every host and VM has, has given away and uses, as rounds of records.
#include "capacity/watch.h"
#include "cli/program.h"
#include "observe/options.h"

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "capwatch",
       .nature = cli::Nature::kObserve,
       .summary = "sample the capacity and the use of every host and virtual server",
       .description = "A host that cannot be reached, or hangs, is a record too and delays no other.",
       .examples = {
           {"capwatch", "one round, as a table"},
           {"capwatch | capplan balance | migrate", "even out the load"},
           {"capwatch --follow | jq -c 'select(.kind==\"fluctuation\")'", "who leaves the usual, for long"},
           {"capwatch --follow --record night.rec --listen 127.0.0.1:9750 >/dev/null",
            "keep the rounds, and let Prometheus ask"},
           {"capwatch --replay night.rec --band cpu=60 --hold 5m", "what would have been said"},
           {"capwatch --from ganeti cluster.data | capplan balance --objective ganeti",
            "plan for a saved cluster"},
           {"capwatch --from ganeti cluster.data --assume-cpu 30% | capplan headroom",
            "loads it does not tell"}}});
  capacity::WatchOptions options;
  auto& at = program.options();
  program.takes_inventory();
  program.takes_store();
  // The first answer of a libvirtd that has just started takes seconds: it asks every emulator what it can
  // do.
  program.takes_timeout(Milliseconds{10'000});
  observe::PaceOptions pace(at, options.pace, "sample again and again, this far apart (with --follow 10s)");
  at.duration("--window", options.window, "rates of a host not seen before: time between two samples");
  at.flag("-f,--follow", options.follow,
          "keep windows of usage, and tell when it leaves its band and when it is back");
  observe::takes_windows(at, options.policy);
  observe::takes_bands(
      at, "--band", usage::kResources, options.policy.hosts,
      "RESOURCE=HIGH, =LOW..HIGH or =off of hosts; cpu=75,memory=90,steal=10,pressure=10 percent");
  observe::takes_bands(
      at, "--vm-band", usage::kResources, options.policy.vms,
      "the same of virtual servers; cpu=90,memory=95,steal=10 percent, swap=1048576 bytes a second");
  observe::KeptOptions kept(at, options, pace);
  auto from = at.texts("--from", options.from, "a saved cluster: ganeti or csv, and its FILE, - for stdin",
                       "FORMAT FILE")
                  .takes(1, 2)
                  .offers({"ganeti", "csv"});
  const auto assume = at.percent("--assume-cpu", options.assumed_percent,
                                 "with --from: what virtual servers of unknown load keep busy of their CPUs")
                          .needs(from);
  const auto names =
      at.choice("--list", options.list, {"hosts", "vms"}, "print their names, one a line, and nothing else");
  at.operands("HOST", options.hosts, "only these hosts of the inventory").offers(cli::Values::kHosts);
  kept.replay().excludes({names, from});
  from.excludes({pace.interval(), pace.count(), kept.listen(), kept.record(), names});

  return program.run(argc, argv, [&] {
    options.follow = options.follow || !options.listen.empty() || !options.replay.empty();
    pace.settle(options.follow, " or --follow");
    options.assumes = assume.given();
    if (!options.from.empty()) return capacity::import(program, options);
    if (!options.replay.empty()) return capacity::replay(program, options);
    program.leaves_threads_behind();
    return options.list.empty() ? capacity::watch(program, options) : capacity::list(program, options);
  });
}
