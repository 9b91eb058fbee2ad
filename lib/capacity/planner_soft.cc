// SPDX-License-Identifier: Apache-2.0
// Plans that keep soft rules as far as nothing else stands against them.
#include <utility>

#include "base/error.h"
#include "capacity/contradiction.h"
#include "capacity/planner.h"

namespace rackline::capacity {
namespace {

using Names = std::set<std::string>;

Names without_place(const Plan& plan) {
  Names names;
  for (const auto& one : plan.unplaced) names.insert(one.vm);
  return names;
}

Names without_place(const Rolling& rolling) {
  Names names;
  for (const auto& host : rolling.unserviceable) {
    if (host.vm) names.insert(*host.vm);
  }
  return names;
}

template <class Answer>
void tell(const std::vector<record::PlacementRule>& given_up, Answer& answer) {
  for (const auto& rule : given_up) answer.doubts.push_back(words(rule) + " is given up");
}

// What `make` answers with the rules that it is handed. One rule more is given up only if somebody more has a
// place for it.
template <class Answer, class Make>
Answer keeping_preferences(const Planner& planner, const Rules& rules, Make make) {
  Answer answer = make(planner);
  Names stuck = without_place(answer);
  if (stuck.empty() || !rules.any_soft()) return answer;
  Planner softer = planner;
  std::vector<record::PlacementRule> gone;
  while (!stuck.empty()) {
    const auto given_up = softer.rules().give_up_for(stuck);
    if (given_up.empty()) break;
    gone.insert(gone.end(), given_up.begin(), given_up.end());
    Answer next = make(softer);
    Names still = without_place(next);
    if (still.size() >= stuck.size()) break;
    answer = std::move(next);
    tell(gone, answer);
    stuck = std::move(still);
  }
  return answer;
}

}  // namespace

Plan Planner::balance() {
  Plan plan = balance_as_ruled();
  if (!plan.moves.empty() || !rules_.any_soft()) return plan;
  const Rules all = rules_;
  const auto given_up = rules_.give_up_soft();
  Plan softer;
  try {
    softer = balance_as_ruled();
  } catch (const Error& error) {
    rules_ = all;
    if (error.status() != Status::kRefused) throw;
    return plan;
  }
  rules_ = all;
  if (softer.moves.empty()) return plan;
  tell(given_up, softer);
  return softer;
}

Plan Planner::evacuate(const std::vector<std::string>& hosts) const {
  return keeping_preferences<Plan>(*this, rules_,
                                   [&](const Planner& planner) { return planner.evacuate_as_ruled(hosts); });
}

Plan Planner::place(bool by_moving) const {
  return keeping_preferences<Plan>(*this, rules_,
                                   [&](const Planner& planner) { return planner.place_as_ruled(by_moving); });
}

Rolling Planner::rolling(const std::vector<std::string>& hosts, int most) const {
  return keeping_preferences<Rolling>(
      *this, rules_, [&](const Planner& planner) { return planner.rolling_as_ruled(hosts, most); });
}

}  // namespace rackline::capacity
