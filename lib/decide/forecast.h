// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rackline::decide {

// What a load is expected to be, in the unit of its resource.
struct Expected {
  double mean = 0;
  double variance = 0;
};

// What is left, since the round before, of the weight of what was seen until then.
struct Decay {
  explicit Decay(double seconds_passed);
  double level, late;
};

// What one load was over the rounds of a stream, and what may be expected of it after that.
//
// One sample says little: real loads are idle now and at four times their mean five minutes later, and a
// planner that believes the last sample moves for spikes. Kept are exponentially weighted means over the last
// half day and the last half hour, and a variance, corrected for their short past, with an assumed variance
// that counts as much as a few samples. What is expected is a mixture of both means: a load keeps its level,
// and what it did of late goes on for a while (on recorded days that is nearer to the next six hours than one
// mean of any memory). Percentiles of a window were discarded: those of a sum cannot be had from those of its
// parts, while means and variances add up, and what is asked is how a bin fares with other items.
class Forecast {
 public:
  // `watched`: the seconds for which the value counts.
  void add(double value, double watched, const Decay& decay, std::int64_t round);
  // `size` is the most that the load can be; a part of it is always uncertain.
  Expected expected(double size) const;
  // Of a load of which nothing but this value is known.
  static Forecast of(double value);

  std::int64_t round() const { return round_; }  // the last in which it was seen

 private:
  struct Average {
    double weight = 0;  // seconds that it was watched, the older the less
    double mean = 0;

    // Returns by how much of its distance to the value the mean went there.
    double add(double value, double watched, double decay);
  };
  Average level_, late_;  // over the last half day, and the last half hour
  double variance_ = 0;   // about the level
  std::int64_t round_ = 0;
};

// How long a sample counts: the time since the one before, but none for an hour because the stream paused.
inline constexpr double kFirstSeconds = 60;
inline constexpr double kLongestSeconds = 600;
// What was not seen for so many rounds is gone, and not only missing from a few.
inline constexpr std::int64_t kForgetAfter = 1000;

}  // namespace rackline::decide
