// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "decide/history.h"
#include "plan/order.h"
#include "record/kinds_balancing.h"
#include "record/kinds_inventory.h"
#include "record/kinds_storage.h"

namespace rackline::storage {

// What a person may set of lunbalance. Shares are percent.
struct Policy {
  double space_percent = 80;  // of an array's room: above this LUNs leave it, and nothing comes beyond it
  double load_percent = 70;   // the same of the load that its device can do
  double overcommit = 4;      // sizes of thin LUNs may add up to so many times the room
  std::int64_t reserve_bytes = 0;                           // of each array, kept free below that
  std::chrono::milliseconds growth = std::chrono::days(7);  // LUNs are taken to grow for so long
  double imbalance = 0.3;                                   // evens out above this score of imbalance as well
  double margin = 0.1;      // what copying all bytes has to lower the score by
  std::optional<int> hold;  // rounds above the threshold before load moves; unset: as the hours say
  std::chrono::milliseconds horizon = std::chrono::days(1);  // for so long the hours are taken to come again
  std::int64_t copy_rate = std::int64_t{64} << 20;  // bytes a second: a copy has to spare its own time
  std::chrono::milliseconds cooldown = std::chrono::minutes(30);
  std::chrono::milliseconds no_return = std::chrono::days(7);  // no LUN goes back to where it came from
  std::chrono::milliseconds expires = std::chrono::hours(1);   // plans
  std::chrono::milliseconds stale = std::chrono::minutes(2);
  int most_per_lun = 6;     // moves a day
  int most_per_array = 32;  // the same, in and out
  double max_change_percent = 30;
  bool force = false;
  int max_moves = std::numeric_limits<int>::max();
  plan::Caps caps{1, 1};  // of one array at a time
  std::uint64_t seed = 0;
};

// One round of samples.
struct Round {
  std::vector<record::ArraySample> arrays;
  std::vector<record::LunSample> luns;
  record::Time time{};         // of its end, or of its latest sample
  bool lines_skipped = false;  // some could not be read

  bool empty() const { return arrays.empty() && luns.empty(); }
};

// Figures that no array has are taken for unknown.
void distrust(record::ArraySample& array);
void distrust(record::LunSample& lun);
// Throws Error(kUsage) for a request that asks for what there is not.
void require_plausible(const record::LunRequest& request);

// Rules about LUNs, each once. Throws Error(kUsage) for one that is not understood: it would be broken
// unknowingly.
class LunRules {
 public:
  void add(const record::PlacementRule& rule);
  const std::vector<record::PlacementRule>& all() const { return rules_; }
  static bool binds(const record::PlacementRule& rule, const std::string& lun);
  static bool names_array(const record::PlacementRule& rule, const std::string& array);

 private:
  std::vector<record::PlacementRule> rules_;
};

// What has moved: by identity() of the LUNs.
class History : public decide::History {
 public:
  using decide::History::add;
  // Dry runs and refusals are no moves. A failed one counts as one, but leads nowhere.
  void add(const record::LunMoved& moved);
  void add(const std::string& lun, const std::string& from, const std::string& to, record::Time time);

  // Moves in the last day.
  int of_lun(const std::string& lun, record::Time now) const;
  int of_array(const std::string& array, record::Time now) const;
  // Arrays that the LUN left less than `within` ago.
  std::set<std::string> left(const std::string& lun, record::Time now,
                             std::chrono::milliseconds within) const;

 private:
  struct Leg {
    std::string from, to;
    record::Time time{};
  };
  decide::ByName<std::vector<Leg>> legs_;             // by LUN
  decide::ByName<std::vector<record::Time>> arrays_;  // by array
};

}  // namespace rackline::storage
