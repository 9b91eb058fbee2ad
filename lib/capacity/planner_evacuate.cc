// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/id.h"
#include "base/joined.h"
#include "base/time.h"
#include "capacity/explain.h"
#include "capacity/outline.h"
#include "capacity/planner.h"

namespace rackline::capacity {
namespace {

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

std::set<int> bins_of(const Cluster& cluster, const std::vector<std::string>& hosts) {
  std::set<int> bins;
  for (const auto& name : hosts) {
    const int bin = cluster.find_host(name);
    if (bin == plan::kNowhere)
      throw Error(Status::kUsage, "evacuate", name, "there is no such host in the input");
    bins.insert(bin);
  }
  return bins;
}

// Throws Error(kUnreachable) for a host of which it is not known what it has, or that is lost.
std::vector<int> items_on(const Cluster& cluster, const std::set<int>& bins) {
  std::vector<int> items;
  std::set<int> known;
  for (int item = 0; item < cluster.model.items(); ++item) {
    const int bin = cluster.model.start(item);
    if (!bins.contains(bin)) continue;
    items.push_back(item);
    known.insert(bin);
  }
  for (const int bin : bins) {
    const auto& host = cluster.hosts[index(bin)];
    const bool lost = host.sample != nullptr && host.sample->state != "up";
    if (!host.frozen.empty() && (!known.contains(bin) || lost)) {
      throw Error(Status::kUnreachable, "evacuate", host.name, host.frozen,
                  "what runs on a lost host is restarted by failover, not moved");
    }
  }
  return items;
}

// By item; empty for those that stay.
std::vector<std::string> reasons_of(const Cluster& cluster, const std::vector<int>& evacuees,
                                    const std::vector<plan::Step>& steps) {
  std::vector<std::string> reasons(index(cluster.model.items()));
  for (const int item : evacuees)
    reasons[index(item)] = "evacuate " + cluster.host(cluster.model.start(item));
  for (const plan::Step& step : steps) {
    if (step.why != plan::Step::Why::kRoom) continue;
    reasons[index(step.item)] = makes_room(cluster, step);
  }
  return reasons;
}

// Those that are where they were when all moves of the schedule are done.
std::vector<record::VmUnplaced> left_behind(const Cluster& cluster, const plan::Schedule& schedule,
                                            const std::vector<int>& evacuees, const Explain& explain) {
  std::vector<record::VmUnplaced> left;
  const plan::State done = carried_out(cluster.model, schedule);
  for (const int item : evacuees) {
    if (done.where(item) != cluster.model.start(item)) continue;
    record::VmUnplaced& unplaced = left.emplace_back();
    unplaced.vm = cluster.vm(item).name;
    unplaced.host = cluster.host(cluster.model.start(item));
    unplaced.reason = explain.no_place(done, item);
    const auto blocked = std::find_if(schedule.blocked.begin(), schedule.blocked.end(),
                                      [item](const plan::Blocked& b) { return b.item == item; });
    if (unplaced.reason.empty() && blocked != schedule.blocked.end()) {
      unplaced.reason = "there is no way to " + cluster.host(blocked->to) + ": " +
                        explain.obstacle(done, item, blocked->to, blocked->why);
    }
    if (unplaced.reason.empty()) unplaced.reason = "left for the next plan: --max-moves";
  }
  return left;
}

// "2 of 11 virtual servers cannot leave h2: db1 (it uses a device of its host: pci 0000:41:00.0); ..."
std::string who_stays(const Cluster& cluster, const std::vector<int>& evacuees,
                      const std::vector<record::VmUnplaced>& left) {
  std::map<std::string, int> all;
  for (const int item : evacuees) ++all[cluster.host(cluster.model.start(item))];
  std::map<std::string, int> stay;
  std::map<std::string, std::map<std::string, std::vector<std::string>>> why;  // by host and reason
  for (const auto& one : left) {
    ++stay[*one.host];
    why[*one.host][one.reason].push_back(one.vm);
  }
  std::vector<std::string> texts;
  for (const auto& [host, reasons] : why) {
    std::vector<std::string> parts;
    for (const auto& [reason, vms] : reasons) parts.push_back(joined_some(vms, 4) + " (" + reason + ")");
    texts.push_back(std::to_string(stay[host]) + " of " + std::to_string(all[host]) +
                    " virtual servers cannot leave " + host + ": " + joined(parts, "; "));
  }
  return joined(texts, "; ");
}

}  // namespace

Plan Planner::evacuate_as_ruled(const std::vector<std::string>& hosts) const {
  Plan plan;
  Question question;
  question.leaving = hosts;
  question.stopped_too = true;
  question.unmeasured_too = true;
  const Cluster cluster = cluster_for(question);
  const plan::Model& model = cluster.model;
  const std::set<int> leaving = bins_of(cluster, hosts);
  const std::vector<int> evacuees = items_on(cluster, leaving);

  plan::State state(model);
  const Explain explain(cluster, rules_, policy_);
  plan.left_out = left_out(cluster);
  plan.score_before = plan.score_after = state.score();
  plan.lower_bound = plan::lower_bound(state);
  if (evacuees.empty()) {
    plan.none = none(state, joined(hosts, ", ") + (hosts.size() > 1 ? " are" : " is") + " empty");
    return plan;
  }

  // A host taken out is a spare fewer, and that is what was asked for.
  plan::SearchLimits limits = this->limits();
  limits.keep_spare = false;
  plan::Repaired repaired = repair(
      state, limits, [](const plan::Violation& v) { return v.kind == plan::Violation::Kind::kLeaving; });
  std::vector<int> gone;
  for (const int item : evacuees) {
    if (state.where(item) != model.start(item)) gone.push_back(item);
  }
  std::vector<plan::Step> steps = std::move(repaired.steps);
  if (!gone.empty()) {
    const auto more = improve(state, limits, gone);
    steps.insert(steps.end(), more.begin(), more.end());
  }

  std::int64_t touched = 0;
  for (int item = 0; item < model.items(); ++item) {
    if (state.where(item) == model.start(item) || !active(*cluster.vm(item).sample)) continue;
    if (leaving.size() > 1 || !leaving.contains(model.start(item))) ++touched;
  }
  guard().check(touched, cluster.running);

  const plan::Schedule schedule = schedule_of(state, steps, policy_.caps, false);
  write_moves(cluster, schedule, "evacuate", reasons_of(cluster, evacuees, steps), plan);

  plan.unplaced = left_behind(cluster, schedule, evacuees, explain);
  plan.stays = who_stays(cluster, evacuees, plan.unplaced);
  return plan;
}

}  // namespace rackline::capacity
