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

// What is expected of the loads of bins, by whatever is known of them.
class Loads {
 public:
  virtual ~Loads() = default;
  // Part of the time that the bin is expected to be above its safety, and how far it is above on average:
  // what a move tries to lower. The second part keeps a bin that is lost anyhow from being filled up with the
  // load of all others.
  virtual double trouble(int bin) const = 0;
  virtual double trouble_with(int bin, int item) const = 0;
  virtual double trouble_without(int bin, int item) const = 0;
  virtual double ease(int bin) const = 0;  // the more the calmer
  virtual bool idle(int item) const = 0;   // to move it relieves nobody
  // Whether the item may be added as far as the load is concerned.
  virtual bool bears(int bin, int item) const = 0;
  virtual void move(int item, int from, int to) = 0;
};

// By means and variances: loads of many items add up to roughly a normal distribution.
class ExpectedLoad : public Loads {
 public:
  ExpectedLoad(const plan::State& state, const Outlook& outlook);

  const Expected& load(int bin) const { return loads_[static_cast<std::size_t>(bin)]; }
  // Part of the time that the bin is expected to be above its safety.
  double above(int bin) const;
  double trouble(int bin) const override { return trouble_of(bin, load(bin)); }
  double trouble_with(int bin, int item) const override { return trouble_of(bin, with(bin, item)); }
  double trouble_without(int bin, int item) const override { return trouble_of(bin, without(bin, item)); }
  double ease(int bin) const override;  // standard deviations below the safety
  bool idle(int item) const override;
  bool bears(int bin, int item) const override;
  void move(int item, int from, int to) override;

 private:
  double trouble_of(int bin, const Expected& load) const;
  double deviation(const Expected& load) const;
  Expected with(int bin, int item) const;
  Expected without(int bin, int item) const;
  double safety(int bin) const;

  const plan::State* state_;
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
  // Of each item, by how much dearer it is than others; empty: all alike.
  std::vector<double> weights = {};

  double of_next() const {
    const double part = spent / allowance;
    return price * (1 + part * part * part);
  }
};

// Relieves the bins `hot` by moves that earn their price, the best one first: of any item there to where it
// does least harm. Steps are allowed as those of improve() (plan/search.h) are, and as the loads say. By an
// Outlook no bin gets above its safety, neither by the load of this moment nor by the mean of what is
// expected.
std::vector<plan::Step> relieve(plan::State& state, Loads& loads, const std::vector<int>& hot,
                                const MovePrice& price, const plan::SearchLimits& limits);
std::vector<plan::Step> relieve(plan::State& state, const Outlook& outlook, const std::vector<int>& hot,
                                const MovePrice& price, const plan::SearchLimits& limits);

}  // namespace rackline::decide
