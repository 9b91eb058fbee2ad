// SPDX-License-Identifier: Apache-2.0
#include "plan/order.h"

#include <algorithm>
#include <map>

#include "plan/company.h"

namespace rackline::plan {
namespace {

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

constexpr std::size_t kMostTogether = 6;

// The stage that is being filled, on the state in which it starts.
class Stages {
 public:
  Stages(const Model& model, Caps caps, bool keep_spare)
      : model_(&model),
        caps_(caps),
        keep_spare_(keep_spare),
        state_(model, false),
        in_(index(model.bins()), 0),
        out_(index(model.bins()), 0),
        leaving_(index(model.bins() * model.resources()), 0) {
    if (keep_spare_) without_spare_ = state_.bins_without_spare();
  }

  const State& state() const { return state_; }

  // Whether the item could leave for `bin` now, beside what is under way. `in_company`: of those that it
  // cannot go without, none is asked for.
  bool may_go(int item, int bin, bool in_company = false) {
    const int from = state_.where(item);
    if (state_.in_flight(item)) return false;
    if (in_[index(bin)] >= caps_.in) return false;     // @rule 08-stage-inbound
    if (out_[index(from)] >= caps_.out) return false;  // @rule 08-stage-outbound
    const Obstacle why = in_company ? state_.obstacle_in_company(item, bin) : state_.obstacle(item, bin);
    return !why && fits_beside_leaving(item, bin);
  }

  bool go(int item, int bin, bool aside, bool in_company = false) {
    if (!may_go(item, bin, in_company)) return false;
    const int from = state_.where(item);
    state_.depart(item, bin);
    flying_.push_back(item);
    if (keep_spare_ && !spare_is_kept()) {
      flying_.pop_back();
      state_.recall(item);
      return false;
    }
    ++in_[index(bin)];
    ++out_[index(from)];
    for (int r = 0; r < model_->resources(); ++r) {
      leaving_[index(from * model_->resources() + r)] += model_->demand(item, r).peak;
    }
    moves_.push_back({item, from, bin, stage_, aside});
    return true;
  }

  // All of them, side by side as far as the caps allow, else one stage after the other; or none.
  bool go_together(const std::vector<int>& items, const std::vector<int>& target) {
    Stages trial = *this;
    for (const int item : items) {
      if (trial.go(item, target[index(item)], false, true)) continue;
      trial.close();
      if (!trial.go(item, target[index(item)], false, true)) return false;
    }
    *this = std::move(trial);
    return true;
  }

  bool idle() const { return flying_.empty(); }

  // All that is under way arrives.
  void close() {
    for (const int item : flying_) state_.arrive(item);
    flying_.clear();
    std::fill(in_.begin(), in_.end(), 0);
    std::fill(out_.begin(), out_.end(), 0);
    std::fill(leaving_.begin(), leaving_.end(), 0);
    ++stage_;
  }

  std::vector<Move> take_moves() { return std::move(moves_); }

 private:
  // What is not transient is free at the source as soon as an item has left it; but nobody knows in which
  // order the moves of a stage begin and end, so within the stage it counts as still taken.
  bool fits_beside_leaving(int item, int bin) const {
    for (int r = 0; r < model_->resources(); ++r) {
      const Resource& resource = model_->resource(r);
      const Amount peak = model_->demand(item, r).peak;
      if (!resource.hard || resource.transient || peak <= 0) continue;
      const Amount there = state_.used(bin, r) + leaving_[index(bin * model_->resources() + r)];
      if (there + peak > model_->capacity(bin, r)) return false;
    }
    return true;
  }

  // Whether enough bins could fail, whichever of the moves under way are done by then. For a bin that fails
  // the worst is that all moves to others are still under way, as they take room on both sides; those to it
  // either have arrived, and have to go elsewhere, or still take the room at their source. So all sets of
  // these are tried, few as they are by the caps.
  bool spare_is_kept() {
    if (state_.has_spare_whatever_arrives(flying_)) return true;
    int without = state_.bins_without_spare();
    if (without > without_spare_) return false;  // @rule 05-spare-on-the-way
    std::map<int, std::vector<int>> coming;
    for (const int item : flying_) coming[state_.target(item)].push_back(item);
    for (const auto& [bin, items] : coming) {
      if (state_.has_spare(bin) && loses_spare(bin, items)) ++without;
    }
    // One that lacks it until an item has come and one that lacks it afterwards were both counted.
    // @rule 05-spare-on-the-way: true
    return without <= without_spare_ || (flying_.size() <= kMostTogether && every_instant_has_spare());
  }

  bool loses_spare(int bin, const std::vector<int>& coming) {
    return any_arrived(coming, [&] { return !state_.has_spare(bin); });
  }

  bool every_instant_has_spare() {
    const std::vector<int> all = flying_;
    return !any_arrived(all, [&] { return state_.bins_without_spare() > without_spare_; });
  }

  // Whether `judge` holds with some of the items there already.
  template <typename Judge>
  bool any_arrived(const std::vector<int>& items, Judge judge) {
    const std::size_t most = std::min(items.size(), kMostTogether);
    for (unsigned set = 1; set < 1U << most; ++set) {
      struct Arrived {
        int item;
        int from;
        int to;
      };
      std::vector<Arrived> done;
      for (std::size_t i = 0; i < items.size(); ++i) {
        // More than can be tried one by one: the last ones together with the whole of the others.
        const bool in_set = i < most ? (set >> i & 1U) != 0 : set == (1U << most) - 1;
        if (in_set) done.push_back({items[i], state_.where(items[i]), state_.target(items[i])});
      }
      for (const Arrived& one : done) state_.arrive(one.item);
      const bool holds = judge();
      for (const Arrived& one : done) {
        state_.move(one.item, one.from);
        state_.depart(one.item, one.to);
      }
      if (holds) return true;
    }
    return false;
  }

  const Model* model_;
  Caps caps_;
  bool keep_spare_;
  State state_;
  std::vector<int> in_;
  std::vector<int> out_;
  std::vector<Amount> leaving_;  // [bin][resource]
  std::vector<int> flying_;
  std::vector<Move> moves_;
  int stage_ = 1;
  int without_spare_ = 0;
};

// Whether the bin would be loaded above its safety although one of the waiting is to leave it: better that
// one first.
bool overloads(const State& state, int item, int bin, const std::vector<int>& waiting) {
  const Model& model = state.model();
  bool above = false;
  for (int r = 0; r < model.resources(); ++r) {
    above = above || state.load(bin, r) + model.demand(item, r).usual > model.supply(bin, r).safety;
  }
  return above &&
         std::any_of(waiting.begin(), waiting.end(), [&](int other) { return state.where(other) == bin; });
}

// Sends one of the waiting items to a third bin, such that another one can take its place: the smallest that
// does.
bool send_aside(Stages& stages, const Model& model, const std::vector<int>& waiting,
                const std::vector<int>& target, std::vector<bool>& was_aside) {
  std::vector<int> items = waiting;
  const auto peak = [&](int item) {
    Amount sum = 0;
    for (int r = 0; r < model.resources(); ++r) {
      if (model.resource(r).transient) sum += model.demand(item, r).peak;
    }
    return sum;
  };
  std::stable_sort(items.begin(), items.end(), [&](int a, int b) { return peak(a) < peak(b); });
  for (const int item : items) {
    if (was_aside[index(item)]) continue;
    const int from = stages.state().where(item);
    State without = stages.state();
    without.move(item, kNowhere);
    const bool frees = std::any_of(waiting.begin(), waiting.end(), [&](int other) {
      return other != item && target[index(other)] == from && without.admits(other, from);
    });
    if (!frees) continue;
    for (int bin = 0; bin < model.bins(); ++bin) {
      if (bin == from || bin == target[index(item)]) continue;
      // A place that somebody waits for is no place to stand aside.
      const bool wanted =
          std::any_of(waiting.begin(), waiting.end(), [&](int other) { return target[index(other)] == bin; });
      if (wanted || !stages.go(item, bin, true)) continue;
      was_aside[index(item)] = true;
      return true;
    }
    for (int bin = 0; bin < model.bins(); ++bin) {
      if (bin == from || bin == target[index(item)] || !stages.go(item, bin, true)) continue;
      was_aside[index(item)] = true;
      return true;
    }
  }
  return false;
}

// Sends one of the waiting items and those that it goes with, as none of them can go alone.
bool send_together(Stages& stages, const Model& model, const std::vector<int>& waiting,
                   const std::vector<int>& target) {
  if (!model.has_company()) return false;
  return std::any_of(waiting.begin(), waiting.end(), [&](int item) {
    std::vector<int> company = company_of(stages.state(), item);
    std::erase_if(company, [&](int other) {
      return std::find(waiting.begin(), waiting.end(), other) == waiting.end();
    });
    return company.size() > 1 && stages.go_together(company, target);
  });
}

}  // namespace

Schedule order(const Model& model, const std::vector<int>& target, Caps caps, bool keep_spare,
               const std::vector<int>& first) {
  Stages stages(model, caps, keep_spare);
  std::vector<int> waiting;
  std::vector<bool> listed(index(model.items()), false);
  const auto list = [&](int item) {
    if (listed[index(item)]) return;
    listed[index(item)] = true;
    if (model.start(item) != kNowhere && target[index(item)] != model.start(item)) waiting.push_back(item);
  };
  for (const int item : first) list(item);
  for (int item = 0; item < model.items(); ++item) list(item);
  std::vector<bool> was_aside(index(model.items()), false);
  Schedule schedule;
  while (!waiting.empty()) {
    const std::vector<int> all = waiting;
    const auto leave = [&](bool also_into_overload) {
      std::erase_if(waiting, [&](int item) {
        if (!also_into_overload && overloads(stages.state(), item, target[index(item)], all)) return false;
        return stages.go(item, target[index(item)], false);
      });
    };
    leave(false);
    if (stages.idle()) leave(true);
    if (stages.idle()) send_together(stages, model, waiting, target);
    // Those that went are not waiting any more, whichever stage they went in.
    std::erase_if(waiting, [&](int item) {
      return stages.state().in_flight(item) || stages.state().where(item) == target[index(item)];
    });
    if (waiting.empty()) break;
    if (stages.idle() && !send_aside(stages, model, waiting, target, was_aside)) {
      for (const int item : waiting) {
        Obstacle why = stages.state().obstacle(item, target[index(item)]);
        if (!why) why = {Obstacle::Kind::kSpare, target[index(item)], 0};
        schedule.blocked.push_back({item, target[index(item)], why});
      }
      break;
    }
    stages.close();
  }
  schedule.moves = stages.take_moves();
  return schedule;
}

Schedule stage(const Model& model, const std::vector<Step>& steps, Caps caps, bool keep_spare) {
  Stages stages(model, caps, keep_spare);
  Schedule schedule;
  for (const Step& step : steps) {
    if (stages.go(step.item, step.to, false)) continue;
    stages.close();
    if (stages.go(step.item, step.to, false)) continue;
    Obstacle why = stages.state().obstacle(step.item, step.to);
    if (!why) why = {Obstacle::Kind::kSpare, step.to, 0};
    schedule.blocked.push_back({step.item, step.to, why});
  }
  schedule.moves = stages.take_moves();
  return schedule;
}

}  // namespace rackline::plan
