// SPDX-License-Identifier: Apache-2.0
#include "series/band_metrics.h"

#include <functional>
#include <utility>

namespace rackline::series {
namespace {

std::string band_labels(std::string_view object, std::string_view resource, std::string_view direction) {
  return label("object", object) + "," + label("resource", resource) + "," + label("direction", direction);
}

// Each way out of a band that there is: `each` gets the resource and the direction.
void ways_out(std::span<const std::string_view> resources, std::span<const Edges> bands,
              const std::function<void(std::string_view, const char*)>& each) {
  for (std::size_t i = 0; i < bands.size(); ++i) {
    if (bands[i].high) each(resources[i], "above");
    if (bands[i].low) each(resources[i], "below");
  }
}

}  // namespace

BandMetrics::BandMetrics(Metrics& page)
    : page_(page),
      fluctuations_(page_.family("rackline_fluctuations_total",
                                 "times that usage left its band, or was back in it", "counter")),
      outside_(page_.family("rackline_outside_band", "1 while usage is outside its band")) {}

void BandMetrics::begin(const char* object, std::span<const std::string_view> resources,
                        std::span<const Edges> bands) {
  ways_out(resources, bands, [&](std::string_view resource, const char* direction) {
    counted_[band_labels(object, resource, direction)] = 0;
    counted_[band_labels(object, resource, "back")] = 0;
  });
}

void BandMetrics::see(const char* object, const std::string& who, std::span<const std::string_view> resources,
                      std::span<const Edges> bands) {
  ways_out(resources, bands, [&](std::string_view resource, const char* direction) {
    inside_.insert(who + "," + band_labels(object, resource, direction));
  });
}

void BandMetrics::add(const record::Fluctuation& fluctuation, const std::string& who) {
  const std::string what = band_labels(fluctuation.object, fluctuation.resource, fluctuation.direction);
  ++counted_[what];
  if (fluctuation.direction == "back") {
    out_.erase(fluctuation.cause.value_or(""));
  } else {
    out_[fluctuation.id] = who + "," + what;
  }
}

void BandMetrics::sample() {
  for (const auto& [labels, count] : counted_)
    page_.sample(fluctuations_, labels, static_cast<double>(count));
  for (const auto& [id, labels] : out_) {
    page_.sample(outside_, labels, 1);
    inside_.erase(labels);
  }
  for (const auto& labels : std::exchange(inside_, {})) page_.sample(outside_, labels, 0);
}

}  // namespace rackline::series
