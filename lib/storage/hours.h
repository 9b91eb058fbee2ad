// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "decide/by_name.h"
#include "decide/relief.h"
#include "record/kind.h"

namespace rackline::storage {

// What LUNs did in each half hour of the last week.
//
// Each half hour is one way in which loads come together: the load of an array in it is the sum over its
// LUNs, whatever array they were on then. So LUNs that are busy at different times are seen to go together,
// and what is told of an array is a percentile of the sum and not a sum of percentiles. Means and variances,
// which are enough for many small virtual servers, were discarded: the loads of disks are bursts, and a few
// of them make up most of an array's.
class Hours {
 public:
  static constexpr int kSlots = 7 * 48;

  // A round that is not later than the one before counts nothing.
  bool begin_round(record::Time time);
  void add(const std::string& lun, double load);

  int rounds() const { return rounds_; }
  // Slots that the stream has seen, the newest first; a week at most.
  int seen() const;
  // Of each slot the load, or 0; the newest first. nullptr: never seen.
  std::vector<float> row(const std::string& lun) const;

 private:
  struct Track {
    std::vector<float> means;  // [slot % kSlots]
    std::int64_t slot = -1;    // the last in it
    float samples = 0;         // of that
  };
  decide::ByName<Track> tracks_;
  record::Time time_{};
  std::int64_t first_ = 0, slot_ = 0;
  int rounds_ = 0;
};

// The loads of arrays if all hours of the last week come again, newer ones more than older.
class HourLoads : public decide::Loads {
 public:
  // `rows` is of each item, and has to outlive this; `safety` of each bin.
  HourLoads(const plan::State& state, const std::vector<std::vector<float>>& rows,
            const std::vector<double>& safety, int slots);

  double trouble(int bin) const override { return troubles_[index(bin)]; }
  double trouble_with(int bin, int item) const override { return trouble_of(bin, item, 1); }
  double trouble_without(int bin, int item) const override { return trouble_of(bin, item, -1); }
  double ease(int bin) const override;
  bool idle(int item) const override { return rows_[index(item)].empty(); }
  bool bears(int /*bin*/, int /*item*/) const override { return true; }
  void move(int item, int from, int to) override;
  // Part of the time that it is above its safety.
  double above(int bin) const;

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  double trouble_of(int bin, int item, float sign) const;
  void add(int bin, int item, float sign);

  const std::vector<std::vector<float>>& rows_;
  std::vector<float> safety_;
  std::vector<float> weights_;  // of slots; their sum is below 1: a short past proves little
  std::vector<std::vector<float>> loads_;
  std::vector<double> troubles_;
};

}  // namespace rackline::storage
