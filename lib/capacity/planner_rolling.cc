// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "base/error.h"
#include "capacity/explain.h"
#include "capacity/outline.h"
#include "capacity/planner.h"
#include "plan/room.h"

namespace rackline::capacity {
namespace {

constexpr int kMostHostsForAside = 64;

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

// Groups of which a host has some: hosts of one group must not be away at the same time.
std::set<int> groups_on(const plan::State& state, int bin) {
  const plan::Model& model = state.model();
  std::set<int> groups;
  for (const int item : state.items_on(bin)) {
    groups.insert(model.group_list().begin() + model.group_begin(item),
                  model.group_list().begin() + model.group_begin(item + 1));
  }
  return groups;
}

}  // namespace

// Greedy: into each group goes what can still be emptied beside the others of the group, the least loaded
// first; then the group is back, empty, and the next one may use its room. So the number of groups is not
// always the least (that is as hard as colouring a graph), but each can be done as it is told.
Rolling Planner::rolling(const std::vector<std::string>& hosts, int most) const {
  Question question = question_of_all();
  question.unmeasured_too = true;
  const Cluster cluster = cluster_for(question);
  const plan::Model& model = cluster.model;
  plan::State state(model);
  const Explain explain(cluster, rules_, policy_);
  Rolling answer;

  std::vector<int> waiting;
  for (const auto& name : hosts) {
    const int bin = cluster.find_host(name);
    if (bin == plan::kNowhere)
      throw Error(Status::kUsage, "rolling", name, "there is no such host in the input");
    if (std::find(waiting.begin(), waiting.end(), bin) == waiting.end()) waiting.push_back(bin);
  }
  if (hosts.empty()) {
    for (int bin = 0; bin < model.bins(); ++bin) waiting.push_back(bin);
  }
  const auto unserviceable = [&](int bin, int item, record::Text constraint, std::string why) {
    record::HostUnserviceable record;
    record.host = cluster.host(bin);
    if (item != plan::kNowhere) record.vm = cluster.vm(item).name;
    record.constraint = std::move(constraint);
    record.reason = std::move(why);
    answer.unserviceable.push_back(std::move(record));
  };
  std::erase_if(waiting, [&](int bin) {
    if (model.state(bin) != plan::BinState::kFrozen) return false;
    unserviceable(bin, plan::kNowhere, "held", cluster.hosts[index(bin)].frozen);
    return true;
  });

  // The loads may rise above the thresholds while hosts are away, but not above what there is.
  plan::Room room(state,
                  {.keep_spare = false, .most_load = 1.0, .aside = model.bins() <= kMostHostsForAside});
  const int without_spare = policy_.keep_spare ? state.bins_without_spare() : 0;
  struct Refusal {
    int bin = plan::kNowhere;
    int item = plan::kNowhere;
    std::string constraint;
    std::string why;
  };
  // Why the item that was stuck has no place, in the state in which it was stuck. It asks all hosts.
  const auto tell_stuck = [&](Refusal& refusal) {
    room.take_out(refusal.bin, true);
    refusal.why = explain.no_place(state, refusal.item, room.out());
    refusal.constraint = explain.main_constraint(state, refusal.item, room.out());
    room.take_out(refusal.bin, false);
    if (refusal.why.empty()) {
      refusal.why = "the other hosts would have more load than CPUs";
      refusal.constraint = "cpu_load";
    }
    refusal.why = cluster.vm(refusal.item).name + " has no place elsewhere (" + refusal.why + ")";
  };
  const auto take = [&](int bin, Refusal& refusal) {
    const std::size_t mark = room.mark();
    refusal.bin = bin;
    if (!room.empty(bin, refusal.item)) return false;
    if (!policy_.keep_spare || state.bins_without_spare(room.out()) <= without_spare) return true;
    refusal.constraint = "spare";
    refusal.why = "without it there is no spare: if " + cluster.host(state.first_without_spare(room.out())) +
                  " failed, its virtual servers would not fit on the others (--spare ignore leaves that out)";
    room.back_to(mark);
    room.take_out(bin, false);
    return false;
  };
  while (!waiting.empty()) {
    const plan::State at_start = state;
    std::sort(waiting.begin(), waiting.end(), [&](int a, int b) {
      const auto load = [&](int bin) { return at_start.share(bin, kMemory) + at_start.share(bin, kCpu); };
      return std::pair(load(a), a) < std::pair(load(b), b);
    });
    std::vector<int> group;
    std::set<int> taken;
    std::vector<Refusal> refusals;
    for (const int bin : waiting) {
      Refusal refusal{bin, plan::kNowhere, "", ""};
      const std::set<int> mine = groups_on(at_start, bin);
      const auto shared = std::find_if(mine.begin(), mine.end(), [&](int g) { return taken.contains(g); });
      if (static_cast<int>(group.size()) >= most) {
        refusal.why = "no more than " + std::to_string(most) + " at a time";
      } else if (shared != mine.end()) {
        refusal.why = model.group(*shared).name + " has a virtual server on another host of the group";
      } else if (take(bin, refusal)) {
        group.push_back(bin);
        taken.insert(mine.begin(), mine.end());
        continue;
      }
      // Of a group only the first refusal is told.
      if (refusals.empty() && refusal.item != plan::kNowhere) tell_stuck(refusal);
      refusals.push_back(std::move(refusal));
    }
    if (group.empty()) {
      // Nothing has changed since they were refused.
      for (Refusal& refusal : refusals) {
        if (refusal.why.empty()) tell_stuck(refusal);
        unserviceable(refusal.bin, refusal.item, refusal.constraint, std::move(refusal.why));
      }
      break;
    }
    const std::string next =
        refusals.empty() ? "" : cluster.host(refusals.front().bin) + ": " + refusals.front().why;
    record::ServiceGroup record;
    record.group = static_cast<std::int64_t>(answer.groups.size()) + 1;
    std::sort(group.begin(), group.end());
    std::int64_t memory = 0;
    for (const int bin : group) {
      record.hosts.push_back(cluster.host(bin));
      for (const int item : at_start.items_on(bin)) {
        if (cluster.vm(item).live) ++record.vms;
        memory += model.demand(item, kMemory).peak;
      }
      room.take_out(bin, false);
    }
    record.memory_bytes = memory;
    record.reason = next.empty() ? "no host is left" : "not with them: " + next;
    answer.groups.push_back(std::move(record));
    std::erase_if(waiting,
                  [&](int bin) { return std::find(group.begin(), group.end(), bin) != group.end(); });
  }
  return answer;
}

}  // namespace rackline::capacity
