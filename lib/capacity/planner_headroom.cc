// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/joined.h"
#include "base/units.h"
#include "capacity/explain.h"
#include "capacity/outline.h"
#include "capacity/planner.h"
#include "plan/headroom.h"

namespace rackline::capacity {
namespace {

constexpr std::size_t kHostsInText = 4;

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

template <class T>
T median(std::vector<T> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// What is usual here: half of those that run have no more of it.
record::VmRequest usual_size(const Round& round) {
  std::vector<std::int64_t> memory;
  std::vector<std::int64_t> vcpus;
  for (const auto& vm : round.vms()) {
    if (!active(vm) || !vm.memory_bytes) continue;
    memory.push_back(promised_memory(vm));
    vcpus.push_back(vm.vcpus.value_or(1));
  }
  if (memory.empty()) {
    throw Error(Status::kUsage, "headroom", "the size", "no virtual server runs whose size could be taken",
                "--memory SIZE, or a vm_request in the input");
  }
  record::VmRequest size;
  size.memory_bytes = median(memory);
  size.vcpus = median(vcpus);
  return size;
}

// A name that no VM has and that no rule can speak of.
constexpr const char* kProbe = "\x01";

}  // namespace

std::vector<Capacity> Planner::headroom(const std::optional<record::VmRequest>& size) const {
  std::vector<record::VmRequest> sizes;
  if (size) {
    sizes.push_back(*size);
  } else if (requests_.empty()) {
    sizes.push_back(usual_size(closed_));
  } else {
    sizes = requests_;
  }
  std::vector<Capacity> answers;
  for (const auto& asked : sizes) {
    Question question = question_of_all();
    question.requests = {asked};
    if (asked.vm.empty()) question.requests.front().vm = kProbe;
    const Cluster cluster = cluster_for(question);
    const plan::Model& model = cluster.model;
    const plan::State state(model);
    const Explain explain(cluster, rules_, policy_);
    const int probe = model.items() - 1;
    const plan::HeadroomAnswer found =
        plan::headroom(state, probe, policy_.keep_spare, asked.cpu_cores.has_value());

    Capacity answer;
    std::map<std::string, int> constraints;
    std::vector<std::pair<std::string, std::string>> told;  // constraint, words
    for (int bin = 0; bin < model.bins(); ++bin) {
      const auto& one = found.bins[index(bin)];
      record::HostRoom room;
      room.host = cluster.host(bin);
      room.fits = one.fits;
      if (model.state(bin) != plan::BinState::kFrozen) {
        room.memory_free_bytes = model.capacity(bin, kMemory) - state.used(bin, kMemory);
        room.vcpus_free = static_cast<double>(model.capacity(bin, kCpu) - state.used(bin, kCpu)) / 1000;
      }
      if (one.load) {
        room.constraint = one.next.which == kCpu ? "cpu_load" : "memory_load";
        room.reason = std::string("its ") + (one.next.which == kCpu ? "cpu" : "memory") + " would be above " +
                      percent_text(one.next.which == kCpu ? policy_.threshold_percent
                                                          : policy_.memory_threshold_percent);
      } else {
        room.constraint = explain.constraint(probe, bin, one.next);
        room.reason = one.next.kind == plan::Obstacle::Kind::kGroupBin && one.fits > 0
                          ? model.group(one.next.which).name
                          : explain.obstacle(state, probe, bin, one.next);
      }
      // What a drained or silent host would say of itself is no answer to what blocks the next one, unless
      // there is nothing else.
      const bool out_of_use = room.constraint == "drained" || room.constraint == "held";
      if (!out_of_use) ++constraints[*room.constraint];
      if (!out_of_use) told.emplace_back(*room.constraint, room.host + ": " + room.reason);
      answer.hosts.push_back(std::move(room));
    }
    record::Headroom& total = answer.total;
    if (!asked.vm.empty()) total.vm = asked.vm;
    total.fits = found.fits;
    total.memory_bytes = asked.memory_bytes;
    total.vcpus = asked.vcpus.value_or(1);
    total.cpu_cores = asked.cpu_cores;
    total.spare = policy_.keep_spare;
    const auto most = std::max_element(constraints.begin(), constraints.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    // Where some host has room by itself, it is the spare that blocks the next one, whatever the others lack.
    if (constraints.contains("spare")) {
      total.constraint = "spare";
    } else if (most != constraints.end()) {
      total.constraint = most->first;
    } else {
      total.constraint = "held";
    }
    // Those hosts first that the constraint is about.
    std::stable_partition(told.begin(), told.end(),
                          [&](const auto& one) { return one.first == *total.constraint; });
    std::vector<std::string> reasons;
    for (const auto& [word, text] : told) {
      if (reasons.size() < kHostsInText) reasons.push_back(text);
    }
    total.reason = joined(reasons, "; ");
    if (told.size() > reasons.size()) {
      total.reason += "; and " + std::to_string(told.size() - reasons.size()) + " more hosts";
    }
    if (reasons.empty()) total.reason = "no host may take any";
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace rackline::capacity
