// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "plan/search.h"
#include "plan/state.h"

namespace rackline::plan {

// Looks for places step by step, and takes steps back. Each step is allowed by State::obstacle when it is
// taken, and with `keep_spare` leaves no more bins without spare than there were at first, also while the
// item is on its way: so the steps can be carried out in their order.
class Room {
 public:
  struct Limits {
    bool keep_spare = true;
    // How much of its size a bin's load may be, at most; 0: its safety. Both of the resources that have one.
    double most_load = 0;
    bool fill = false;  // prefers the fullest bin that will do rather than the emptiest
    bool aside = true;  // moves others away where there is no place
  };

  Room(State& state, const Limits& limits);

  // Bins of which nothing is asked and that nothing goes to.
  void take_out(int bin, bool is_out) { out_[static_cast<std::size_t>(bin)] = is_out; }
  bool is_out(int bin) const { return out_[static_cast<std::size_t>(bin)]; }
  const std::vector<bool>& out() const { return out_; }

  const std::vector<Step>& steps() const { return steps_; }
  std::size_t mark() const { return steps_.size(); }
  void back_to(std::size_t mark);

  // Finds the item a bin: where there is none, by moving up to `kMostAside` others away from one first. False
  // (and nothing changed) if no way is found; in large models not all ways are tried.
  bool settle(int item, Step::Why why);
  // The same for all items of a bin, the largest first; all or nothing. `stuck` is the one that has no place.
  bool empty(int bin, int& stuck);

  // Whether the item may go to the bin: State::obstacle and the limits of load.
  Obstacle obstacle(int item, int bin) const;
  bool overloads(int item, int bin) const;

  static constexpr int kMostAside = 4;

 private:
  bool go(int item, int bin, Step::Why why, int because);
  bool go_in_company(int item);
  bool free_up(int bin, int item);
  std::vector<int> in_the_way(int bin, int item, const Obstacle& obstacle) const;
  // To the best of the bins that it may go to, or if that fails to the next one, `most` in all.
  bool go_somewhere(int item, int except, std::size_t most, Step::Why why, int because);
  double fullness(int item, int bin) const;

  State& state_;
  const Model& model_;
  Limits limits_;
  std::vector<bool> out_;
  std::vector<Step> steps_;
  int allowed_without_spare_ = 0;
};

}  // namespace rackline::plan
