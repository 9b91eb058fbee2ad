// SPDX-License-Identifier: Apache-2.0
// fence: switches off hosts that heartbeat has declared dead, and proves it: only then may failover act.
#include "cli/program.h"
#include "fence/commands.h"

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "fence",
       .nature = cli::Nature::kAct,
       .summary = "switch dead hosts off, prove it, and say so",
       .description =
           "Reads the records of heartbeat. A host counts as fenced only when its power was read back as "
           "off, twice.",
       .examples = {{"heartbeat watch | fence | failover", "a host dies: its virtual servers run elsewhere"},
                    {"fence status", "which hosts are on, and which are fenced"},
                    {"fence verify", "whether each controller is that of its host"},
                    {"fence -n <down.jsonl", "read the power and change nothing"},
                    {"fence --confirm-manual h3 | failover", "nobody but you could switch it off"},
                    {"fence unfence h3", "switch a fenced host on again"},
                    {"fence --resume", "settle what a killed fence left open"}}});
  fence::Options options;
  program.takes_inventory();
  program.takes_store();
  program.says_each_warning();
  program.takes_timeout(Milliseconds{10'000});
  program.takes_dry_run();
  fence::declare(program.options(), options);
  fence::declare_commands(program, options);
  return program.run(argc, argv, [&] { return fence::fence(program, options); });
}
