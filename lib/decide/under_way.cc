// SPDX-License-Identifier: Apache-2.0
#include "decide/under_way.h"

#include <utility>

#include "base/time.h"

namespace rackline::decide {

void UnderWay::add(Move move, record::Time now, const std::function<bool(const Move&)>& replaced) {
  std::erase_if(moves_, replaced);
  moves_.push_back(std::move(move));
  since_ = now;
}

std::string UnderWay::waiting_for(record::Time before, record::Time now, std::chrono::milliseconds cooldown,
                                  const std::function<bool(const Move&)>& arrived) const {
  if (before > now) {
    // How long anything has lasted is not known then. The next round is compared with this one, so a clock
    // that was put right costs one round.
    return "the clock of the samples ran backwards, from " + format_time(before) + " to " + format_time(now) +
           ": nothing is decided on this round";
  }
  if (moves_.empty() || now - since_ >= cooldown) return {};
  for (const Move& move : moves_) {
    if (!arrived(move))
      return move.name + " is not seen on " + move.target + " yet, where it was sent " + format_time(since_);
  }
  return {};
}

}  // namespace rackline::decide
