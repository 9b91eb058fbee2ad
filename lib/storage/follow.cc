// SPDX-License-Identifier: Apache-2.0
#include "storage/follow.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>
#include <utility>

namespace rackline::storage {
namespace {

constexpr std::array<series::Quantity, kArrayResources.size()> kQuantities{
    {{"space", "percent"}, {"latency", "ms"}, {"iops", "iops"}, {"bytes", "bytes_per_second"}}};

constexpr std::size_t index(Resource resource) {
  return static_cast<std::size_t>(resource);
}

// Those of LUNs are the last of those of arrays.
constexpr std::size_t kOfLuns = kArrayResources.size() - kLunResources.size();

std::optional<double> sum(const record::Number& a, const record::Number& b) {
  if (!a || !b || !(*a >= 0) || !(*b >= 0) || !std::isfinite(*a + *b)) return std::nullopt;
  return *a + *b;
}

std::optional<double> amount(const record::Integer& value) {
  return value && *value >= 0 ? std::optional(static_cast<double>(*value)) : std::nullopt;
}

// Days until so many bytes are there, at so many an hour.
record::Number days(double bytes, double per_hour) {
  constexpr double kHours = 24;
  constexpr double kMost = 100 * 365;  // beyond that it is no forecast
  if (per_hour <= 0 || bytes / per_hour / kHours > kMost) return std::nullopt;
  return std::max(0.0, bytes / per_hour / kHours);
}

template <class Usage>
void take_load(const series::Summary& iops, const series::Summary& bytes, Usage& usage) {
  usage.iops_ewma = iops.ewma;
  usage.iops_p50 = iops.p50;
  usage.iops_p90 = iops.p90;
  usage.iops_p95 = iops.p95;
  usage.iops_trend_per_hour = iops.trend_per_hour;
  usage.bytes_ewma_per_second = bytes.ewma;
  usage.bytes_p50_per_second = bytes.p50;
  usage.bytes_p95_per_second = bytes.p95;
}

}  // namespace

void Follower::add(const record::ArraySample& sample) {
  Array& array = arrays_[sample.array];
  array.array = sample.array;
  array.seen = true;
  array.bytes = amount(sample.used_bytes);
  array.size = amount(sample.size_bytes);
  auto& tracks = array.tracks;
  constexpr double kPercent = 100;
  tracks[index(Resource::kSpace)].value = array.bytes && array.size && *array.size > 0
                                              ? std::optional(*array.bytes / *array.size * kPercent)
                                              : std::nullopt;
  tracks[index(Resource::kLatency)].value = sum(sample.probe_p50_ms, 0.0);
  tracks[index(Resource::kIops)].value = sum(sample.read_iops, sample.write_iops);
  tracks[index(Resource::kBytes)].value = sum(sample.read_bytes_per_second, sample.write_bytes_per_second);
}

void Follower::add(const record::LunSample& sample) {
  Lun& lun = luns_[sample.array + '\n' + sample.iqn + '\n' + std::to_string(sample.lun_number)];
  lun.array = sample.array;
  lun.lun = sample.lun;
  lun.iqn = sample.iqn;
  lun.number = sample.lun_number;
  lun.seen = true;
  lun.bytes = amount(sample.allocated_bytes);
  lun.tracks[index(Resource::kIops) - kOfLuns].value = sum(sample.read_iops, sample.write_iops);
  lun.tracks[index(Resource::kBytes) - kOfLuns].value =
      sum(sample.read_bytes_per_second, sample.write_bytes_per_second);
}

Follower::Round Follower::end_round(Milliseconds at, record::Time time) {
  Round round;
  const series::Moment moment{at, time};
  follow(arrays_, policy_.arrays, moment, round);
  follow(luns_, policy_.luns, moment, round);
  const auto tell = [&](auto& objects, auto& usages) {
    for (auto& [key, object] : objects) {
      if (!std::exchange(object.seen, false) || object.known != at) continue;
      usages.push_back(usage_of(object, at));
      usages.back().time = time;
    }
  };
  tell(arrays_, round.arrays);
  tell(luns_, round.luns);
  return round;
}

template <class Objects, class Bands>
void Follower::follow(Objects& objects, const Bands& bands, const series::Moment& moment, Round& round) {
  for (auto found = objects.begin(); found != objects.end();) {
    auto& object = found->second;
    const series::Who who{
        object.lun.empty() ? object.array : object.lun,
        object.iqn.empty() ? "" : object.array + " " + object.iqn + " " + std::to_string(object.number),
        object.lun.empty() ? object.array : object.lun + " on " + object.array};
    const auto tell = [&](std::optional<record::Fluctuation> fluctuation) {
      if (!fluctuation) return;
      fluctuation->object = object.lun.empty() ? "array" : "lun";
      fluctuation->array = object.array;
      if (!object.lun.empty()) fluctuation->lun = object.lun;
      round.fluctuations.push_back(std::move(*fluctuation));
    };
    const std::span quantities = std::span(kQuantities).last(bands.size());
    if (object.seen) object.met = moment.at;
    if (object.seen && object.bytes) {
      object.growth.add(moment.at, *object.bytes);
      object.known = moment.at;
    }
    for (std::size_t i = 0; i < bands.size(); ++i) {
      auto& track = object.tracks[i];
      if (!object.seen) {
        track.lose();
        continue;
      }
      if (track.value) object.known = moment.at;
      tell(track.follow(policy_, quantities[i], bands[i], who, moment));
    }
    if (object.known && moment.at - *object.known > policy_.shape.span) {
      const Milliseconds away = moment.at - *std::exchange(object.known, std::nullopt);
      for (std::size_t i = 0; i < bands.size(); ++i)
        tell(object.tracks[i].let_go(policy_, quantities[i], who, moment, away));
    }
    // Its growth over days is not lost by an outage of an hour.
    const Milliseconds kept = std::max<Milliseconds>(policy_.shape.span, std::chrono::days(1));
    found = moment.at - object.met > kept ? objects.erase(found) : std::next(found);
  }
}

record::ArrayUsage Follower::usage_of(const Array& array, Milliseconds at) const {
  const auto summary = [&](Resource resource) {
    return array.tracks[index(resource)].summary(policy_.shape, at);
  };
  const series::Summary space = summary(Resource::kSpace);
  const series::Summary latency = summary(Resource::kLatency);
  const series::Summary iops = summary(Resource::kIops);
  record::ArrayUsage usage;
  usage.array = array.array;
  usage.samples = std::max({space.samples, latency.samples, iops.samples});
  usage.span_ms = std::max({space.span, latency.span, iops.span}).count();
  usage.space_ewma_percent = space.ewma;
  usage.latency_ewma_ms = latency.ewma;
  usage.latency_p50_ms = latency.p50;
  usage.latency_p95_ms = latency.p95;
  take_load(iops, summary(Resource::kBytes), usage);
  if (const auto slope = array.growth.slope()) {
    usage.used_trend_bytes_per_hour = slope->per_hour;
    if (array.bytes && array.size) {
      const double free = *array.size - *array.bytes;
      usage.days_to_full = days(free, slope->per_hour);
      usage.days_to_full_soonest = days(free, slope->high);
      usage.days_to_full_latest = days(free, slope->low);
    }
  }
  return usage;
}

record::LunUsage Follower::usage_of(const Lun& lun, Milliseconds at) const {
  const auto summary = [&](Resource resource) {
    return lun.tracks[index(resource) - kOfLuns].summary(policy_.shape, at);
  };
  const series::Summary iops = summary(Resource::kIops);
  record::LunUsage usage;
  usage.lun = lun.lun;
  usage.array = lun.array;
  usage.iqn = lun.iqn;
  usage.lun_number = lun.number;
  usage.samples = iops.samples;
  usage.span_ms = iops.span.count();
  take_load(iops, summary(Resource::kBytes), usage);
  if (const auto slope = lun.growth.slope()) usage.allocated_trend_bytes_per_hour = slope->per_hour;
  return usage;
}

}  // namespace rackline::storage
