// SPDX-License-Identifier: Apache-2.0
#include "series/band.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "base/error.h"

namespace rackline::series {
namespace {

double release_of(double edge, bool high, const BandPolicy& policy) {
  const double margin = edge * policy.hysteresis_percent / 100;
  return high ? edge - margin : edge + margin;
}

double edge(std::string_view text, std::string_view all, std::string_view resource) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value) || value < 0) {
    const std::string name(resource);
    throw Error(Status::kUsage, "read a band", std::string(all), "expected a number from 0",
                "bands look like " + name + "=75, " + name + "=10..75 or " + name + "=off");
  }
  return value;
}

// "cpu, memory or swap".
std::string one_of(std::span<const std::string_view> names) {
  std::string all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    all += i == 0 ? "" : i + 1 == names.size() ? " or " : ", ";
    all += names[i];
  }
  return all;
}

void parse_band(std::string_view text, std::span<const std::string_view> resources, std::span<Edges> bands) {
  const auto equals = text.find('=');
  const auto found = std::find(resources.begin(), resources.end(), text.substr(0, equals));
  if (equals == std::string_view::npos || found == resources.end()) {
    throw Error(Status::kUsage, "read a band", std::string(text),
                "expected RESOURCE=HIGH, with " + one_of(resources));
  }
  Edges& edges = bands[static_cast<std::size_t>(found - resources.begin())];
  const std::string_view value = text.substr(equals + 1);
  edges = {};
  if (value == "off") return;
  const auto dots = value.find("..");
  if (dots == std::string_view::npos) {
    edges.high = edge(value, text, resources.front());
    return;
  }
  const std::string_view high = value.substr(dots + 2);
  edges.low = edge(value.substr(0, dots), text, resources.front());
  if (!high.empty()) edges.high = edge(high, text, resources.front());
  if (edges.high && *edges.high <= *edges.low) {
    throw Error(Status::kUsage, "read a band", std::string(text), "its upper edge is not above its lower");
  }
}

}  // namespace

void parse_bands(std::string_view text, std::span<const std::string_view> resources, std::span<Edges> bands) {
  for (;;) {
    const auto comma = text.find(',');
    parse_band(text.substr(0, comma), resources, bands);
    if (comma == std::string_view::npos) return;
    text.remove_prefix(comma + 1);
  }
}

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

}  // namespace rackline::series
