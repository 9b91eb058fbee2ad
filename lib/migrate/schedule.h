// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "migrate/move.h"

namespace rackline::migrate {

// Says which moves of a plan may begin now: those of the lowest stage that is not over, in the plan's order,
// as many as the limits per source, per target and in all allow. A full host does not hold up moves between
// other hosts.
//
// When a move is not carried out, a later one may rest on it. It does, and is refused, when
//   - it moves the same VM;
//   - its target is the host that the failed one should have left: room or anti-affinity there may depend on
//   it;
//   - its target is in the failure domain that the failed one should have left, for the same reason.
// Refused moves are treated as failed in turn. All others go on: each is checked again before it begins.
class MigrationSchedule {
 public:
  MigrationSchedule(std::vector<Move> moves, const std::map<std::string, MigrationHost>& hosts,
                    const MigrationPolicy& policy);

  // Indices of moves to begin now; they count as begun.
  std::vector<std::size_t> begin();

  // The move is over. A move whose outcome is unknown was not carried out as far as later ones are concerned.
  void finish(std::size_t move, bool carried_out);

  // Moves which will never begin because of one that failed, with the reason. Each is handed out once.
  struct Refused {
    std::size_t move;
    std::string reason;
  };
  std::vector<Refused> refused();

  // Indices of moves that have not begun; they never will.
  std::vector<std::size_t> give_up();

  bool over() const { return settled_ == moves_.size(); }
  const Move& move(std::size_t index) const { return moves_[index]; }

 private:
  enum class State { kWaiting, kRunning, kSettled };

  std::optional<std::string> depends_on(const Move& later, const Move& failed) const;
  void fail_dependants(std::size_t failed);
  void settle(std::size_t move);

  std::vector<Move> moves_;
  std::map<std::string, std::string> domain_of_;
  MigrationPolicy policy_;
  std::vector<State> states_;
  std::vector<Refused> refused_;
  std::map<std::string, int> outbound_, inbound_;
  int running_ = 0;
  std::size_t settled_ = 0;
};

}  // namespace rackline::migrate
