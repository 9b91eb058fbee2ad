// SPDX-License-Identifier: Apache-2.0
// migrate: carries out vm_move decisions by live migration, and says of each what became of it.
#include <CLI/CLI.hpp>
#include <vector>

#include "base/units.h"
#include "cli/program.h"
#include "store/journal.h"
#include "store/store.h"
#include "virt/migration_engine.h"
#include "virt/migration_records.h"

namespace rackline {
namespace {

// The whole plan before the first act: half a plan of a dead producer is not a plan.
std::vector<virt::Move> read_plan(cli::Program& program) {
  const auto reader = program.stdin_reader(record::Policy::kRefuse);
  std::vector<virt::Move> moves;
  record::VmMove decision;
  while (reader->next()) {
    if (!reader->is<record::VmMove>()) {
      program.out().pass(*reader);
    } else if (reader->read(decision)) {
      moves.push_back(virt::move_of(decision));
    }
  }
  cli::Program::require_complete(*reader, "carry out the plan");
  return moves;
}

virt::MigrationEngine::Hooks hooks(cli::Program& program) {
  return {.finished =
              [&program](const virt::Move& move, const virt::MoveReport& report) {
                if (report.inconsistent) program.warn(move.vm + ": " + report.reason);
                program.out().write(virt::record_of(move, report));
              },
          .progress =
              [&program](const virt::Move& move, const virt::MoveProgress& progress) {
                program.progress(virt::record_of(move, progress));
              },
          .warn = [&program](const std::string& text) { program.warn(text); }};
}

Status status_of(const virt::MigrationEngine::Summary& summary) {
  if (summary.inconsistent) return Status::kRefused;
  if (summary.failed + summary.cancelled + summary.unknown > 0) return Status::kNo;
  return summary.refused > 0 ? Status::kRefused : Status::kDone;
}

Status migrate(cli::Program& program, const virt::MigrationPolicy& policy, bool resume) {
  program.leaves_threads_behind();
  const auto hosts = virt::migration_hosts(program.inventory());
  std::vector<virt::Move> moves;
  if (!resume) moves = read_plan(program);
  if (!resume && moves.empty()) return Status::kDone;

  const auto store = store::Store::open(program.store_url());
  const auto lock = policy.dry_run ? std::nullopt : store->try_lock("migrate");
  if (!policy.dry_run && !lock) {
    throw Error(Status::kBusy, "begin", program.store_url(), "another migrate is at work",
                "nothing was done");
  }
  store::Journal journal(*store, "migrate", program.clock());
  virt::MigrationEngine engine(policy, hosts, virt::libvirt_hypervisor, journal, program.clock(),
                               hooks(program));
  if (resume) moves = engine.open_moves();
  const auto summary = engine.run(moves);
  if (!policy.dry_run) journal.prune(std::chrono::days{30}, 10'000);

  auto& end = program.end();
  end.moves = static_cast<std::int64_t>(moves.size());
  end.done = summary.done;
  end.already = summary.already;
  end.refused = summary.refused;
  end.failed = summary.failed + summary.unknown;
  end.cancelled = summary.cancelled;
  return status_of(summary);
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
                    {"migrate -n <plan.jsonl", "check a plan and change nothing"},
                    {"migrate --resume", "settle what a killed migrate left open"}}});
  virt::MigrationPolicy policy;
  Milliseconds deadline{0};
  bool resume = false;
  program.takes_inventory();
  program.takes_store();
  program.takes_timeout(policy.answer_timeout);
  program.takes_dry_run();
  program.takes_progress();
  auto& app = program.app();
  const auto limit = [&](const char* flag, int& value, const char* text) {
    app.add_option(flag, value, text)->type_name("N")->check(CLI::Range(1, 1000))->capture_default_str();
  };
  limit("--max-outbound", policy.max_outbound, "moves at one time from one host");
  limit("--max-inbound", policy.max_inbound, "moves at one time to one host");
  limit("--max-total", policy.max_total, "moves at one time in all");
  program.duration(app, "--max-downtime", policy.max_downtime, "pause of a guest that is permitted at first");
  program.duration(app, "--max-downtime-limit", policy.max_downtime_limit,
                   "up to where that is raised when a migration does not converge");
  program.bytes(app, "--bandwidth", policy.bandwidth_bytes_per_second,
                "most that one move sends per second; 0: no limit");
  program.duration(app, "--deadline", deadline,
                   "give a move up after this; 0: 2m and 800s per GiB of its memory");
  app.add_flag("--allow-postcopy", policy.allow_postcopy,
               "switch to post-copy when nothing else helps: until it is over, the loss of either host loses "
               "the guest");
  app.add_flag("--resume", resume, "read no plan; settle the moves that were begun and have no result");
  return program.run(argc, argv, [&] {
    policy.dry_run = program.dry_run();
    policy.answer_timeout = program.timeout();
    if (deadline > Milliseconds{0}) policy.deadline = deadline;
    if (policy.max_downtime < Milliseconds{1} || policy.max_downtime_limit < policy.max_downtime) {
      throw Error(Status::kUsage, "read the command line", "--max-downtime",
                  "expected at least 1ms and at most --max-downtime-limit");
    }
    return migrate(program, policy, resume);
  });
}
