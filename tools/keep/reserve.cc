// SPDX-License-Identifier: Apache-2.0
// reserve: the reservation ledger: who holds how much of what, when, and who has lent it to whom.
#include "cli/program.h"
#include "reserve/command.h"
#include "reserve/options.h"
#include "reserve/session.h"

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "reserve",
       .nature = cli::Nature::kKeep,
       .summary = "the reservation ledger: who holds how much of what, and when",
       .description = "Keeps pools, claims and loans in a ledger, in which nothing is granted twice.",
       .examples = {
           {"reserve pool add rack1 --capacity cpu=64,memory=512GiB", "what there is"},
           {"reserve pool add web --parent rack1 --capacity cpu=16,memory=64GiB", "a guaranteed part of it"},
           {"reserve pool add db --parent rack1 --capacity cpu=16,memory=64GiB", "another one"},
           {"reserve claim rack1 --owner acme --amount cpu=4,memory=16GiB",
            "exit 0: granted; 1: refused, why"},
           {"reserve claim rack1 --owner ci --amount cpu=8 --every \"weekdays 8-18\" --for 90d", "recurring"},
           {"reserve borrow db --lender web --amount cpu=8 --for 2h", "what web has and does not use"},
           {"reserve whatif reclaim web", "whom it would hit"},
           {"reserve list --calendar", "who holds what when"}}});
  reserve::Command command;
  const auto act = [&](reserve::Verb verb, bool whatif) {
    return reserve::carry_out(program, command, verb, whatif);
  };
  reserve::declare(program, command, act);
  return program.run(argc, argv);
}
