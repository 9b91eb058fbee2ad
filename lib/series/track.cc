// SPDX-License-Identifier: Apache-2.0
#include "series/track.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "base/id.h"
#include "base/units.h"

namespace rackline::series {
namespace {

std::optional<double> scaled(const std::optional<double>& value, double factor) {
  return value ? std::optional(*value * factor) : std::nullopt;
}

std::string amount(double value, std::string_view unit) {
  if (unit == "bytes_per_second") return format_bytes(std::llround(value)) + "/s";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return std::string(text.data()) + (unit == "percent" ? "%" : " " + std::string(unit));
}

}  // namespace

std::optional<record::Fluctuation> Track::follow(const Policy& policy, const Quantity& quantity,
                                                 const Edges& edges, const Who& who, const Moment& moment) {
  if (!value) {
    lose();
    return std::nullopt;
  }
  window_.add(policy.shape, moment.at, *value);
  if (scale == 0) return std::nullopt;
  const double smooth = *window_.ewma() * scale;
  const auto crossing = band_.see(edges, policy.band, moment.at, smooth);
  if (!crossing) return std::nullopt;
  threshold_ = crossing->threshold;
  release_ = crossing->release;
  const bool back = crossing->to == Band::Side::kInside;
  const Band::Side side = back ? crossing->from : crossing->to;
  record::Fluctuation fluctuation = describe(policy, quantity, who, moment);
  fluctuation.value = smooth;
  fluctuation.held_ms = crossing->held.count();
  fluctuation.direction = back ? "back" : side == Band::Side::kAbove ? "above" : "below";
  fluctuation.id = derived_id({"fluctuation", who.name, who.uuid, quantity.name, fluctuation.direction,
                               format_time(moment.time), std::to_string(moment.at.count())});
  const bool greater = (side == Band::Side::kAbove) != back;
  fluctuation.reason += amount(smooth, quantity.unit) + (greater ? " > " : " < ") +
                        amount(back ? crossing->release : crossing->threshold, quantity.unit) + " for " +
                        format_duration(crossing->held) + (back ? ", back in its band" : "");
  if (back) {
    fluctuation.cause = std::exchange(incident_, {});
  } else {
    incident_ = fluctuation.id;
  }
  return fluctuation;
}

std::optional<record::Fluctuation> Track::let_go(const Policy& policy, const Quantity& quantity,
                                                 const Who& who, const Moment& moment, Milliseconds away) {
  window_ = {};
  band_.reset();
  if (incident_.empty()) return std::nullopt;
  record::Fluctuation fluctuation = describe(policy, quantity, who, moment);
  fluctuation.direction = "back";
  fluctuation.held_ms = away.count();
  fluctuation.cause = std::exchange(incident_, {});
  fluctuation.id = derived_id({"fluctuation", who.name, who.uuid, quantity.name, "gone",
                               format_time(moment.time), std::to_string(moment.at.count())});
  fluctuation.reason += "is not known any more, for " + format_duration(away);
  return fluctuation;
}

record::Fluctuation Track::describe(const Policy& policy, const Quantity& quantity, const Who& who,
                                    const Moment& moment) const {
  record::Fluctuation fluctuation;
  fluctuation.time = moment.time;
  fluctuation.resource = quantity.name;
  fluctuation.unit = quantity.unit;
  fluctuation.threshold = threshold_;
  fluctuation.release = release_;
  const Summary window = window_.summary(policy.shape, moment.at);
  const double factor = scale == 0 ? 1 : scale;
  fluctuation.p50 = scaled(window.p50, factor);
  fluctuation.p90 = scaled(window.p90, factor);
  fluctuation.p95 = scaled(window.p95, factor);
  fluctuation.trend_per_hour = scaled(window.trend_per_hour, factor);
  fluctuation.samples = window.samples;
  fluctuation.reason = who.shown + " " + std::string(quantity.name) + " ";
  return fluctuation;
}

}  // namespace rackline::series
