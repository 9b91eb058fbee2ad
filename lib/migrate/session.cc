// SPDX-License-Identifier: Apache-2.0
#include "migrate/session.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/interrupt.h"
#include "cli/program.h"
#include "cluster/state.h"
#include "migrate/records.h"
#include "store/journal.h"
#include "store/store.h"

namespace rackline::migrate {
namespace {

MigrationEngine::Hooks hooks(cli::Program& program, store::Store& store,
                             const std::vector<record::Host>& inventory, const Finished& finished) {
  return {
      .finished =
          [&program, &store, &finished](const Move& move, const MoveReport& report) {
            if (report.inconsistent) program.warn(move.vm + ": " + report.reason);
            finished(store, move, report);
            program.out().write(record_of(move, report));
          },
      .progress = [&program](const Move& move,
                             const MoveProgress& progress) { program.progress(record_of(move, progress)); },
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
  Session(cli::Program& program, const MigrationPolicy& policy, const Finished& finished)
      : program_(program),
        policy_(policy),
        finished_(finished),
        inventory_(program.inventory()),
        hosts_(migration_hosts(inventory_)) {}

  // A plan is whole with its round_end, which capplan writes behind the moves of each round, or with the end
  // of the stream: half a plan of a dead producer is not a plan. So of a stream that goes on each plan is
  // carried out as it comes.
  void carry_out_stdin() {
    const auto reader = program_.stdin_reader(record::Policy::kRefuse);
    std::vector<Move> plan;
    record::VmMove decision;
    while (!interrupt::requested() && reader->next()) {
      if (reader->is<record::VmMove>()) {
        if (reader->read(decision)) plan.push_back(move_of(decision));
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
  void carry_out(const std::vector<Move>& plan) {
    if (!plan.empty()) run(&plan);
  }

  // Of no plan: what was begun and has no result. The lock is held for as long as something is done, so that
  // a pipe which stands and waits keeps nobody from moving a server by hand.
  void run(const std::vector<Move>* plan) {
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
    MigrationEngine engine(policy_, hosts_, libvirt_hypervisor, journal, program_.clock(),
                           hooks(program_, *store_, inventory_, finished_));
    const auto moves = plan != nullptr ? *plan : engine.open_moves();
    total_ += engine.run(moves);
    moves_ += static_cast<std::int64_t>(moves.size());
    if (!policy_.dry_run) journal.prune(std::chrono::days{30}, 10'000);
  }

  cli::Program& program_;
  const MigrationPolicy& policy_;
  const Finished& finished_;
  const std::vector<record::Host> inventory_;
  std::map<std::string, MigrationHost> hosts_;
  std::unique_ptr<store::Store> store_;
  MigrationEngine::Summary total_;
  std::int64_t moves_ = 0;
  int batches_ = 0;
};

}  // namespace

Status run(cli::Program& program, const MigrationPolicy& policy, bool resume, const Finished& finished) {
  program.leaves_threads_behind();
  Session session(program, policy, finished);
  if (resume) {
    session.resume();
  } else {
    session.carry_out_stdin();
  }
  return session.finish();
}

}  // namespace rackline::migrate
