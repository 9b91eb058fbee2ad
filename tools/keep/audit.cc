// SPDX-License-Identifier: Apache-2.0
// audit: keeps every record that passes in a file of which no line can be changed, removed or moved unseen.
#include "audit/options.h"
#include "cli/program.h"

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "audit",
       .nature = cli::Nature::kKeep,
       .summary = "keep what passes in a trail that nobody can change unseen",
       .description =
           "Each line is chained to the one before by its hash. The trail is a file of JSON lines.",
       .examples = {{"heartbeat watch | fence | failover | audit append", "keep what was done in the night"},
                    {"capwatch | capplan balance | audit append --request OPS-7 | migrate",
                     "keep a plan before it is carried out"},
                    {"audit verify --key audit.key.pub", "is it all there, and as it was written?"},
                    {"audit query --since 2h --object h3", "what happened to a host"},
                    {"audit trail 3f2a9c", "an incident from the first suspicion to its end"},
                    {"audit checkpoint --key audit.key | ssh far 'cat >>checkpoints'",
                     "from now on the end cannot be cut off unseen either"},
                    {"audit rotate --larger 100MiB", "from cron: begin a new file, compress the old one"}}});
  audit::Options options;
  audit::declare(program, options);
  return program.run(argc, argv);
}
