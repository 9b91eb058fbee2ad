// SPDX-License-Identifier: Apache-2.0
#include "storage/hours.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace rackline::storage {
namespace {

constexpr std::int64_t kSlotSeconds = 1800;
constexpr double kMemory = 300;  // slots; one so old counts 1/e
// The past is taken to have been so many slots longer, without any overload: what happened once is no habit.
constexpr double kUnseen = 10;
// Excess is worth so many times the time above: being above by a third of the safety counts as much again as
// being above at all.
constexpr float kExcess = 3;
constexpr float kMostExcess = 2;  // of the safety: what is beyond no placement mends

}  // namespace

bool Hours::begin_round(record::Time time) {
  if (rounds_ > 0 && time <= time_) return false;
  time_ = time;
  slot_ = time.time_since_epoch().count() / kSlotSeconds;
  if (rounds_++ == 0) first_ = slot_;
  if (rounds_ % 1000 == 0) {
    std::erase_if(tracks_, [this](const auto& entry) { return entry.second.slot <= slot_ - kSlots; });
  }
  return true;
}

void Hours::add(const std::string& lun, double load) {
  Track& track = tracks_[lun];
  if (track.slot < 0) track.means.resize(1);
  const auto at = [](std::int64_t slot) { return static_cast<std::size_t>(slot % kSlots); };
  // A stream of one round, however large its fleet is, needs no room for a week.
  if (track.slot >= 0 && track.slot != slot_ && track.means.size() < kSlots) {
    const float only = track.means.front();
    track.means.assign(kSlots, 0);
    track.means[at(track.slot)] = only;
  }
  if (track.slot != slot_) {
    if (track.slot >= 0) {
      for (std::int64_t slot = std::max(track.slot + 1, slot_ - kSlots + 1); slot < slot_; ++slot)
        track.means[at(slot)] = 0;
    }
    track.slot = slot_;
    track.samples = 0;
  }
  float& mean = track.means.size() < kSlots ? track.means.front() : track.means[at(slot_)];
  if (track.samples == 0) mean = 0;
  track.samples += 1;
  mean += (static_cast<float>(load) - mean) / track.samples;
}

int Hours::seen() const {
  return rounds_ == 0 ? 0 : static_cast<int>(std::min<std::int64_t>(kSlots, slot_ - first_ + 1));
}

std::vector<float> Hours::row(const std::string& lun) const {
  const auto found = tracks_.find(lun);
  if (found == tracks_.end()) return {};
  const Track& track = found->second;
  std::vector<float> row(static_cast<std::size_t>(seen()), 0);
  bool any = false;
  for (std::size_t age = 0; age < row.size(); ++age) {
    const std::int64_t slot = slot_ - static_cast<std::int64_t>(age);
    if (slot > track.slot || slot <= track.slot - kSlots) continue;
    if (track.means.size() < kSlots && slot != track.slot) continue;
    row[age] = track.means.size() < kSlots ? track.means.front()
                                           : track.means[static_cast<std::size_t>(slot % kSlots)];
    any = any || row[age] > 0;
  }
  return any ? row : std::vector<float>();
}

HourLoads::HourLoads(const plan::State& state, const std::vector<std::vector<float>>& rows,
                     const std::vector<double>& safety, int slots)
    : rows_(rows), safety_(safety.begin(), safety.end()) {
  for (int age = 0; age < slots; ++age) weights_.push_back(static_cast<float>(std::exp(-age / kMemory)));
  const float all = std::accumulate(weights_.begin(), weights_.end(), static_cast<float>(kUnseen));
  for (float& weight : weights_) weight /= all;
  loads_.assign(safety_.size(), std::vector<float>(weights_.size(), 0));
  for (int item = 0; item < state.model().items(); ++item) {
    if (state.where(item) != plan::kNowhere) add(state.where(item), item, 1);
  }
  troubles_.resize(safety_.size());
  for (int bin = 0; bin < state.model().bins(); ++bin) troubles_[index(bin)] = trouble_of(bin, -1, 0);
}

void HourLoads::add(int bin, int item, float sign) {
  const auto& row = rows_[index(item)];
  auto& load = loads_[index(bin)];
  for (std::size_t i = 0; i < row.size(); ++i) load[i] += sign * row[i];
}

double HourLoads::trouble_of(int bin, int item, float sign) const {
  const float safety = safety_[index(bin)];
  const float* load = loads_[index(bin)].data();
  const float* row = item < 0 || rows_[index(item)].empty() ? nullptr : rows_[index(item)].data();
  const float inverse = safety > 0 ? 1 / safety : 0;
  float trouble = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const float then = load[i] + (row != nullptr ? sign * row[i] : 0);
    const float excess = std::min((then - safety) * inverse, kMostExcess);
    trouble += excess > 0 ? weights_[i] * (1 + kExcess * excess) : 0;
  }
  return static_cast<double>(trouble);
}

double HourLoads::ease(int bin) const {
  float load = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i) load += weights_[i] * loads_[index(bin)][i];
  return static_cast<double>(safety_[index(bin)] - load) - troubles_[index(bin)];
}

void HourLoads::move(int item, int from, int to) {
  add(from, item, -1);
  add(to, item, 1);
  for (const int bin : {from, to}) troubles_[index(bin)] = trouble_of(bin, -1, 0);
}

double HourLoads::above(int bin) const {
  float part = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i)
    part += loads_[index(bin)][i] > safety_[index(bin)] ? weights_[i] : 0;
  return static_cast<double>(part);
}

}  // namespace rackline::storage
