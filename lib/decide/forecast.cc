// SPDX-License-Identifier: Apache-2.0
#include "decide/forecast.h"

#include <cmath>

namespace rackline::decide {
namespace {

// What is so old counts 1/e: long enough for a level to stand out from noise, and short enough for what goes
// on now.
constexpr double kMemorySeconds = 12 * 3600;
constexpr double kLateSeconds = 30 * 60;
constexpr double kLatePart = 0.35;  // of what is expected
// Until something was watched for this long, its variance is mostly the assumed one: a standard deviation of
// so much of its mean, and so much of its size.
constexpr double kAssumedSeconds = 20 * 60;
constexpr double kAssumedOfMean = 0.4;
constexpr double kAssumedOfSize = 0.02;

}  // namespace

Decay::Decay(double seconds_passed)
    : level(std::exp(-seconds_passed / kMemorySeconds)), late(std::exp(-seconds_passed / kLateSeconds)) {}

double Forecast::Average::add(double value, double watched, double decay) {
  weight = weight * decay + watched;
  const double gain = watched / weight;
  mean += gain * (value - mean);
  return gain;
}

void Forecast::add(double value, double watched, const Decay& decay, std::int64_t round) {
  late_.add(value, watched, decay.late);
  const double off = value - level_.mean;
  const double gain = level_.add(value, watched, decay.level);
  variance_ = (1 - gain) * (variance_ + gain * off * off);
  round_ = round;
}

Expected Forecast::expected(double size) const {
  const double off = kAssumedOfMean * level_.mean;
  const double of_size = kAssumedOfSize * size;
  const double assumed = off * off + of_size * of_size;
  const double weight = level_.weight;
  return {(1 - kLatePart) * level_.mean + kLatePart * late_.mean,
          (kAssumedSeconds * assumed + weight * variance_) / (kAssumedSeconds + weight)};
}

Forecast Forecast::of(double value) {
  Forecast forecast;
  forecast.level_.mean = forecast.late_.mean = value;
  return forecast;
}

}  // namespace rackline::decide
