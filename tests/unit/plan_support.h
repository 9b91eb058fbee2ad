// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "plan/model.h"
#include "plan/order.h"
#include "plan/state.h"

namespace rackline::plan::test {

inline std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

inline int below(std::mt19937_64& random, int limit) {
  return static_cast<int>(random() % static_cast<std::uint64_t>(limit));
}

inline std::vector<Resource> memory_and_cpu() {
  return {{.name = "memory", .transient = true, .spare = true, .balance_weight = 0.5},
          {.name = "cpu", .balance_weight = 0.5}};
}

inline std::vector<Supply> supply(Amount memory, Amount cpu, double overcommit = 4) {
  const auto of = [](Amount size, double ratio, double safe) {
    Supply s;
    s.size = size;
    s.overcommit = ratio;
    s.safety = static_cast<Amount>(static_cast<double>(size) * safe);
    s.overload_cost = 2.0 / static_cast<double>(size);
    return s;
  };
  return {of(memory, 1, 0.9), of(cpu, overcommit, 0.75)};
}

inline Item item(Amount memory, Amount cpu, int start, std::vector<int> groups = {}) {
  Item made;
  made.demands = {{memory, memory}, {2 * cpu, cpu}};
  made.start = start;
  made.groups = std::move(groups);
  return made;
}

// A cluster with some of everything: tight memory, groups, failure domains, pins, drained and frozen bins,
// and placements that break rules now and then.
inline Model random_model(std::uint64_t seed, double move_cost = 0.004) {
  std::mt19937_64 random(seed);
  Model model(memory_and_cpu());
  const int bins = 3 + below(random, 5);
  const int domains = 2 + below(random, bins - 1);
  for (int bin = 0; bin < bins; ++bin) {
    const int dice = below(random, 12);
    const BinState state = dice == 0   ? BinState::kClosed
                           : dice == 1 ? BinState::kFrozen
                           : dice == 2 ? BinState::kLeaving
                                       : BinState::kOpen;
    model.add_bin(supply(40 + 10 * below(random, 4), 8000), state, bin % domains);
  }
  for (int g = 0; g < 3; ++g) model.add_group({"anti-affinity", 1, 0});
  for (int g = 0; g < 2; ++g) model.add_group({"spread", 0, 1});
  std::vector<bool> half(at(bins));
  for (int bin = 0; bin < bins; ++bin) half[at(bin)] = below(random, 2) == 0;
  half[at(below(random, bins))] = true;
  const int pinned = model.add_class(half);
  std::vector<Amount> used(at(bins), 0);
  const int items = 8 + below(random, 30);
  for (int i = 0; i < items; ++i) {
    Item made = item(1 + below(random, 12), 100 + below(random, 1500), kNowhere);
    const Amount memory = made.demands[0].peak;
    for (int tries = 0; tries < 8 && made.start == kNowhere; ++tries) {
      const int bin = std::min(below(random, bins), below(random, bins));
      if (used[at(bin)] + memory <= model.capacity(bin, 0)) made.start = bin;
    }
    if (made.start == kNowhere) continue;
    used[at(made.start)] += memory;
    if (below(random, 4) == 0) made.groups.push_back(below(random, 5));
    if (below(random, 10) == 0) made.item_class = pinned;
    made.frozen = below(random, 10) == 0;
    made.move_cost = move_cost;
    model.add_item(made);
  }
  return model;
}

// Plays a schedule with its own arithmetic, sharing nothing with State, and asserts what has to hold at every
// instant: with all moves of a stage on their way, and with some of them done and the others on their way.
class Referee {
 public:
  Referee(const Model& model, Caps caps) : model_(model), caps_(caps) {
    for (int item = 0; item < model.items(); ++item) where_.push_back(model.start(item));
  }

  void play(const std::vector<Move>& moves) {
    std::mt19937_64 random(moves.size());
    int stage = 1;
    for (std::size_t begin = 0; begin < moves.size();) {
      std::size_t end = begin;
      while (end < moves.size() && moves[end].stage == moves[begin].stage) ++end;
      ASSERT_EQ(moves[begin].stage, stage++) << "stages count from 1 without gaps";
      const std::vector<Move> together(moves.begin() + static_cast<std::ptrdiff_t>(begin),
                                       moves.begin() + static_cast<std::ptrdiff_t>(end));
      check_stage(together);
      for (int sample = 0; sample < 6; ++sample) {
        std::vector<bool> done(together.size());
        for (std::size_t i = 0; i < done.size(); ++i) done[i] = sample > 0 && random() % 2 == 0;
        check_instant(together, done);
      }
      for (const Move& move : together) where_[at(move.item)] = move.to;
      begin = end;
    }
  }

  const std::vector<int>& where() const { return where_; }

 private:
  void check_stage(const std::vector<Move>& moves) const {
    std::vector<int> in(at(model_.bins()), 0);
    std::vector<int> out(at(model_.bins()), 0);
    std::set<int> items;
    for (const Move& move : moves) {
      EXPECT_TRUE(items.insert(move.item).second) << "an item moves once in a stage";
      EXPECT_EQ(where_[at(move.item)], move.from);
      EXPECT_NE(move.from, move.to);
      EXPECT_FALSE(model_.frozen(move.item));
      EXPECT_NE(model_.state(move.from), BinState::kFrozen);
      EXPECT_EQ(model_.state(move.to), BinState::kOpen);
      EXPECT_TRUE(model_.allows(model_.item_class(move.item), move.to));
      EXPECT_LE(++in[at(move.to)], caps_.in);
      EXPECT_LE(++out[at(move.from)], caps_.out);
    }
  }

  void check_instant(const std::vector<Move>& moves, const std::vector<bool>& done) const {
    for (std::size_t m = 0; m < moves.size(); ++m) {
      const int bin = moves[m].to;
      for (int r = 0; r < model_.resources(); ++r) {
        Amount sum = 0;
        for (int item = 0; item < model_.items(); ++item) {
          if (here(moves, done, item, bin, model_.resource(r).transient)) sum += model_.demand(item, r).peak;
        }
        EXPECT_LE(sum, model_.capacity(bin, r)) << model_.resource(r).name << " of bin " << bin;
      }
      for (int k = model_.group_begin(moves[m].item); k < model_.group_begin(moves[m].item + 1); ++k) {
        const int g = model_.group_list()[at(k)];
        int on_bin = 0;
        int in_domain = 0;
        for (int item = 0; item < model_.items(); ++item) {
          if (!member(item, g)) continue;
          on_bin += here(moves, done, item, bin, true) ? 1 : 0;
          bool near = false;
          for (int other = 0; other < model_.bins(); ++other) {
            near =
                near || (model_.domain(other) == model_.domain(bin) && here(moves, done, item, other, true));
          }
          in_domain += near ? 1 : 0;
        }
        if (model_.group(g).per_bin > 0) {
          EXPECT_LE(on_bin, model_.group(g).per_bin);
        }
        if (model_.group(g).per_domain > 0) {
          EXPECT_LE(in_domain, model_.group(g).per_domain);
        }
      }
    }
  }

  bool member(int item, int group) const {
    for (int k = model_.group_begin(item); k < model_.group_begin(item + 1); ++k) {
      if (model_.group_list()[at(k)] == group) return true;
    }
    return false;
  }

  // Whether the item takes room on the bin while the stage runs; one on its way is on both where `both`.
  bool here(const std::vector<Move>& moves, const std::vector<bool>& done, int item, int bin,
            bool both) const {
    for (std::size_t m = 0; m < moves.size(); ++m) {
      if (moves[m].item != item) continue;
      return bin == moves[m].to || (both && !done[m] && bin == moves[m].from);
    }
    return where_[at(item)] == bin;
  }

  const Model& model_;
  Caps caps_;
  std::vector<int> where_;
};

}  // namespace rackline::plan::test
