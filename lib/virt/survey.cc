// SPDX-License-Identifier: Apache-2.0
#include "virt/survey.h"

#include <algorithm>
#include <thread>
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

Survey::Survey(std::vector<record::Host> hosts, Patience patience, const std::vector<record::Host>& site)
    : patience_(patience), pool_(targets_of(hosts), kConnect) {
  auto storage = site.empty() ? std::vector<StoragePtr>(hosts.size()) : storage_of(hosts, site);
  hosts_.reserve(hosts.size());
  for (std::size_t i = 0; i < hosts.size(); ++i)
    hosts_.push_back({std::move(hosts[i]), std::move(storage[i]), nullptr, false, nullptr});
}

bool Survey::round(const std::function<void(Seen)>& each) {
  std::vector<Question<Sample>> questions;
  questions.reserve(hosts_.size());
  for (std::size_t i = 0; i < hosts_.size(); ++i) questions.push_back(question(i));
  return pool_.ask<Sample>(std::move(questions),
                           [&](Answer<Sample> answer) { each(seen(std::move(answer))); });
}

Question<Sample> Survey::question(std::size_t index) {
  Known& known = hosts_[index];
  known.paused = std::make_shared<std::atomic<Milliseconds::rep>>(0);
  Pause pause;
  if (patience_.window > Milliseconds{0}) {
    pause = [paused = known.paused, window = patience_.window](const std::function<void()>& meanwhile) {
      const auto end = std::chrono::steady_clock::now() + window;
      *paused = window.count();
      meanwhile();
      std::this_thread::sleep_until(end);
    };
  }
  return {index,
          [baseline = known.baseline, pause = std::move(pause), storage = known.storage](
              const Connection& connection) { return sample(connection, baseline, pause, storage); },
          known.suspect ? patience_.suspect_timeout : patience_.timeout,
          [paused = known.paused] { return Milliseconds{*paused}; }};
}

Survey::Seen Survey::seen(Answer<Sample> answer) {
  Known& state = hosts_[answer.host];
  const record::Host& known = state.host;
  Seen seen{answer.host, {}, {}};
  if (answer.value) {
    seen.host = std::move(answer.value->host);
    seen.vms = std::move(answer.value->vms);
    for (auto& vm : seen.vms) vm.host = known.host;
    state.baseline = std::move(answer.value->baseline);
    state.suspect = false;
  } else {
    state.suspect = answer.error->status() == Status::kTimeout;
    seen.host.state = state.suspect ? "timeout" : "unreachable";
    seen.host.error = answer.error->why();  // what was attempted is to sample it, whatever came first
    // Counters from before an outage are no base for rates: the host may have been started anew.
    state.baseline = nullptr;
  }
  seen.host.host = known.host;
  seen.host.failure_domain = known.failure_domain;
  seen.host.neighbourhood = known.neighbourhood;
  seen.host.drained = known.drained;
  seen.host.cpu_overcommit = known.cpu_overcommit;
  seen.host.memory_reserve_bytes = known.memory_reserve_bytes;
  seen.host.shared_storage = known.shared_storage;
  seen.host.elapsed_ms = std::max<Milliseconds::rep>(0, answer.elapsed.count() - *state.paused);
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
