// SPDX-License-Identifier: Apache-2.0
#include "virt/survey.h"

#include <algorithm>
#include <utility>

namespace rackline::virt {
namespace {

// Keepalive frees threads of ours that wait on a cut link; how long the caller waits does not depend on it.
constexpr ConnectOptions kConnect{.keepalive_interval_seconds = 2, .keepalive_count = 4, .read_only = true};

std::vector<Target> targets_of(const std::vector<record::Host>& hosts) {
  std::vector<Target> targets;
  targets.reserve(hosts.size());
  for (const auto& host : hosts) targets.push_back({host.host, host.uri});
  return targets;
}

}  // namespace

Survey::Survey(std::vector<record::Host> hosts, Patience patience)
    : hosts_(std::move(hosts)),
      patience_(patience),
      pool_(targets_of(hosts_), kConnect),
      memories_(hosts_.size()) {}

bool Survey::round(const std::function<void(Seen)>& each) {
  std::vector<Question<Sample>> questions;
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    const auto work = [memory = memories_[i], window = patience_.window](const Connection& connection) {
      return sample(connection, memory, window);
    };
    const auto paused = memories_[i] != nullptr ? Milliseconds{0} : patience_.window;
    questions.push_back({i, work, patience_.timeout + paused});
  }
  return pool_.ask<Sample>(std::move(questions),
                           [&](Answer<Sample> answer) { each(seen(std::move(answer))); });
}

Survey::Seen Survey::seen(Answer<Sample> answer) {
  const record::Host& known = hosts_[answer.host];
  Seen seen{answer.host, {}, {}};
  Milliseconds elapsed = answer.elapsed;
  if (answer.value) {
    seen.host = std::move(answer.value->host);
    seen.vms = std::move(answer.value->vms);
    for (auto& vm : seen.vms) vm.host = known.host;
    elapsed -= std::min(elapsed, answer.value->paused);
    memories_[answer.host] = std::move(answer.value->memory);
  } else {
    seen.host.state = answer.error->status() == Status::kTimeout ? "timeout" : "unreachable";
    seen.host.error = answer.error->what();
    // Counters from before an outage are no base for rates: the host may have been started anew.
    memories_[answer.host] = nullptr;
  }
  seen.host.host = known.host;
  seen.host.failure_domain = known.failure_domain;
  seen.host.drained = known.drained;
  seen.host.cpu_overcommit = known.cpu_overcommit;
  seen.host.memory_reserve_bytes = known.memory_reserve_bytes;
  seen.host.elapsed_ms = elapsed.count();
  return seen;
}

std::set<std::string> Survey::vm_names(const std::function<void(const Error&)>& missed) {
  using Names = std::set<std::string>;
  std::vector<Question<Names>> questions;
  for (std::size_t i = 0; i < hosts_.size(); ++i) questions.push_back({i, domain_names, patience_.timeout});
  Names names;
  pool_.ask<Names>(std::move(questions), [&](Answer<Names> answer) {
    if (answer.value) names.merge(*answer.value);
    if (answer.error) missed(*answer.error);
  });
  return names;
}

}  // namespace rackline::virt
