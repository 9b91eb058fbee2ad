// SPDX-License-Identifier: Apache-2.0
#include "act/schedule.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace rackline::act {

Schedule::Schedule(std::vector<Item> items, int max_total, DependsOn depends_on)
    : items_(std::move(items)),
      max_total_(max_total),
      depends_on_(std::move(depends_on)),
      states_(items_.size(), State::kWaiting) {}

std::vector<std::size_t> Schedule::begin() {
  std::int64_t stage = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (states_[i] != State::kSettled) stage = std::min(stage, items_[i].stage);
  }
  std::vector<std::size_t> begun;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (running_ >= max_total_) break;       // @rule 08-everywhere
    if (items_[i].stage != stage) continue;  // @rule 05-stages
    if (states_[i] != State::kWaiting || !has_room(items_[i])) continue;
    occupy(items_[i], 1);
    ++running_;
    states_[i] = State::kRunning;
    begun.push_back(i);
  }
  return begun;
}

bool Schedule::has_room(const Item& item) const {
  return std::all_of(item.slots.begin(), item.slots.end(), [this](const Slot& slot) {
    const auto occupied = occupied_.find(slot.key);
    return occupied == occupied_.end() || occupied->second < slot.limit;
  });
}

void Schedule::occupy(const Item& item, int by) {
  for (const Slot& slot : item.slots) occupied_[slot.key] += by;
}

void Schedule::settle(std::size_t item) {
  if (states_[item] == State::kRunning) {
    occupy(items_[item], -1);
    --running_;
  }
  states_[item] = State::kSettled;
  ++settled_;
}

void Schedule::finish(std::size_t item, bool carried_out) {
  settle(item);
  if (!carried_out) fail_dependants(item);  // @rule 05-dependants
}

void Schedule::fail_dependants(std::size_t failed) {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (states_[i] != State::kWaiting) continue;
    const auto reason = depends_on_(i, failed);
    if (!reason) continue;
    refused_.push_back({i, *reason});
    settle(i);
    fail_dependants(i);
  }
}

std::vector<Schedule::Refused> Schedule::refused() {
  return std::exchange(refused_, {});
}

std::vector<std::size_t> Schedule::give_up() {
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (states_[i] != State::kWaiting) continue;
    left.push_back(i);
    settle(i);
  }
  return left;
}

}  // namespace rackline::act
