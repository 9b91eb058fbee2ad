// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "record/kind.h"

namespace rackline::decide {

// The moves that a stream decided last, until they are seen done: there is no second plan on facts that the
// first is about to change.
class UnderWay {
 public:
  struct Move {
    std::string key;  // a name that stays with the item when it moves
    std::string name, target;
  };

  // Forgets those of `replaced`, of which this one is the next leg or a newer decision.
  void add(Move move, record::Time now, const std::function<bool(const Move&)>& replaced);
  void clear() { moves_.clear(); }

  // Why nothing is decided on the round of `now`, which follows that of `before`; empty: it may be. After
  // `cooldown` nothing is waited for.
  std::string waiting_for(record::Time before, record::Time now, std::chrono::milliseconds cooldown,
                          const std::function<bool(const Move&)>& arrived) const;

 private:
  std::vector<Move> moves_;
  record::Time since_{};
};

}  // namespace rackline::decide
