// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/time.h"

namespace rackline::series {

// Where usage is at home. An edge that is not there is never crossed.
struct Edges {
  std::optional<double> low = {}, high = {};
};

// Reads "cpu=75", "cpu=10..75", "cpu=10.." or "cpu=off", several of them with commas between, into the one of
// `bands` that stands where `resources` has the name. Throws Error(kUsage).
void parse_bands(std::string_view text, std::span<const std::string_view> resources, std::span<Edges> bands);

struct BandPolicy {
  // Usage has to be out, or back, for so long without a break before it is said.
  Milliseconds hold{std::chrono::minutes(1)};
  // It is back only when it is inside the edge by this share of the edge.
  double hysteresis_percent = 10;
};

// Follows one quantity and tells when it leaves its band and when it is back: the threshold, hold time and
// hysteresis that keep a spike, or usage that trembles around an edge, from setting anything in motion.
class Band {
 public:
  enum class Side { kInside, kAbove, kBelow };

  struct Crossing {
    Side from, to;  // one of them is kInside
    Milliseconds held{0};
    double threshold = 0;  // the edge
    double release = 0;    // beyond this it counts as back
  };

  // The value at this time, which must not be less than that of the one before. From one side to the other
  // it comes back first, and its hold time begins anew.
  std::optional<Crossing> see(const Edges& edges, const BandPolicy& policy, Milliseconds at, double value);
  // It is not known now: what was held so far proves nothing any more.
  void lose() { pending_.reset(); }
  // Forgets all.
  void reset() { *this = {}; }

  Side side() const { return side_; }

 private:
  Side side_ = Side::kInside;
  Side towards_ = Side::kInside;
  std::optional<Milliseconds> pending_;  // since when it has been on `towards_`
};

}  // namespace rackline::series
