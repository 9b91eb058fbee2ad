// SPDX-License-Identifier: Apache-2.0
#include "migrate/session.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "act/plans.h"
#include "base/interrupt.h"
#include "cli/program.h"
#include "cluster/state.h"
#include "migrate/away.h"
#include "migrate/by_hand.h"
#include "migrate/journal.h"
#include "migrate/records.h"
#include "store/store.h"

namespace rackline::migrate {
namespace {

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

  void carry_out_stdin() {
    const auto reader = program_.stdin_reader(record::Policy::kRefuse);
    const auto last = act::whole_plans<record::VmMove>(
        *reader, [this](const auto& plan) { carry_out(plan); },
        [this](record::Reader& other) { program_.out().pass(other); });
    if (interrupt::requested()) return;
    cli::Program::require_complete(*reader, "carry out the plan");
    carry_out(last);
  }

  void resume() { run(std::nullopt); }

  // A move that a killed run has begun is gone on with.
  void carry_out_by_hand(const Task& task) {
    store_ = store::Store::open(program_.store_url());
    for (const auto& item : MoveJournal(*store_, "migrate", program_.clock()).open()) {
      const Move begun = intent_of(item).move;
      if (begun.vm == task.vm && (task.away || begun.to == task.host)) return run(std::vector{begun});
    }
    Move move = move_by_hand(task.vm, task.host, hosts_, libvirt_hypervisor, policy_.answer_timeout);
    if (task.away)
      move.to = host_elsewhere(program_, inventory_, move, task.rules, policy_.eject || policy_.copy_disks);
    if (move.from != move.to) return run(std::vector{move});
    MoveReport there;
    there.outcome = act::Outcome::kAlready;
    there.uuid = move.uuid;
    tally_.add(there.outcome);
    ++moves_;
    ++batches_;
    program_.out().write(record_of(move, there));
  }

  Status finish() {
    if (batches_ == 0) return Status::kDone;
    auto& summary = program_.summary<record::MoveSummary>();
    summary.moves = moves_;
    if (const auto unknown = tally_[act::Outcome::kUnknown]; unknown > 0) summary.unknown = unknown;
    tally_.tell(program_.end(), policy_.dry_run);
    return inconsistent_ ? Status::kRefused : tally_.status();
  }

 private:
  void carry_out(const std::vector<record::VmMove>& decisions) {
    if (decisions.empty()) return;
    std::vector<Move> plan;
    for (const auto& decision : decisions) plan.push_back(move_of(decision));
    run(plan);
  }

  // Of no plan: what was begun and has no result. The lock is held for as long as something is done, so that
  // a pipe which stands and waits keeps nobody from moving a server by hand.
  void run(const std::optional<std::vector<Move>>& plan) {
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
    MoveJournal journal(*store_, "migrate", program_.clock());
    MigrationEngine engine(policy_, hosts_, libvirt_hypervisor, journal, program_.clock(), hooks());
    const auto moves = plan ? *plan : engine.open_moves();
    tally_ += engine.run(moves);
    moves_ += static_cast<std::int64_t>(moves.size());
    if (!policy_.dry_run) journal.prune();
  }

  MigrationEngine::Hooks hooks() {
    return {
        .finished =
            [this](const Move& move, const MoveReport& report) {
              inconsistent_ |= report.inconsistent;
              if (report.inconsistent) program_.warn(move.vm + ": " + report.reason);
              finished_(*store_, move, report);
              program_.out().write(record_of(move, report));
            },
        .progress = [this](const Move& move,
                           const MoveProgress& progress) { program_.progress(record_of(move, progress)); },
        .warn = [this](const std::string& text) { program_.warn(text); },
        .why_closed = [this](const std::string& host) { return why_closed(host); }};
  }

  std::string why_closed(const std::string& name) {
    const auto now = program_.clock().wall();
    for (const auto& host : inventory_) {
      if (host.host == name) return cluster::why_not(cluster::host_status(*store_, host, now));
    }
    return cluster::why_not(cluster::host_status(*store_, name, now));
  }

  cli::Program& program_;
  const MigrationPolicy& policy_;
  const Finished& finished_;
  const std::vector<record::Host> inventory_;
  std::map<std::string, MigrationHost> hosts_;
  std::unique_ptr<store::Store> store_;
  act::Tally tally_;
  bool inconsistent_ = false;
  std::int64_t moves_ = 0;
  int batches_ = 0;
};

}  // namespace

Status run(cli::Program& program, const MigrationPolicy& policy, const Task& task, const Finished& finished) {
  program.leaves_threads_behind();
  Session session(program, policy, finished);
  if (task.resume) {
    session.resume();
  } else if (!task.vm.empty()) {
    session.carry_out_by_hand(task);
  } else {
    session.carry_out_stdin();
  }
  return session.finish();
}

}  // namespace rackline::migrate
