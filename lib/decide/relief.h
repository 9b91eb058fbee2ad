// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "decide/forecast.h"
#include "plan/search.h"

namespace rackline::decide {

// What is expected of each item, and of each bin beside its items, in one resource.
struct Outlook {
  int resource = 0;
  std::vector<Expected> items;
  std::vector<Expected> bins;
};

// The load that a bin is expected to have, and what that means: loads of many servers add up to roughly a
// normal distribution.
class ExpectedLoad {
 public:
  ExpectedLoad(const plan::State& state, const Outlook& outlook);

  const Expected& load(int bin) const { return loads_[static_cast<std::size_t>(bin)]; }
  // Part of the time that the bin is expected to be above its safety.
  double above(int bin) const;
  // That, and how far it is above on average: what a move tries to lower. The second part keeps a bin that is
  // lost anyhow from being filled up with the load of all others.
  double trouble(int bin) const { return trouble(bin, load(bin)); }
  double trouble(int bin, const Expected& load) const;
  void move(int item, int from, int to);

  double deviation(const Expected& load) const;
  Expected with(int bin, int item) const;
  Expected without(int bin, int item) const;
  double safety(int bin) const;

 private:
  const plan::Model* model_;
  const Outlook* outlook_;
  std::vector<Expected> loads_;
};

// What a move has to earn: it has to keep bins from being above their safety for at least `price` seconds out
// of the `horizon` seconds for which the outlook is taken to hold. Each move makes the next one dearer: twice
// as dear by the time that `allowance` moves were made, nine times by double that. So where all bins are
// short of room, and every move helps a little, there is no endless traffic; and where one does without
// moves, a small gain is worth one.
struct MovePrice {
  double horizon = 6 * 3600;
  double price = 30;
  double allowance = 8;
  double spent = 0;  // moves made lately

  double of_next() const {
    const double part = spent / allowance;
    return price * (1 + part * part * part);
  }
};

// Relieves the bins `hot` by moves that earn their price, the best one first: of any item there to where it
// does least harm. Steps are allowed as those of improve() (plan/search.h) are, and no bin gets above its
// safety, neither by the load of this moment nor by the mean of what is expected.
std::vector<plan::Step> relieve(plan::State& state, const Outlook& outlook, const std::vector<int>& hot,
                                MovePrice price, const plan::SearchLimits& limits);

}  // namespace rackline::decide
