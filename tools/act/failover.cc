// SPDX-License-Identifier: Apache-2.0
// failover: restarts the VMs of hosts that are proven to be off, and keeps what it needs for that.
#include "cli/program.h"
#include "failover/commands.h"

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "failover",
       .nature = cli::Nature::kAct,
       .summary = "restart the virtual servers of hosts that are proven to be off",
       .description =
           "Acts on host_fenced records on stdin and on nothing weaker. A repeated command finishes "
           "what a killed one began.",
       .examples = {
           {"failover protect web1 db1 --priority 10", "restart these when their host dies"},
           {"failover protect web1 --after db1 --check tcp:10.0.3.7:80", "db1 first, and ask it"},
           {"failover protect --all --standing", "protect what there is, and what comes later"},
           {"failover drill h3", "what would happen if h3 died now"},
           {"failover drill --all", "of which host would the death leave servers without place"},
           {"heartbeat watch | fence | failover", "a host dies: prove it is off, restart its servers"},
           {"failover --resume", "finish what a killed failover left open"},
           {"failover clear h3", "h3 is back: remove what is stale there, let it serve again"}}});
  failover::Options options;
  program.takes_inventory();
  program.takes_store();
  program.says_each_warning();
  program.takes_timeout(options.policy.timeout);
  program.takes_dry_run();
  program.takes_append();
  failover::declare(program.options(), options);
  failover::declare_commands(program, options);
  return program.run(argc, argv, [&] { return failover::restart(program, options); });
}
