// SPDX-License-Identifier: Apache-2.0
// migrate: carries out vm_move decisions by live migration, and says of each what became of it.
#include "cli/program.h"
#include "failover/protection.h"
#include "migrate/session.h"

namespace rackline {
namespace {

// failover believes of a protected server that it is where it was last seen. That it is not remembered makes
// no move undone: failover looks by itself.
void remember_place(cli::Program& program, store::Store& store, const migrate::Move& move,
                    const migrate::MoveReport& report) try {
  const bool there = report.outcome == act::Outcome::kDone || report.outcome == act::Outcome::kAlready;
  if (!there || report.planned || report.inconsistent || !report.uuid) return;
  failover::remember_place(store, move.vm, *report.uuid, move.to, program.clock().wall());
} catch (const Error& error) {
  program.warn(move.vm + ": it was moved, and failover does not know that yet: " + error.what());
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "migrate",
       .nature = cli::Nature::kAct,
       .summary = "move virtual servers live between hosts, as decided by the vm_move records on stdin",
       .description = "Every precondition is checked right before the act. A repeated command finishes "
                      "what a killed one began.",
       .examples = {{"capwatch | capplan balance | migrate", "even out the load"},
                    {"capwatch | capplan evacuate h3 | migrate", "empty a host"},
                    {"migrate web2 h1", "move one virtual server, wherever it is, to h1"},
                    {"migrate web2 --away", "move it to where capplan would send it"},
                    {"migrate -n <plan.jsonl", "check a plan and change nothing"},
                    {"migrate --resume", "settle what a killed migrate left open"}}});
  migrate::MigrationPolicy policy;
  Milliseconds deadline{0};
  migrate::Task task;
  program.takes_inventory();
  program.takes_store();
  program.takes_timeout(policy.answer_timeout);
  program.takes_dry_run();
  program.takes_progress();
  auto& options = program.options();
  const auto limit = [&](const char* flag, int& value, const char* about) {
    options.number(flag, value, about, {.least = 1, .most = 1000}).shows_default();
  };
  limit("--max-outbound", policy.max_outbound, "moves at one time from one host");
  limit("--max-inbound", policy.max_inbound, "moves at one time to one host");
  limit("--max-total", policy.max_total, "moves at one time in all");
  options.duration("--max-downtime", policy.max_downtime, "pause of a guest that is permitted at first");
  options.duration("--max-downtime-limit", policy.max_downtime_limit,
                   "up to where that is raised when a migration does not converge");
  options.bytes("--bandwidth", policy.bandwidth_bytes_per_second,
                "most that one move sends per second; 0: no limit");
  options.duration("--deadline", deadline, "give a move up after this; 0: 2m and 800s per GiB of its memory");
  options.flag("--allow-postcopy", policy.allow_postcopy,
               "switch to post-copy when nothing else helps: until it is over, the loss of either host loses "
               "the guest");
  options.flag("--copy-disks", policy.copy_disks,
               "copy disks that the target does not see; the originals stay on the source");
  options.flag("--tls", policy.tls,
               "encrypt what is sent from host to host; libvirt has to have certificates");
  options.flag("--eject", policy.eject,
               "take media out of CD-ROM drives that the target does not see; they come back if it fails");
  options.operand("VM", task.vm, "move this virtual server, and read no plan").offers(cli::Values::kVms);
  options.operand("HOST", task.host, "to this host").offers(cli::Values::kHosts);
  options.flag("--away", task.away, "in place of HOST: to where capplan would send it from its host");
  options.text("--rules", task.rules, "placement rules that --away obeys", "FILE")
      .offers(cli::Values::kFiles);
  options.flag("--resume", task.resume, "read no plan; settle the moves that were begun and have no result");
  return program.run(argc, argv, [&] {
    policy.dry_run = program.dry_run();
    policy.answer_timeout = program.timeout();
    if (deadline > Milliseconds{0}) policy.deadline = deadline;
    if (policy.max_downtime < Milliseconds{1} || policy.max_downtime_limit < policy.max_downtime) {
      throw Error(Status::kUsage, "read the command line", "--max-downtime",
                  "expected at least 1ms and at most --max-downtime-limit");
    }
    const bool whereto = task.away || !task.host.empty();
    if (task.vm.empty() == whereto || (task.away && !task.host.empty()) || (task.resume && whereto))
      throw Error(Status::kUsage, "read the command line", "migrate",
                  "expected VM and HOST, VM and --away, or neither and a plan on stdin, or --resume");
    if (policy.copy_disks && policy.allow_postcopy)
      throw Error(Status::kUsage, "read the command line", "--copy-disks",
                  "it does not go with --allow-postcopy",
                  "a guest in post-copy cannot go back to the disks that it has left");
    if (!task.rules.empty() && !task.away)
      throw Error(Status::kUsage, "read the command line", "--rules", "it goes with --away",
                  "capplan --rules obeys them in a plan");
    return migrate::run(program, policy, task, [&](auto& store, const auto& move, const auto& report) {
      remember_place(program, store, move, report);
    });
  });
}
