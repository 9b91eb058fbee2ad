// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "plan/model.h"

namespace rackline::plan {

// Why an item cannot go to a bin.
struct Obstacle {
  enum class Kind : std::uint8_t {
    kNone,
    kItemFrozen,
    kBinFrozen,
    kBinClosed,
    kClass,        // pinned elsewhere, excluded, incompatible
    kCapacity,     // `which` is the resource, `missing` how much more would be needed
    kGroupBin,     // `which` is the group of which no more may be on the bin
    kGroupDomain,  // ... in the bin's failure domain
    kSpread,       // `which` is a group of the item that would be in too few failure domains
    kNeeds,        // `which` is a group that the item depends on and that is not in the bin's neighbourhood
    kNeeded,       // `which` is a group that depends on the item where it is
    kTogether,     // `which` is a group of the item of which others would stay behind, or are elsewhere
    kSpare,        // a failed bin would no longer fit on the others
  };
  Kind kind = Kind::kNone;
  int which = 0;
  Amount missing = 0;

  explicit operator bool() const { return kind != Kind::kNone; }
};

// What is wrong with a placement.
struct Violation {
  enum class Kind : std::uint8_t {
    kLeaving,      // `which` is an item on a bin that everything has to leave
    kClass,        // `which` is an item where its class forbids it
    kCapacity,     // `which` is a resource of which the bin has promised more than its capacity
    kGroupBin,     // `which` is a group with too many of its items on the bin
    kGroupDomain,  // ... in the bin's failure domain; told once for a domain, with its first bin
    kSpread,       // `which` is a group in too few failure domains; `bin` is the first where it is
    kNeeds,        // `which` is a group on the bin that misses one it depends on in the bin's neighbourhood
    kTogether,     // `which` is a group on several bins; `bin` is the first of them
  };
  Kind kind;
  int bin = kNowhere;
  int which = 0;
};

// A placement, with everything that is asked of it kept up to date move by move.
//
// An item in flight (between depart and arrive) counts on both bins: its transient resources, its groups and
// its failure domains; and it counts on neither for what needs it: the spread of its groups and the groups
// that depend on them. So whatever admit() allows holds at every instant, however long each move takes.
//
// The score is 0 for a perfect placement:
//
//     sum over resources of   balance_weight * deviation / max(mean, mean_floor)
//   + sum over bins and resources of   overload_cost * max(0, load - safety)
//   + sum over bins and balances of    weight * max(0, ratio * free(lead) - free(other))
//
// where the load share of a bin is load/size, mean is the load of all open bins over their size, and
// deviation the standard deviation of the shares, each weighted by its bin's size. The weights make the mean
// independent of where items are and let a large bin count for what it is; the ratio to the mean is the usual
// coefficient of variation. Only open bins count for the imbalance, open and closed ones for the rest.
class State {
 public:
  // All items where they start. `scored`: whether the score is kept up to date as well; without it, moves
  // cost half as much, and score() and what is named after it must not be called.
  explicit State(const Model& model, bool scored = true);

  const Model& model() const { return *model_; }
  int where(int item) const { return where_[index(item)]; }
  bool in_flight(int item) const { return flight_[index(item)] != kNowhere; }
  int target(int item) const { return flight_[index(item)]; }  // of one in flight
  // In no particular order.
  const std::vector<int>& items_on(int bin) const { return on_bin_[index(bin)]; }
  Amount used(int bin, int r) const { return used_[at(bin, r)]; }  // promised peaks, those in flight included
  Amount load(int bin, int r) const { return load_[at(bin, r)]; }
  double share(int bin, int r) const;  // load / size
  int group_count(int group, int bin) const { return group_bin_[cell(group, bin, model_->bins())]; }
  // Whether the group would be in more failure domains with its item on the bin.
  bool spread_rises(int group, int item, int bin) const;
  // Whether an item of the group is in the bin's neighbourhood and stays there for now.
  bool provides(int group, int bin) const;

  // What forbids `item` to come to `bin` now. An item that is nowhere may be asked about as well.
  Obstacle obstacle(int item, int bin) const;
  // The same but for what only forbids it to go without others: their needs, and its groups' being together.
  Obstacle obstacle_in_company(int item, int bin) const;
  bool admits(int item, int bin) const { return !obstacle(item, bin); }
  // Whether each of two items may come to the other's bin once that has left it. (They move and come back.)
  bool admits_exchange(int one, int other);

  // To `bin` (kNowhere: taken away), unasked.
  void move(int item, int bin);
  // The two halves of a move that takes time.
  void depart(int item, int bin);
  void arrive(int item);
  void recall(int item);  // takes depart() back

  std::vector<Violation> violations() const;
  bool still(const Violation& violation) const;

  double score() const;
  double score_of_imbalance() const;
  // What the score rises by for each unit that the sum over bins of size * share^2 does.
  double slope(int r) const;
  // The score as it would be with `item` on `bin`, with two items exchanged.
  double score_with_shift(int item, int bin) const;
  double score_with_swap(int one, int other) const;

  // What it costs that items are elsewhere than where they started; not in the score.
  double cost_of_moves() const;
  // What that changes by when the item goes to the bin.
  double cost_rise(int item, int bin) const;

  // Bins whose items would not fit on the open others if it failed: first fit decreasing in the spare
  // resource, those in flight keeping the place that they have been promised. 0 when the model has no spare
  // resource. Bins of `out` are out of use: they give no room, and cannot fail. Empty: none are.
  int bins_without_spare(const std::vector<bool>& out = {}) const;
  // The first of them; kNowhere when there is none.
  int first_without_spare(const std::vector<bool>& out = {}) const;
  // Whether that bin is none of them, in a model that has a spare resource.
  bool has_spare(int failed, const std::vector<bool>& out = {}) const;
  // True: every bin could fail, whichever of the items in flight have arrived by then. False says nothing.
  bool has_spare_whatever_arrives(const std::vector<int>& flying) const;

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  static std::size_t cell(int row, int column, int columns) {
    return index(row) * index(columns) + index(column);
  }
  std::size_t at(int bin, int r) const { return cell(bin, r, model_->resources()); }

  double overload(int bin, int r, Amount load) const;
  double deviation(int bin, int r, Amount load) const;
  double score_with(int from, int to, const Amount* amounts) const;
  double combine(int r, double deviation, Amount sum) const;
  void count_groups(int item, int bin, int by, bool with_domain);
  void take(int item, int bin, int sign, bool transient, bool lasting);
  // What a bin would leave behind if it failed: the largest of its items, and all of them.
  struct Legacy {
    Amount largest = 0;
    Amount all = 0;
    bool known = false;
  };
  const Legacy& legacy(int bin) const;
  Legacy worst_legacy(const std::vector<bool>& out) const;
  bool has_spare_for(const Legacy& worst, const std::vector<bool>& out) const;
  bool gives_room(int bin, const std::vector<bool>& out) const;
  void count_needs(int item, int bin, int provides, int depends);
  void count_certain(int item, int bin, int by);
  void count_flying(int item, int by);
  Obstacle obstacle_of_needs(int item, int bin) const;
  double mismatch(int bin, const Amount* more, int sign) const;
  double cost_of_move(int item, int bin) const;
  void count_moved(int item, int by);
  bool displaced(int item, int bin) const;
  void carry(int item, int from, int bin);
  void find_unmet_needs(std::vector<Violation>& found) const;
  bool misses(int group, int bin) const;
  int first_bin_of(int group) const;  // kNowhere when none of it is anywhere
  int bins_of(int group) const;
  void set_load(int bin, int r, Amount load);
  void put_on(int item, int bin);
  void sum_up();

  const Model* model_;
  bool scored_;
  std::vector<int> where_;
  std::vector<int> flight_;    // target of an item in flight
  std::vector<int> position_;  // in on_bin_[where_]
  std::vector<std::vector<int>> on_bin_;
  std::vector<Amount> used_;                 // [bin][resource]
  std::vector<Amount> load_;                 // [bin][resource]
  std::vector<std::uint16_t> group_bin_;     // [group][bin]
  std::vector<std::uint16_t> group_domain_;  // [group][domain]
  std::vector<int> placed_;                  // [group]: items that are somewhere; those in flight twice
  // Of groups that have to be spread or have to do with dependencies, empty where the model has none.
  std::vector<std::uint16_t> certain_;   // [group][domain]: members that are there and stay for now
  std::vector<int> spread_;              // [group]: domains of which that is so
  std::vector<int> flying_;              // [group]: members on their way to another domain
  std::vector<std::uint16_t> provided_;  // [group][neighbourhood]: likewise
  std::vector<std::uint16_t>
      present_;  // [group][neighbourhood]: members that are there or on their way to it

  // Sums of the score, over the bins that count.
  std::vector<double> total_size_;  // [resource]
  std::vector<double> centre_;      // [resource]: mean share at the start, about which deviations are summed
  std::vector<double> deviation_;   // [resource]: sum of size * (share - centre)^2
  std::vector<Amount> sum_;         // [resource]: load
  double overload_ = 0;
  double mismatch_ = 0;
  int moves_since_sum_ = 0;

  mutable std::vector<Legacy> legacies_;  // [bin], as far as they have been asked for since they changed

  double cost_of_moves_ = 0;       // without that of groups
  std::vector<int> moved_;         // [group]: items that are elsewhere than at their start
  std::vector<int> groups_moved_;  // [n]: groups of which n items are; empty when that costs nothing
  int most_moved_ = 0;
};

}  // namespace rackline::plan
