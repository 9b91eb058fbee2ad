// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "decide/causes.h"
#include "decide/guard.h"
#include "decide/hold.h"
#include "decide/under_way.h"
#include "plan/order.h"
#include "plan/search.h"
#include "record/kinds_capacity.h"
#include "record/kinds_planning.h"
#include "storage/facts.h"
#include "storage/fleet.h"
#include "storage/hours.h"
#include "storage/words.h"

namespace rackline::storage {

// What a plan makes of an array. Shares are percent; null where too little is known.
struct ArrayOutlook {
  std::string array;
  record::Number space_before, space_after, load_before, load_after;
  int luns_before = 0;
  int luns_after = 0;
};

// An answer, as records without time and tool.
struct Plan {
  std::vector<record::LunMove> moves;  // by stage
  std::vector<record::LunPlace> places;
  std::vector<record::LunUnplaced> unplaced;
  std::vector<ArrayOutlook> outlook;             // by name; empty when there are no moves
  std::optional<record::NoBeneficialMove> none;  // why there are no moves
  double score_before = 0;
  double score_after = 0;
  double lower_bound = 0;
  std::int64_t bytes = 0;             // that the moves copy
  std::vector<std::string> left_out;  // arrays of which too little is known, with the reason
  std::vector<std::string> doubts;
};

struct Headroom {
  record::LunHeadroom total;
  std::vector<record::ArrayRoom> arrays;
};

struct Explanations {
  std::vector<record::LunExplanation> about;
  std::optional<record::ArrayModel> device;
};

// The balancer of storage: reads rounds of samples, answers on the last round that is closed. Arrays are bins
// and LUNs are items of plan::Model (fleet.h); there is no other planner.
//
// A pure function of what it was given: it has no clock and no chance but Policy::seed.
class Balancer {
 public:
  explicit Balancer(const Policy& policy) : policy_(policy) {}

  LunRules& rules() { return rules_; }
  History& history() { return history_; }
  void add(const record::LunRequest& request) { requests_.push_back(request); }
  void hear(const record::LunUsage& usage);
  void hear(const record::Fluctuation& fluctuation);

  Round& round() { return open_; }
  const Round& last() const { return closed_; }
  // Ends the round, as of `time`.
  void close(record::Time time);

  // Brings arrays below their thresholds, mends broken rules, and evens out what is occupied where that is
  // very uneven. From the second round of a stream on, load moves by what LUNs did in the hours before
  // (hours.h), and each move has to spare more overload than its copy takes time. There is no second plan
  // until the moves of the first are seen done, or the cooldown is over.
  Plan balance();
  // Empties the arrays. Throws Error(kUsage) for one that was not sampled, Error(kUnreachable) for one that
  // is not up, Error(kRefused) when several are named and more would move than may.
  Plan evacuate(const std::vector<std::string>& arrays) const;
  // An array for each request, as things are.
  Plan place() const;
  // For `size`; without one, for each request, or else for the usual size (median) of the LUNs.
  std::vector<Headroom> headroom(const std::optional<record::LunRequest>& size) const;
  // Throws Error(kUsage) for an unknown name.
  Explanations explain(const std::string& name) const;
  // Throws Error(kUnreachable) when there is no array of which enough is known.
  record::StorageCheck check() const;

 private:
  struct Trigger {
    std::vector<int> overloaded;
    std::vector<plan::Violation> violations;
    bool imbalanced = false;
    std::vector<std::string> reasons;  // of all of them
  };
  // The loads of a stream, and who is to be relieved.
  struct Outlook {
    std::vector<std::vector<float>> rows;
    std::vector<double> safety;
    std::vector<int> hot;
    std::vector<std::string> texts;  // of each array that is hot
  };

  Fleet fleet_for(const Question& question) const;
  Question balance_question() const;
  bool by_hours() const { return hours_.rounds() > 1 && !policy_.hold; }
  std::string brief(const std::string& array) const;  // why it is above its threshold for too short a time
  Trigger trigger(const plan::State& state, const Words& words) const;
  Outlook outlook(const Fleet& fleet, const plan::State& state, const Words& words) const;
  plan::SearchLimits limits(const Fleet& fleet) const;
  std::vector<plan::Step> search(const Fleet& fleet, plan::State& state, const Words& words,
                                 const Outlook& outlook) const;
  std::vector<plan::Step> even_out(plan::State& state, const Outlook& outlook,
                                   const plan::SearchLimits& limits) const;
  std::vector<plan::Step> within_caps(const Fleet& fleet, const std::vector<plan::Step>& steps,
                                      plan::State& state) const;
  std::string waiting_for() const;
  std::string idle_reason(const Fleet& fleet) const;
  decide::ChangeGuard guard() const { return {policy_.max_change_percent, policy_.force, "LUNs"}; }
  void write_moves(const Fleet& fleet, const plan::Schedule& schedule, const std::string& verb,
                   const std::vector<std::string>& reasons, Plan& plan) const;
  record::LunMove record_of(const Fleet& fleet, const plan::Move& move) const;
  std::string cause_of(const record::LunMove& move) const;
  std::vector<std::string> reasons_of(const Fleet& fleet, const plan::State& before, const Words& words,
                                      const Trigger& why, const Outlook& outlook,
                                      const std::vector<plan::Step>& steps) const;
  void remember(const Fleet& fleet, const plan::Schedule& schedule, const Plan& plan);

  Policy policy_;
  LunRules rules_;
  History history_;
  decide::Hold hold_;
  Hours hours_;
  Learnt learnt_;
  std::vector<record::LunRequest> requests_;
  Round open_;
  Round closed_;
  decide::UnderWay under_way_;
  decide::Causes causes_;
  record::Time before_{};  // time of the round before the last
};

// What all commands tell of a state at first.
Plan begin_plan(const plan::State& state, const Words& words);
record::NoBeneficialMove no_move(const plan::State& state, std::string reason);

}  // namespace rackline::storage
