// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <map>

#include "base/error.h"
#include "capacity/explain.h"
#include "capacity/outline.h"
#include "capacity/planner.h"

namespace rackline::capacity {
namespace {

constexpr double kLeastGain = 1e-6;  // what is less is rounding

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

// The plan that balance would make, and the cluster before and after it.
class Inquiry {
 public:
  Inquiry(const Cluster& cluster, const Explain& explain, const Policy& policy, const Plan& plan,
          std::string no_plan)
      : cluster_(cluster),
        model_(cluster.model),
        explain_(explain),
        policy_(policy),
        no_plan_(std::move(no_plan)),
        before_(model_),
        after_(model_) {
    for (const auto& move : plan.moves) {
      for (int item = 0; item < model_.items(); ++item) {
        if (cluster_.vm(item).name != move.vm || cluster_.host(model_.start(item)) == move.to) continue;
        if (move.uuid && cluster_.vm(item).sample->uuid != move.uuid) continue;
        if (cluster_.vm(item).live) after_.move(item, cluster_.find_host(move.to));
        reasons_.emplace(item, move.reason);
      }
    }
    if (policy_.keep_spare) {
      spare_before_ = before_.bins_without_spare();
      spare_after_ = after_.bins_without_spare();
    }
  }

  std::vector<record::Explanation> of_vm(int item) {
    std::vector<record::Explanation> found;
    const bool moves = this->moves(item);
    std::vector<record::Explanation> others;
    for (int bin = 0; bin < model_.bins(); ++bin) {
      if (bin != model_.start(item)) others.push_back(candidate(item, bin));
    }
    std::stable_sort(others.begin(), others.end(), [](const auto& a, const auto& b) {
      return a.gain.value_or(-1e9) > b.gain.value_or(-1e9);
    });
    record::Explanation head = about(item);
    if (moves) {
      head.answer = "moves";
      head.target = cluster_.host(after_.where(item));
      head.reason = reasons_[item];
    } else {
      head.answer = "stays";
      head.reason = why_stays(item, others);
    }
    found.push_back(std::move(head));
    found.insert(found.end(), others.begin(), others.end());
    return found;
  }

  std::vector<record::Explanation> of_host(int bin) {
    std::vector<record::Explanation> found;
    record::Explanation head;
    head.host = cluster_.host(bin);
    int gives = 0;
    int takes = 0;
    for (int item = 0; item < model_.items(); ++item) {
      if (!moves(item)) continue;
      gives += model_.start(item) == bin ? 1 : 0;
      takes += after_.where(item) == bin ? 1 : 0;
    }
    const auto& host = cluster_.hosts[index(bin)];
    head.answer = !host.frozen.empty() ? "left_out"
                  : gives > 0          ? (takes > 0 ? "gives_and_takes" : "gives")
                  : takes > 0          ? "takes"
                                       : "unchanged";
    const std::string over = explain_.overload(before_, bin);
    if (!host.frozen.empty()) {
      head.reason = host.frozen;
    } else {
      head.reason = over.empty() ? explain_.load(before_, bin) : over;
      if (gives + takes > 0) {
        head.reason += "; then " + explain_.load(after_, bin).substr(cluster_.host(bin).size() + 1);
      } else {
        head.reason += "; " + (no_plan_.empty() ? std::string("the plan is about other hosts") : no_plan_);
      }
      if (!host.closed.empty()) head.reason += "; " + host.closed;
      if (host.sample != nullptr && host.sample->drained.value_or(false)) head.reason += "; drained";
    }
    found.push_back(std::move(head));
    for (int item = 0; item < model_.items(); ++item) {
      if (model_.start(item) != bin && (!moves(item) || after_.where(item) != bin)) continue;
      record::Explanation one = of_vm(item).front();
      if (model_.start(item) != bin) one.answer = "comes";
      found.push_back(std::move(one));
    }
    return found;
  }

 private:
  bool moves(int item) const { return after_.where(item) != model_.start(item); }

  record::Explanation about(int item) const {
    record::Explanation record;
    record.vm = cluster_.vm(item).name;
    record.host = cluster_.host(model_.start(item));
    return record;
  }

  // One that moves is compared on the cluster as it is; of one that stays it is asked why it does not move
  // as well, when all others have.
  record::Explanation candidate(int item, int bin) {
    plan::State& state = moves(item) ? before_ : after_;
    record::Explanation record = about(item);
    record.target = cluster_.host(bin);
    plan::Obstacle obstacle = state.obstacle(item, bin);
    if (!obstacle && takes_spare(state, item, bin)) obstacle = {plan::Obstacle::Kind::kSpare, bin, 0};
    if (moves(item) && after_.where(item) == bin) obstacle = {};
    if (obstacle) {
      record.answer = "forbidden";
      record.constraint = explain_.constraint(item, bin, obstacle);
      record.reason = explain_.obstacle(state, item, bin, obstacle);
      return record;
    }
    record.score_before = state.score();
    record.score_after = state.score_with_shift(item, bin);
    record.gain = *record.score_before - *record.score_after;
    record.gain_needed = model_.move_cost(item);
    const std::string sum =
        "the score would go from " + number(*record.score_before) + " to " + number(*record.score_after);
    if (moves(item) && after_.where(item) == bin) {
      record.answer = "moves";
      record.reason = reasons_[item];
    } else if (*record.gain <= *record.gain_needed + kLeastGain) {
      record.answer = "no_gain";
      record.reason = sum + (*record.gain > 0 ? ", and a move has to gain " + number(*record.gain_needed)
                                              : std::string(", which is no better"));
    } else if (moves(item)) {
      record.answer = "not_best";
      record.reason = sum + ", alone; " + cluster_.host(after_.where(item)) + " was chosen";
    } else if (!no_plan_.empty()) {
      record.answer = "not_needed";
      record.reason = sum + ", but " + no_plan_;
    } else {
      record.answer = "later";
      record.reason = sum + ", but what called for the plan is dealt with by it";
    }
    return record;
  }

  bool takes_spare(plan::State& state, int item, int bin) const {
    const int from = state.where(item);
    if (!policy_.keep_spare || from == plan::kNowhere || from == bin) return false;
    const int allowed = moves(item) ? spare_before_ : spare_after_;
    state.depart(item, bin);
    const bool on_its_way = state.bins_without_spare() > allowed;
    state.arrive(item);
    const bool there = state.bins_without_spare() > allowed;
    state.move(item, from);
    return on_its_way || there;
  }

  std::string why_stays(int item, const std::vector<record::Explanation>& others) const {
    if (model_.frozen(item)) return cluster_.vm(item).frozen;
    const auto& host = cluster_.hosts[index(model_.start(item))];
    if (!host.frozen.empty()) return host.name + ": " + host.frozen;
    if (others.empty()) return "there is no other host";
    const auto& best = others.front();
    if (best.answer == "forbidden") return "no other host may take it: " + *best.target + ": " + best.reason;
    return "the best for it would be " + *best.target + ": " + best.reason;
  }

  const Cluster& cluster_;
  const plan::Model& model_;
  const Explain& explain_;
  const Policy& policy_;
  std::string no_plan_;
  plan::State before_;
  plan::State after_;
  std::map<int, std::string> reasons_;
  int spare_before_ = 0;
  int spare_after_ = 0;
};

}  // namespace

std::vector<record::Explanation> Planner::explain(const std::string& name) const {
  if (policy_.objective == Objective::kGaneti) {
    throw Error(Status::kUsage, "explain", name, "what the score of hbal gains by a move is not told",
                "the plan gives its score before and after each move");
  }
  Planner twin = *this;  // a plan that is only asked about leaves no trace
  Plan plan;
  std::string no_plan;
  try {
    plan = twin.balance();
    if (plan.none) no_plan = plan.none->reason;
  } catch (const Error& error) {
    if (error.status() != Status::kRefused) throw;
    no_plan = error.what();
  }
  const Cluster cluster = cluster_for(balance_question());
  const Explain explain(cluster, rules_, policy_);
  Inquiry inquiry(cluster, explain, policy_, plan, no_plan);
  std::vector<record::Explanation> found;
  for (int item = 0; item < cluster.model.items(); ++item) {
    if (cluster.vm(item).name != name) continue;
    const auto more = inquiry.of_vm(item);
    found.insert(found.end(), more.begin(), more.end());
  }
  if (const int bin = cluster.find_host(name); bin != plan::kNowhere) {
    const auto more = inquiry.of_host(bin);
    found.insert(found.end(), more.begin(), more.end());
  }
  if (!found.empty()) return found;
  for (const auto& vm : closed_.vms()) {
    if (vm.vm != name) continue;
    record::Explanation record;
    record.vm = name;
    record.host = vm.host;
    record.answer = "stays";
    record.reason = "it is not running, so it is no load";
    found.push_back(std::move(record));
  }
  if (found.empty()) {
    throw Error(Status::kUsage, "explain", name, "there is no such virtual server or host in the input");
  }
  return found;
}

}  // namespace rackline::capacity
