// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plan/state.h"

namespace rackline::decide {

// What the subject calls items and bins.
struct Nouns {
  const char* items;
  const char* bin;
  const char* bins;
};

// Why something is as it is, in words for the person who reads the plan. A subject says what its items, bins
// and amounts are called, and why some may not move or go somewhere.
class Sentences {
 public:
  Sentences(const plan::Model& model, const Nouns& nouns) : model_(model), nouns_(nouns) {}
  virtual ~Sentences() = default;
  Sentences(const Sentences&) = delete;
  Sentences& operator=(const Sentences&) = delete;

  // "db1, db2 on h1: anti-affinity group db"
  std::string violation(const plan::State& state, const plan::Violation& violation) const;
  // Why the violation cannot be mended by moving one item: where each of those that could be moved for it may
  // not go. Empty if one of them may.
  std::string stuck(const plan::State& state, const plan::Violation& violation) const;
  // What forbids the item each bin: "h1: 1.2GiB of memory missing; h2: drained". Empty if some bin admits it.
  // The bins of `out` (may be empty) are out of use.
  std::string no_place(const plan::State& state, int item, const std::vector<bool>& out = {}) const;
  // The constraint (see below) that stands in the way on most bins; that of load if some bin admits the item.
  std::string main_constraint(const plan::State& state, int item, const std::vector<bool>& out = {}) const;
  // One word for the kind of obstacle, as records have it: memory, anti_affinity, ...
  std::string constraint(int item, int bin, const plan::Obstacle& obstacle) const;
  // "120GiB of memory for virtual servers, and the hosts have 100GiB": what all need and the open bins do not
  // have together; empty when they do.
  std::string shortage(const plan::State& state) const;
  // One obstacle, without the bin.
  std::string obstacle(const plan::State& state, int item, int bin, const plan::Obstacle& obstacle) const;
  bool concerns(const plan::State& state, const plan::Violation& violation, int item) const;
  // "db1 stays on h1, as there is no way to h2: ...", of a move that has no stage.
  std::string blocked(const plan::State& done, int item, int to, const plan::Obstacle& why) const;

 protected:
  virtual const std::string& item_name(int item) const = 0;
  virtual const std::string& bin_name(int bin) const = 0;
  virtual std::string amount(int resource, plan::Amount value) const = 0;
  virtual const std::string& why_item_frozen(int item) const = 0;
  virtual const std::string& why_bin_frozen(int bin) const = 0;
  virtual const std::string& why_bin_closed(int bin) const = 0;  // empty: drained
  // The word and the words for a bin that the item's class forbids.
  virtual std::pair<std::string, std::string> forbidden(int item, int bin) const = 0;
  virtual std::string constraint_of_frozen(int /*item*/) const { return "held"; }
  virtual std::string constraint_of_capacity(int bin, int resource) const = 0;
  virtual std::string word_of_load() const = 0;  // the constraint that is no obstacle of the model
  virtual std::string word_of_room() const = 0;  // of what there is never enough
  // " (16GiB of memory is reserved for others)", or nothing.
  virtual std::string reserved(int /*bin*/, int /*resource*/) const { return {}; }

 private:
  bool in_group(int item, int group) const;
  // The members of the group on the bin, or in its failure domain.
  std::string members(const plan::State& state, int group, int bin, bool in_domain, int except) const;

  const plan::Model& model_;
  Nouns nouns_;
};

}  // namespace rackline::decide
