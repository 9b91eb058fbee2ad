// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/detector.h"

#include <algorithm>
#include <cmath>

namespace rackline::heartbeat {

DetectorPolicy paced(Milliseconds interval, Milliseconds suspect, Milliseconds dead) {
  constexpr Milliseconds kShortest{1000};
  const Milliseconds none{0};
  DetectorPolicy policy;
  policy.interval = interval;
  policy.dead = dead != none ? dead : std::max({3 * interval, kShortest, suspect * 3 / 2});
  policy.suspect = suspect != none ? suspect : policy.dead * 2 / 3;
  policy.min_deviation = std::max(interval / 10, Milliseconds{10});
  return policy;
}

void Detector::heard(Milliseconds now, const DetectorPolicy& policy) {
  if (last_ && policy.kind == DetectorPolicy::Kind::kPhi) {
    float& slot = intervals_[count_ % kWindow];
    if (count_ >= kWindow) {
      sum_ -= slot;
      squares_ -= static_cast<double>(slot) * slot;
    }
    slot = static_cast<float>((now - *last_).count());
    sum_ += slot;
    squares_ += static_cast<double>(slot) * slot;
    ++count_;
  }
  last_ = now;
}

void Detector::forgive(Milliseconds by) {
  if (last_) *last_ += by;
}

Milliseconds Detector::silence(Milliseconds now) const {
  return last_ ? std::max(now - *last_, Milliseconds{0}) : Milliseconds{0};
}

double Detector::phi(Milliseconds now, const DetectorPolicy& policy) const {
  if (!last_) return 0;
  const double number = std::min<double>(count_, kWindow);
  // Until it has seen some, it takes the heartbeats for as regular as they are meant to be.
  const bool known = number >= 8;
  const double mean = known ? sum_ / number : static_cast<double>(policy.interval.count());
  const double variance = known ? std::max(0.0, squares_ / number - mean * mean) : mean * mean / 16;
  const double deviation = std::max(std::sqrt(variance), static_cast<double>(policy.min_deviation.count()));
  const double late = (static_cast<double>(silence(now).count()) - mean) / deviation;
  const double probability = 0.5 * std::erfc(late / std::sqrt(2.0));
  constexpr double kLeast = 1e-300;  // beyond it there are no numbers
  return -std::log10(std::max(probability, kLeast));
}

bool Detector::suspicious(Milliseconds now, const DetectorPolicy& policy) const {
  if (!last_) return false;
  return policy.kind == DetectorPolicy::Kind::kFixed ? silence(now) >= policy.suspect
                                                     : phi(now, policy) >= policy.phi / 2;
}

bool Detector::dead(Milliseconds now, const DetectorPolicy& policy) const {
  if (!last_) return false;
  return policy.kind == DetectorPolicy::Kind::kFixed ? silence(now) >= policy.dead
                                                     : phi(now, policy) >= policy.phi;
}

}  // namespace rackline::heartbeat
