// SPDX-License-Identifier: Apache-2.0
#include "migrate/schedule.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace rackline::migrate {

MigrationSchedule::MigrationSchedule(std::vector<Move> moves,
                                     const std::map<std::string, MigrationHost>& hosts,
                                     const MigrationPolicy& policy)
    : moves_(std::move(moves)), policy_(policy), states_(moves_.size(), State::kWaiting) {
  for (const auto& [name, host] : hosts) {
    if (host.failure_domain) domain_of_[name] = *host.failure_domain;
  }
}

std::vector<std::size_t> MigrationSchedule::begin() {
  std::int64_t stage = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < moves_.size(); ++i) {
    if (states_[i] != State::kSettled) stage = std::min(stage, moves_[i].stage);
  }
  std::vector<std::size_t> begun;
  for (std::size_t i = 0; i < moves_.size() && running_ < policy_.max_total; ++i) {
    const Move& move = moves_[i];
    if (states_[i] != State::kWaiting || move.stage != stage) continue;
    int& out = outbound_[move.from];
    int& in = inbound_[move.to];
    if (out >= policy_.max_outbound || in >= policy_.max_inbound) continue;
    ++out;
    ++in;
    ++running_;
    states_[i] = State::kRunning;
    begun.push_back(i);
  }
  return begun;
}

void MigrationSchedule::settle(std::size_t move) {
  if (states_[move] == State::kRunning) {
    --outbound_[moves_[move].from];
    --inbound_[moves_[move].to];
    --running_;
  }
  states_[move] = State::kSettled;
  ++settled_;
}

void MigrationSchedule::finish(std::size_t move, bool carried_out) {
  settle(move);
  if (!carried_out) fail_dependants(move);
}

std::optional<std::string> MigrationSchedule::depends_on(const Move& later, const Move& failed) const {
  if (later.stage <= failed.stage) return std::nullopt;
  if (later.vm == failed.vm) return "an earlier move of it was not carried out";
  const std::string blame = failed.vm + " did not leave " + failed.from;
  if (later.to == failed.from) return blame + ", where this one was to go";
  const auto left = domain_of_.find(failed.from);
  const auto entered = domain_of_.find(later.to);
  if (left != domain_of_.end() && entered != domain_of_.end() && left->second == entered->second) {
    return blame + ", which is in the failure domain " + left->second + " of " + later.to;
  }
  return std::nullopt;
}

void MigrationSchedule::fail_dependants(std::size_t failed) {
  for (std::size_t i = 0; i < moves_.size(); ++i) {
    if (states_[i] != State::kWaiting) continue;
    const auto reason = depends_on(moves_[i], moves_[failed]);
    if (!reason) continue;
    refused_.push_back({i, *reason});
    settle(i);
    fail_dependants(i);
  }
}

std::vector<MigrationSchedule::Refused> MigrationSchedule::refused() {
  return std::exchange(refused_, {});
}

std::vector<std::size_t> MigrationSchedule::give_up() {
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < moves_.size(); ++i) {
    if (states_[i] != State::kWaiting) continue;
    left.push_back(i);
    settle(i);
  }
  return left;
}

}  // namespace rackline::migrate
