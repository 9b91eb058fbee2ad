// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rackline::plan {

// What has to be where: items (VMs, LUNs) in bins (hosts, arrays), each with several resources.
//
// Bins, items, groups and classes are numbers from 0, and everything about them lies in flat arrays: the
// search looks at millions of placements, and a thousand bins with fifty thousand items have to fit the
// caches. Objects that point to one another were discarded for that. Amounts are integers (bytes, thousandths
// of a CPU), so that what is added and taken away a million times comes out exact. The terms follow the
// machine reassignment problem of ROADEF/EURO 2012 (https://www.roadef.org/challenge/2012/en/), which is one
// of the problems that this is the model of.

using Amount = std::int64_t;

inline constexpr int kNowhere = -1;
inline constexpr int kMostResources = 32;

struct Resource {
  std::string name;
  bool hard = true;        // the capacity may not be exceeded
  bool transient = false;  // an item on its way needs it on both bins; otherwise it takes it along at once
  bool spare =
      false;  // counts when asking whether the items of a failed bin fit on the others; for at most one
  double balance_weight = 0;  // of its imbalance in the score
  double mean_floor = 0.25;  // mean load below which imbalance is divided by this: idle noise is no imbalance
};

enum class BinState : std::uint8_t {
  kOpen,
  kClosed,   // nothing may come in (drained); what is there may stay or leave
  kLeaving,  // nothing may come in and everything has to leave (evacuated)
  kFrozen,   // nothing comes or goes: its figures are missing or stale
};

// What a bin has of one resource.
struct Supply {
  Amount size = 0;           // all of it; loads are shares of this
  double overcommit = 1;     // promised peaks may add up to size * overcommit - reserve
  Amount reserve = 0;        // kept for the bin itself
  Amount base = 0;           // usual load that is there whatever items are; may be negative (measuring error)
  Amount safety = 0;         // usual load above this costs
  double overload_cost = 0;  // ... so much per unit
};

// What an item needs of one resource.
struct Demand {
  Amount peak = 0;   // counts against capacities
  Amount usual = 0;  // counts for loads
};

// Items that have something to do with one another. 0 means: no limit.
struct Group {
  std::string name;
  int per_bin = 0;        // anti-affinity: 1
  int per_domain = 0;     // spread over failure domains: 1
  int min_domains = 0;    // they are in at least so many failure domains
  bool together = false;  // affinity: all of them are on one bin
};

// What is free of one resource is worth little without the other: each bin costs
// weight * max(0, ratio * free of `lead` - free of `other`), free being its size less its load.
struct Balance {
  int lead = 0;
  int other = 0;
  double ratio = 1;
  double weight = 0;
};

struct Item {
  std::vector<Demand> demands;  // one for each resource
  int start = kNowhere;
  int item_class = 0;  // from add_class
  std::vector<int> groups;
  bool frozen = false;   // stays where it is
  double move_cost = 0;  // added to the search's objective when it ends elsewhere than at start
};

// Filled in the order resources, bins, groups and classes, items; then only read.
class Model {
 public:
  // At most kMostResources.
  explicit Model(std::vector<Resource> resources);

  // `supplies` has one entry for each resource. Bins of one failure domain (numbers from 0) fail together;
  // those of one neighbourhood are near enough to one another for what depends on the other.
  int add_bin(const std::vector<Supply>& supplies, BinState state, int domain, int neighbourhood = 0);
  int add_group(Group group);
  // Whether some items have a reason to go together: by a dependency, or as a group that stays together.
  bool has_company() const { return has_dependencies_ || has_together_; }
  // Wherever an item of `group` is, one of `on` has to be in the same neighbourhood. Circles are allowed.
  void add_dependency(int group, int on);
  void add_balance(const Balance& balance) { balances_.push_back(balance); }
  // Costs of moves beside Item::move_cost: weight * distances[from * bins + to] for an item that ends
  // elsewhere than at its start; weight * the most items of one group that do so.
  void set_distances(std::vector<std::int32_t> distances, double weight);
  void set_group_move_cost(double weight) { group_move_cost_ = weight; }
  // A set of bins where items may be: pins, exclusions and compatibility in one. `allowed` has an entry for
  // each bin. Class 0, all bins, is always there.
  int add_class(const std::vector<bool>& allowed);
  int add_item(const Item& item);

  int resources() const { return static_cast<int>(resources_.size()); }
  int bins() const { return static_cast<int>(states_.size()); }
  int items() const { return static_cast<int>(starts_.size()); }
  int groups() const { return static_cast<int>(groups_.size()); }
  int domains() const { return domain_count_; }
  int neighbourhoods() const { return neighbourhood_count_; }

  const Resource& resource(int r) const { return resources_[index(r)]; }
  const Group& group(int g) const { return groups_[index(g)]; }

  BinState state(int bin) const { return states_[index(bin)]; }
  int domain(int bin) const { return domains_[index(bin)]; }
  int neighbourhood(int bin) const { return neighbourhoods_[index(bin)]; }
  Amount capacity(int bin, int r) const { return capacities_[at(bin, r)]; }
  const Supply& supply(int bin, int r) const { return supplies_[at(bin, r)]; }

  const Demand& demand(int item, int r) const { return demands_[at(item, r)]; }
  int start(int item) const { return starts_[index(item)]; }
  int item_class(int item) const { return item_classes_[index(item)]; }
  bool frozen(int item) const { return frozen_[index(item)] != 0; }
  double move_cost(int item) const { return move_costs_[index(item)]; }
  // The groups of an item are group_list()[group_begin(item)] up to, not including, group_begin(item + 1).
  int group_begin(int item) const { return group_begins_[index(item)]; }
  const std::vector<int>& group_list() const { return group_list_; }

  bool has_dependencies() const { return has_dependencies_; }
  const std::vector<int>& dependencies(int group) const { return dependencies_[index(group)]; }
  const std::vector<int>& dependents(int group) const { return dependents_[index(group)]; }
  const std::vector<Balance>& balances() const { return balances_; }
  bool has_distances() const { return distance_weight_ != 0; }
  double distance_weight() const { return distance_weight_; }
  std::int32_t distance(int from, int to) const {
    return distances_.empty() ? 0 : distances_[index(from) * states_.size() + index(to)];
  }
  double group_move_cost() const { return group_move_cost_; }

  bool allows(int item_class, int bin) const {
    return item_class == 0 || allowed_[index(item_class - 1) * states_.size() + index(bin)] != 0;
  }
  // The resource that Resource::spare names, kNowhere when there is none.
  int spare_resource() const { return spare_resource_; }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  std::size_t at(int row, int r) const { return index(row) * resources_.size() + index(r); }

  std::vector<Resource> resources_;
  int spare_resource_ = kNowhere;

  std::vector<BinState> states_;
  std::vector<int> domains_;
  std::vector<int> neighbourhoods_;
  int domain_count_ = 0;
  int neighbourhood_count_ = 0;
  std::vector<Supply> supplies_;    // [bin][resource]
  std::vector<Amount> capacities_;  // [bin][resource]
  std::vector<Group> groups_;
  std::vector<std::vector<int>> dependencies_;  // [group]
  std::vector<std::vector<int>> dependents_;    // [group]
  bool has_dependencies_ = false;
  bool has_together_ = false;
  std::vector<Balance> balances_;
  std::vector<std::int32_t> distances_;  // [bin][bin], or empty
  double distance_weight_ = 0;
  double group_move_cost_ = 0;
  std::vector<std::uint8_t> allowed_;  // [class - 1][bin]
  int class_count_ = 1;

  std::vector<Demand> demands_;  // [item][resource]
  std::vector<int> starts_;
  std::vector<int> item_classes_;
  std::vector<std::uint8_t> frozen_;
  std::vector<double> move_costs_;
  std::vector<int> group_begins_{0};
  std::vector<int> group_list_;
};

}  // namespace rackline::plan
