// SPDX-License-Identifier: Apache-2.0
// migrate: carries out vm_move decisions by live migration, and says of each what became of it.
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/interrupt.h"
#include "base/units.h"
#include "cli/program.h"
#include "cluster/state.h"
#include "ha/protection.h"
#include "store/journal.h"
#include "store/store.h"
#include "virt/migration_engine.h"
#include "virt/migration_records.h"

namespace rackline {
namespace {

// failover believes of a protected server that it is where it was last seen. That it is not remembered makes
// no move undone: failover looks by itself.
void remember_place(cli::Program& program, store::Store& store, const virt::Move& move,
                    const virt::MoveReport& report) try {
  const bool there =
      report.outcome == virt::MoveOutcome::kDone || report.outcome == virt::MoveOutcome::kAlready;
  if (!there || report.planned || report.inconsistent || !move.uuid) return;
  ha::remember_place(store, move.vm, *move.uuid, move.to, program.clock().wall());
} catch (const Error& error) {
  program.warn(move.vm + ": it was moved, and failover does not know that yet: " + error.what());
}

virt::MigrationEngine::Hooks hooks(cli::Program& program, store::Store& store,
                                   const std::vector<record::Host>& inventory) {
  return {.finished =
              [&program, &store](const virt::Move& move, const virt::MoveReport& report) {
                if (report.inconsistent) program.warn(move.vm + ": " + report.reason);
                remember_place(program, store, move, report);
                program.out().write(virt::record_of(move, report));
              },
          .progress =
              [&program](const virt::Move& move, const virt::MoveProgress& progress) {
                program.progress(virt::record_of(move, progress));
              },
          .warn = [&program](const std::string& text) { program.warn(text); },
          .why_closed =
              [&program, &store, &inventory](const std::string& name) {
                const auto now = program.clock().wall();
                for (const auto& host : inventory) {
                  if (host.host == name) return cluster::why_not(cluster::host_status(store, host, now));
                }
                return cluster::why_not(cluster::host_status(store, name, now));
              }};
}

// How long a plan waits while another migrate is at work, which may be the same plan begun by hand.
constexpr std::chrono::minutes kPatience{1};

class Session {
 public:
  Session(cli::Program& program, const virt::MigrationPolicy& policy)
      : program_(program),
        policy_(policy),
        inventory_(program.inventory()),
        hosts_(virt::migration_hosts(inventory_)) {}

  // A plan is whole with its round_end, which capplan writes behind the moves of each round, or with the end
  // of the stream: half a plan of a dead producer is not a plan. So of a stream that goes on each plan is
  // carried out as it comes.
  void carry_out_stdin() {
    const auto reader = program_.stdin_reader(record::Policy::kRefuse);
    std::vector<virt::Move> plan;
    record::VmMove decision;
    while (!interrupt::requested() && reader->next()) {
      if (reader->is<record::VmMove>()) {
        if (reader->read(decision)) plan.push_back(virt::move_of(decision));
        continue;
      }
      if (reader->is<record::RoundEnd>()) carry_out(std::exchange(plan, {}));
      program_.out().pass(*reader);
    }
    if (interrupt::requested()) return;
    cli::Program::require_complete(*reader, "carry out the plan");
    carry_out(plan);
  }

  void resume() { run(nullptr); }

  Status finish() {
    if (batches_ == 0) return Status::kDone;
    auto& end = program_.end();
    end.moves = moves_;
    (policy_.dry_run ? end.planned : end.done) = total_.done;
    end.already = total_.already;
    end.refused = total_.refused;
    end.failed = total_.failed + total_.unknown;
    end.cancelled = total_.cancelled;
    if (total_.inconsistent) return Status::kRefused;
    if (total_.failed + total_.cancelled + total_.unknown > 0) return Status::kNo;
    return total_.refused > 0 ? Status::kRefused : Status::kDone;
  }

 private:
  void carry_out(const std::vector<virt::Move>& plan) {
    if (!plan.empty()) run(&plan);
  }

  // Of no plan: what was begun and has no result. The lock is held for as long as something is done, so that
  // a pipe which stands and waits keeps nobody from moving a server by hand.
  void run(const std::vector<virt::Move>* plan) {
    if (!store_) store_ = store::Store::open(program_.store_url());
    std::optional<store::Lock> lock;
    if (!policy_.dry_run) {
      const auto& clock = program_.clock();
      const auto until = clock.monotonic() + (batches_ == 0 ? Milliseconds{0} : Milliseconds{kPatience});
      lock = store_->lock("migrate", clock, until);
      if (!lock) {
        throw Error(Status::kBusy, "begin", program_.store_url(), "another migrate is at work",
                    batches_ == 0 ? "nothing was done" : "");
      }
    }
    ++batches_;
    store::Journal journal(*store_, "migrate", program_.clock());
    virt::MigrationEngine engine(policy_, hosts_, virt::libvirt_hypervisor, journal, program_.clock(),
                                 hooks(program_, *store_, inventory_));
    const auto moves = plan != nullptr ? *plan : engine.open_moves();
    total_ += engine.run(moves);
    moves_ += static_cast<std::int64_t>(moves.size());
    if (!policy_.dry_run) journal.prune(std::chrono::days{30}, 10'000);
  }

  cli::Program& program_;
  const virt::MigrationPolicy& policy_;
  const std::vector<record::Host> inventory_;
  std::map<std::string, virt::MigrationHost> hosts_;
  std::unique_ptr<store::Store> store_;
  virt::MigrationEngine::Summary total_;
  std::int64_t moves_ = 0;
  int batches_ = 0;
};

Status migrate(cli::Program& program, const virt::MigrationPolicy& policy, bool resume) {
  program.leaves_threads_behind();
  Session session(program, policy);
  if (resume) {
    session.resume();
  } else {
    session.carry_out_stdin();
  }
  return session.finish();
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
  options.flag("--resume", resume, "read no plan; settle the moves that were begun and have no result");
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
