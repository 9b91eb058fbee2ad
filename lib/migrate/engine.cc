// SPDX-License-Identifier: Apache-2.0
#include "migrate/engine.h"

#include <set>
#include <utility>

#include "act/run.h"
#include "base/error.h"
#include "migrate/journal.h"
#include "migrate/mover.h"
#include "migrate/schedule.h"

namespace rackline::migrate {
namespace {

using MigrationRun = act::Run<MoveReport, MoveProgress>;

using Hypervisors = std::map<std::string, std::shared_ptr<Hypervisor>>;

}  // namespace

MigrationEngine::MigrationEngine(MigrationPolicy policy, std::map<std::string, MigrationHost> hosts,
                                 HypervisorFactory open, MoveJournal& journal, const Clock& clock,
                                 Hooks hooks)
    : policy_(policy),
      hosts_(std::move(hosts)),
      open_(std::move(open)),
      journal_(journal),
      clock_(clock),
      hooks_(std::move(hooks)) {}

std::vector<Move> MigrationEngine::open_moves() {
  std::vector<Move> moves;
  for (const auto& item : journal_.open()) {
    moves.push_back(intent_of(item).move);
    moves.back().stage = 1;
  }
  return moves;
}

// Moves that are wrong whatever the world says, with the reason.
std::map<std::size_t, std::string> MigrationEngine::objections(const std::vector<Move>& moves) {
  std::map<std::size_t, std::string> wrong;
  std::set<std::string> ids;
  std::set<std::pair<std::int64_t, std::string>> vms;
  std::map<std::string, std::string> unresolved;  // VM to the id of its open intent
  for (const auto& item : journal_.open()) unresolved[intent_of(item).move.vm] = item.id;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    const Move& move = moves[i];
    if (!ids.insert(move.id).second) {
      throw Error(Status::kUsage, "read the plan", "id " + move.id, "two decisions have it");
    }
    const auto open = unresolved.find(move.vm);
    if (hosts_.count(move.from) == 0) {
      wrong[i] = "host " + move.from + " is not in the inventory";
    } else if (hosts_.count(move.to) == 0) {
      wrong[i] = "host " + move.to + " is not in the inventory";
    } else if (move.from == move.to) {
      wrong[i] = "its source is its target";
    } else if (!vms.emplace(move.stage, move.vm).second) {
      wrong[i] = "another move of the same stage has the same virtual server";
    } else if (open != unresolved.end() && open->second != move.id) {  // @rule 12-unsettled-move
      wrong[i] = "an earlier move of it (" + open->second + ") has no result; run migrate --resume first";
    }
  }
  return wrong;
}

act::Tally MigrationEngine::run(const std::vector<Move>& moves) {
  const auto wrong = objections(moves);
  auto shared =
      std::make_shared<MoveShared>(policy_, clock_, policy_.dry_run ? nullptr : &journal_, hooks_.why_closed);
  auto open = std::make_shared<Hypervisors>();
  for (std::size_t i = 0; i < moves.size(); ++i) {
    if (wrong.count(i) != 0) continue;
    for (const auto& name : {moves[i].from, moves[i].to}) {
      if (open->count(name) != 0) continue;
      const auto host = open_(hosts_.at(name));
      open->emplace(name, host);
      // All hosts at once and ahead of the moves; what fails here fails again where it is needed and is told
      // there.
      const wait::Pending<void> ahead(shared->wakeup, [host] { host->connect(); });
    }
  }
  act::Tally tally;
  {
    MigrationRun run(
        migration_schedule(moves, hosts_, policy_),
        {.work =
             [&](std::size_t i, const MigrationRun::Voice& voice) {
               const Move& move = moves[i];
               const auto mover = std::make_shared<Mover>(shared, move, hosts_.at(move.from),
                                                          hosts_.at(move.to), open->at(move.from),
                                                          open->at(move.to), voice.progress, voice.warn);
               return [mover] { return mover->run(); };
             },
         .not_begun =
             [&](act::Outcome outcome, const std::string& reason) {
               MoveReport report;
               report.outcome = outcome;
               report.reason = reason;
               report.planned = policy_.dry_run;
               return report;
             },
         .finished = [&](std::size_t i, const MoveReport& report) { hooks_.finished(moves[i], report); },
         .progress = [&](std::size_t i,
                         const MoveProgress& progress) { hooks_.progress(moves[i], progress); },
         .warn = hooks_.warn,
         .cancel =
             [&] {
               shared->cancelled = true;
               shared->wakeup->notify();
             }});
    for (const auto& [move, reason] : wrong) run.refuse(move, reason);
    run.go();
    tally = run.tally();
  }
  // Closing a connection waits for the host; one that hangs is left behind.
  const wait::Pending<void> closing(shared->wakeup,
                                    [closed = std::exchange(open, nullptr)]() mutable { closed.reset(); });
  shared->wakeup->wait_for(Milliseconds{1000}, [&] { return closing.ready(); });
  return tally;
}

}  // namespace rackline::migrate
