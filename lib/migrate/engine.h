// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "act/outcome.h"
#include "base/time.h"
#include "migrate/hypervisor.h"
#include "migrate/journal.h"
#include "migrate/move.h"

namespace rackline::migrate {

// Carries out a plan: moves in stages, several at a time, each by a Mover on a thread of its own.
class MigrationEngine {
 public:
  // Called only on the thread that calls run().
  struct Hooks {
    std::function<void(const Move&, const MoveReport&)> finished;  // once for every move
    std::function<void(const Move&, const MoveProgress&)> progress;
    std::function<void(const std::string&)> warn;
    // Why a host takes no VMs at this moment; empty: it does. Asked just before each move, on any thread.
    // What it throws refuses the move. May be empty: then nobody knows of such hosts.
    std::function<std::string(const std::string& host)> why_closed{};
  };

  // `journal` must outlive the engine; threads that hang in a host's calls may outlive both and use neither.
  MigrationEngine(MigrationPolicy policy, std::map<std::string, MigrationHost> hosts, HypervisorFactory open,
                  MoveJournal& journal, const Clock& clock, Hooks hooks);

  // Returns when every move is settled, or when a stop was asked for (interrupt.h) and what was begun is
  // rolled back. Throws Error(kUsage) for a plan in which two moves have one id.
  act::Tally run(const std::vector<Move>& moves);

  // The moves that were begun and have no result: what `migrate --resume` is about.
  std::vector<Move> open_moves();

 private:
  std::map<std::size_t, std::string> objections(const std::vector<Move>& moves);

  MigrationPolicy policy_;
  std::map<std::string, MigrationHost> hosts_;
  HypervisorFactory open_;
  MoveJournal& journal_;
  const Clock& clock_;
  Hooks hooks_;
};

}  // namespace rackline::migrate
