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

// Why a host cannot be taken out beside those of the group that is being formed.
struct Refusal {
  int bin = plan::kNowhere;
  int item = plan::kNowhere;  // what has no place elsewhere, if that is why
  std::string constraint = {};
  std::string why = {};
};

// Greedy: into each group goes what can still be emptied beside the others of the group, the least loaded
// first; then the group is back, empty, and the next one may use its room. So the number of groups is not
// always the least (that is as hard as colouring a graph), but each can be done as it is told.
class Service {
 public:
  Service(const Cluster& cluster, const Rules& rules, const Policy& policy, int most)
      : cluster_(cluster),
        policy_(policy),
        most_(most),
        state_(cluster.model),
        explain_(cluster, rules, policy),
        // The loads may rise above the thresholds while hosts are away, but not above what there is.
        room_(state_,
              {.keep_spare = false, .most_load = 1.0, .aside = cluster.model.bins() <= kMostHostsForAside}),
        without_spare_(policy.keep_spare ? state_.bins_without_spare() : 0) {}

  Rolling run(const std::vector<std::string>& hosts) {
    std::vector<int> waiting = serviceable(hosts);
    while (!waiting.empty()) {
      const plan::State at_start = state_;
      std::vector<Refusal> refusals;
      const std::vector<int> group = next_group(at_start, waiting, refusals);
      if (group.empty()) {
        give_up(refusals);
        break;
      }
      take(group, at_start, refusals);
      std::erase_if(waiting,
                    [&](int bin) { return std::find(group.begin(), group.end(), bin) != group.end(); });
    }
    return std::move(answer_);
  }

 private:
  // All, where none are named; without those that are held.
  std::vector<int> serviceable(const std::vector<std::string>& hosts) {
    std::vector<int> bins;
    for (const auto& name : hosts) {
      const int bin = cluster_.find_host(name);
      if (bin == plan::kNowhere)
        throw Error(Status::kUsage, "rolling", name, "there is no such host in the input");
      if (std::find(bins.begin(), bins.end(), bin) == bins.end()) bins.push_back(bin);
    }
    for (int bin = 0; hosts.empty() && bin < cluster_.model.bins(); ++bin) bins.push_back(bin);
    std::erase_if(bins, [&](int bin) {
      if (cluster_.model.state(bin) != plan::BinState::kFrozen) return false;
      unserviceable({bin, plan::kNowhere, "held", cluster_.hosts[index(bin)].frozen});
      return true;
    });
    return bins;
  }

  // Takes them out of `state_`, and says of the others why they are not among them.
  std::vector<int> next_group(const plan::State& at_start, std::vector<int>& waiting,
                              std::vector<Refusal>& refusals) {
    std::sort(waiting.begin(), waiting.end(), [&](int a, int b) {
      const auto load = [&](int bin) { return at_start.share(bin, kMemory) + at_start.share(bin, kCpu); };
      return std::pair(load(a), a) < std::pair(load(b), b);
    });
    std::vector<int> group;
    std::set<int> taken;
    for (const int bin : waiting) {
      Refusal refusal{bin};
      const std::set<int> mine = groups_on(at_start, bin);
      const auto shared = std::find_if(mine.begin(), mine.end(), [&](int g) { return taken.contains(g); });
      if (static_cast<int>(group.size()) >= most_) {
        refusal.why = "no more than " + std::to_string(most_) + " at a time";
      } else if (shared != mine.end()) {
        refusal.why =
            cluster_.model.group(*shared).name + " has a virtual server on another host of the group";
      } else if (empty(refusal)) {
        group.push_back(bin);
        taken.insert(mine.begin(), mine.end());
        continue;
      }
      // Of a group only the first refusal is told.
      if (refusals.empty() && refusal.item != plan::kNowhere) tell_stuck(refusal);
      refusals.push_back(std::move(refusal));
    }
    return group;
  }

  bool empty(Refusal& refusal) {
    const std::size_t mark = room_.mark();
    if (!room_.empty(refusal.bin, refusal.item)) return false;
    if (!policy_.keep_spare || state_.bins_without_spare(room_.out()) <= without_spare_) return true;
    refusal.constraint = "spare";
    refusal.why = "without it there is no spare: if " +
                  cluster_.host(state_.first_without_spare(room_.out())) +
                  " failed, its virtual servers would not fit on the others (--spare ignore leaves that out)";
    room_.back_to(mark);
    room_.take_out(refusal.bin, false);
    return false;
  }

  // Why the item that was stuck has no place, in the state in which it was stuck. It asks all hosts.
  void tell_stuck(Refusal& refusal) {
    room_.take_out(refusal.bin, true);
    refusal.why = explain_.no_place(state_, refusal.item, room_.out());
    refusal.constraint = explain_.main_constraint(state_, refusal.item, room_.out());
    room_.take_out(refusal.bin, false);
    if (refusal.why.empty()) {
      refusal.why = "the other hosts would have more load than CPUs";
      refusal.constraint = "cpu_load";
    }
    refusal.why = cluster_.vm(refusal.item).name + " has no place elsewhere (" + refusal.why + ")";
  }

  // Nothing has changed since they were refused.
  void give_up(std::vector<Refusal>& refusals) {
    for (Refusal& refusal : refusals) {
      if (refusal.why.empty()) tell_stuck(refusal);
      unserviceable(refusal);
    }
  }

  void unserviceable(const Refusal& refusal) {
    record::HostUnserviceable& record = answer_.unserviceable.emplace_back();
    record.host = cluster_.host(refusal.bin);
    if (refusal.item != plan::kNowhere) record.vm = cluster_.vm(refusal.item).name;
    record.constraint = refusal.constraint;
    record.reason = refusal.why;
  }

  // The hosts of the group are back, empty.
  void take(std::vector<int> group, const plan::State& at_start, const std::vector<Refusal>& refusals) {
    record::ServiceGroup record;
    record.group = static_cast<std::int64_t>(answer_.groups.size()) + 1;
    std::sort(group.begin(), group.end());
    std::int64_t memory = 0;
    for (const int bin : group) {
      record.hosts.push_back(cluster_.host(bin));
      for (const int item : at_start.items_on(bin)) {
        if (!cluster_.vm(item).live) continue;
        ++record.vms;
        memory += promised_memory(*cluster_.vm(item).sample);
      }
      room_.take_out(bin, false);
    }
    record.memory_bytes = memory;
    record.reason = refusals.empty() ? "no host is left"
                                     : "not with them: " + cluster_.host(refusals.front().bin) + ": " +
                                           refusals.front().why;
    answer_.groups.push_back(std::move(record));
  }

  const Cluster& cluster_;
  const Policy& policy_;
  const int most_;
  plan::State state_;
  Explain explain_;
  plan::Room room_;
  int without_spare_;
  Rolling answer_;
};

}  // namespace

Rolling Planner::rolling_as_ruled(const std::vector<std::string>& hosts, int most) const {
  Question question = question_of_all();
  question.unmeasured_too = true;
  question.empties_in_turn = true;
  const Cluster cluster = cluster_for(question);
  return Service(cluster, rules_, policy_, most).run(hosts);
}

}  // namespace rackline::capacity
