// SPDX-License-Identifier: Apache-2.0
#include "usage/band.h"

namespace rackline::usage {
namespace {

double release_of(double edge, bool high, const BandPolicy& policy) {
  const double margin = edge * policy.hysteresis_percent / 100;
  return high ? edge - margin : edge + margin;
}

}  // namespace

std::optional<Band::Crossing> Band::see(const Edges& edges, const BandPolicy& policy, Milliseconds at,
                                        double value) {
  const bool above = edges.high && value > *edges.high;
  const bool below = edges.low && value < *edges.low;
  Side seen = above ? Side::kAbove : below ? Side::kBelow : Side::kInside;
  if (side_ == Side::kAbove && edges.high && value > release_of(*edges.high, true, policy)) seen = side_;
  if (side_ == Side::kBelow && edges.low && value < release_of(*edges.low, false, policy)) seen = side_;
  if (side_ != Side::kInside && seen != side_) seen = Side::kInside;
  if (seen == side_) {
    pending_.reset();
    return std::nullopt;
  }
  if (!pending_ || towards_ != seen) pending_ = at;
  towards_ = seen;
  if (at - *pending_ < policy.hold) return std::nullopt;

  Crossing crossing{.from = side_, .to = seen, .held = at - *pending_};
  const Side out = seen == Side::kInside ? side_ : seen;
  const std::optional<double>& edge = out == Side::kAbove ? edges.high : edges.low;
  crossing.threshold = edge.value_or(0);
  crossing.release = release_of(crossing.threshold, out == Side::kAbove, policy);
  side_ = seen;
  pending_.reset();
  return crossing;
}

}  // namespace rackline::usage
