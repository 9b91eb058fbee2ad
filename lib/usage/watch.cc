// SPDX-License-Identifier: Apache-2.0
#include "usage/watch.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <utility>

#include "base/id.h"
#include "base/units.h"

namespace rackline::usage {
namespace {

constexpr std::size_t index(Resource resource) {
  return static_cast<std::size_t>(resource);
}

std::optional<double> share(std::optional<double> part, std::optional<double> whole) {
  if (!part || !whole || *whole <= 0) return std::nullopt;
  return *part / *whole * 100;
}

std::optional<double> number(const record::Integer& value) {
  return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
}

// What cannot be a measure is not known: a broken figure must not be taken for a calm host. Rounded as a
// record is, so that a replay comes to the same.
std::optional<double> sound(const std::optional<double>& value) {
  constexpr double kDecimals = 1e6;
  constexpr double kMost = 1e18;
  if (!value || !(*value >= 0 && *value <= kMost)) return std::nullopt;
  return std::round(*value * kDecimals) / kDecimals;
}

std::optional<std::int64_t> whole(const std::optional<double>& value) {
  return value ? std::optional(static_cast<std::int64_t>(std::llround(*value))) : std::nullopt;
}

std::optional<double> scaled(const std::optional<double>& value, double factor) {
  return value ? std::optional(*value * factor) : std::nullopt;
}

std::string amount(double value, std::size_t resource) {
  if (resource == index(Resource::kSwap)) return format_bytes(std::llround(value)) + "/s";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g%%", value);
  return text.data();
}

}  // namespace

void Watch::add(const record::HostSample& sample) {
  Object& host = hosts_[sample.host];
  host.name = host.host = sample.host;
  host.seen = true;
  auto& tracks = host.tracks;
  tracks[index(Resource::kCpu)].value = sound(sample.cpu_percent);
  tracks[index(Resource::kMemory)].value =
      sound(share(number(sample.memory_used_bytes), number(sample.memory_bytes)));
  tracks[index(Resource::kSteal)].value = sound(sample.cpu_steal_percent);
  tracks[index(Resource::kPressure)].value = sound(sample.memory_pressure_percent);
  if (sample.state != "up") return;
  if (sample.cpus.value_or(1) <= 0) {
    host.doubt = "host " + sample.host + ": it has " + std::to_string(*sample.cpus) + " CPUs";
    tracks[index(Resource::kCpu)].value.reset();
  } else if (sample.memory_bytes.value_or(1) <= 0) {
    host.doubt =
        "host " + sample.host + ": it has " + std::to_string(*sample.memory_bytes) + " bytes of memory";
  }
}

void Watch::add(const record::VmSample& sample) {
  const std::string uuid = sample.uuid.value_or("");
  Object& vm = vms_[sample.vm + '\n' + uuid];
  const bool runs = sample.state == "running" && !sample.migrating.value_or(false);
  if (vm.seen && (vm.runs || !runs)) return;
  vm.name = sample.vm;
  vm.host = sample.host;
  vm.uuid = uuid;
  vm.seen = vm.vm = true;
  vm.runs = runs;
  vm.vcpus = number(sample.vcpus);
  vm.memory_bytes = sound(number(sample.memory_used_bytes));
  auto& tracks = vm.tracks;
  tracks[index(Resource::kCpu)].value = sound(sample.cpu_cores);
  const auto given = number(sample.memory_bytes);
  const auto usable = number(sample.memory_usable_bytes);
  tracks[index(Resource::kMemory)].value =
      given && usable ? sound(share(std::max(*given - *usable, 0.0), given)) : std::nullopt;
  tracks[index(Resource::kSteal)].value = sound(sample.cpu_steal_percent);
  tracks[index(Resource::kSwap)].value.reset();
  if (sample.swap_in_bytes_per_second && sample.swap_out_bytes_per_second) {
    const auto in = sound(sample.swap_in_bytes_per_second);
    const auto out = sound(sample.swap_out_bytes_per_second);
    if (in && out) tracks[index(Resource::kSwap)].value = *in + *out;
  }
  if (runs && vm.vcpus.value_or(1) <= 0) {
    vm.doubt = "virtual server " + sample.vm + ": it has " + std::to_string(*sample.vcpus) + " CPUs";
    tracks[index(Resource::kCpu)].value.reset();
  }
}

Watch::Round Watch::end_round(Milliseconds at, record::Time time) {
  Round round;
  follow(hosts_, policy_.hosts, at, time, round);
  follow(vms_, policy_.vms, at, time, round);
  for (auto& [name, host] : hosts_) {
    if (std::exchange(host.seen, false) && host.known == at) {
      round.hosts.push_back(host_usage(host, at, time));
    }
  }
  for (auto& [name, vm] : vms_) {
    if (std::exchange(vm.seen, false) && vm.known == at) round.vms.push_back(vm_usage(vm, at, time));
  }
  return round;
}

void Watch::follow(Objects& objects, const Bands& bands, Milliseconds at, record::Time time, Round& round) {
  for (auto found = objects.begin(); found != objects.end();) {
    Object& object = found->second;
    follow(object, bands, at, time, round);
    if (object.known && at - *object.known > policy_.shape.span) let_go(object, at, time, round);
    found = at - object.met > policy_.shape.span ? objects.erase(found) : std::next(found);
  }
}

void Watch::follow(Object& object, const Bands& bands, Milliseconds at, record::Time time, Round& round) {
  if (object.seen && !object.doubt.empty() && !std::exchange(object.doubted, true)) {
    round.doubts.push_back(object.doubt + ", so no share of them can be told");
  }
  if (object.seen) object.met = at;
  if (object.seen && object.memory_bytes) {
    object.memory.add(policy_.shape, at, *object.memory_bytes);
    object.known = at;
  }
  for (std::size_t i = 0; i < object.tracks.size(); ++i) {
    Track& track = object.tracks[i];
    if (!object.seen || !track.value) {
      track.band.lose();
      continue;
    }
    track.window.add(policy_.shape, at, *track.value);
    object.known = at;
    double smooth = *track.window.ewma();
    if (object.vm && i == index(Resource::kCpu)) {
      if (!object.vcpus) continue;
      smooth *= 100 / *object.vcpus;
    }
    const auto crossing = track.band.see(bands[i], policy_.band, at, smooth);
    if (!crossing) continue;
    track.threshold = crossing->threshold;
    track.release = crossing->release;
    const bool back = crossing->to == series::Band::Side::kInside;
    const series::Band::Side side = back ? crossing->from : crossing->to;
    record::Fluctuation fluctuation = describe(object, i, at, time);
    fluctuation.value = smooth;
    fluctuation.held_ms = crossing->held.count();
    fluctuation.direction = back ? "back" : side == series::Band::Side::kAbove ? "above" : "below";
    fluctuation.id = derived_id({"fluctuation", object.name, object.uuid, kResources[i],
                                 fluctuation.direction, format_time(time), std::to_string(at.count())});
    const bool greater = (side == series::Band::Side::kAbove) != back;
    fluctuation.reason += amount(smooth, i) + (greater ? " > " : " < ") +
                          amount(back ? crossing->release : crossing->threshold, i) + " for " +
                          format_duration(crossing->held) + (back ? ", back in its band" : "");
    if (back) {
      fluctuation.cause = std::exchange(track.incident, {});
    } else {
      track.incident = fluctuation.id;
    }
    round.fluctuations.push_back(std::move(fluctuation));
  }
}

// What is out and not seen any more would be out for ever to whoever reads the stream.
void Watch::let_go(Object& object, Milliseconds at, record::Time time, Round& round) const {
  const Milliseconds away = at - *std::exchange(object.known, std::nullopt);
  object.memory = {};
  for (std::size_t i = 0; i < object.tracks.size(); ++i) {
    Track& track = object.tracks[i];
    track.window = {};
    track.band.reset();
    if (track.incident.empty()) continue;
    record::Fluctuation fluctuation = describe(object, i, at, time);
    fluctuation.direction = "back";
    fluctuation.held_ms = away.count();
    fluctuation.cause = std::exchange(track.incident, {});
    fluctuation.id = derived_id({"fluctuation", object.name, object.uuid, kResources[i], "gone",
                                 format_time(time), std::to_string(at.count())});
    fluctuation.reason += "is not known any more, for " + format_duration(away);
    round.fluctuations.push_back(std::move(fluctuation));
  }
}

record::Fluctuation Watch::describe(const Object& object, std::size_t resource, Milliseconds at,
                                    record::Time time) const {
  const Track& track = object.tracks[resource];
  record::Fluctuation fluctuation;
  fluctuation.time = time;
  fluctuation.object = object.vm ? "vm" : "host";
  fluctuation.host = object.host;
  fluctuation.resource = kResources[resource];
  fluctuation.unit = resource == index(Resource::kSwap) ? "bytes_per_second" : "percent";
  fluctuation.threshold = track.threshold;
  fluctuation.release = track.release;
  if (object.vm) {
    fluctuation.vm = object.name;
    if (!object.uuid.empty()) fluctuation.uuid = object.uuid;
  }
  const series::Summary window = track.window.summary(policy_.shape, at);
  const double factor = object.vm && resource == index(Resource::kCpu) ? 100 / object.vcpus.value_or(1) : 1;
  fluctuation.p50 = scaled(window.p50, factor);
  fluctuation.p90 = scaled(window.p90, factor);
  fluctuation.p95 = scaled(window.p95, factor);
  fluctuation.trend_per_hour = scaled(window.trend_per_hour, factor);
  fluctuation.samples = window.samples;
  fluctuation.reason =
      object.name + (object.vm ? " on " + object.host : "") + " " + fluctuation.resource + " ";
  return fluctuation;
}

record::HostUsage Watch::host_usage(const Object& host, Milliseconds at, record::Time time) const {
  const auto summary = [&](Resource resource) {
    return host.tracks[index(resource)].window.summary(policy_.shape, at);
  };
  const series::Summary cpu = summary(Resource::kCpu);
  const series::Summary memory = summary(Resource::kMemory);
  const series::Summary steal = summary(Resource::kSteal);
  const series::Summary pressure = summary(Resource::kPressure);
  record::HostUsage usage;
  usage.time = time;
  usage.host = host.name;
  usage.samples = std::max(cpu.samples, memory.samples);
  usage.span_ms = std::max(cpu.span, memory.span).count();
  usage.cpu_ewma_percent = cpu.ewma;
  usage.cpu_p50_percent = cpu.p50;
  usage.cpu_p90_percent = cpu.p90;
  usage.cpu_p95_percent = cpu.p95;
  usage.cpu_trend_percent_per_hour = cpu.trend_per_hour;
  usage.memory_ewma_percent = memory.ewma;
  usage.memory_p50_percent = memory.p50;
  usage.memory_p90_percent = memory.p90;
  usage.memory_p95_percent = memory.p95;
  usage.memory_trend_percent_per_hour = memory.trend_per_hour;
  usage.steal_ewma_percent = steal.ewma;
  usage.steal_p95_percent = steal.p95;
  usage.pressure_ewma_percent = pressure.ewma;
  usage.pressure_p95_percent = pressure.p95;
  return usage;
}

record::VmUsage Watch::vm_usage(const Object& vm, Milliseconds at, record::Time time) const {
  const auto summary = [&](Resource resource) {
    return vm.tracks[index(resource)].window.summary(policy_.shape, at);
  };
  const series::Summary cpu = summary(Resource::kCpu);
  const series::Summary memory = vm.memory.summary(policy_.shape, at);
  const series::Summary steal = summary(Resource::kSteal);
  const series::Summary swap = summary(Resource::kSwap);
  record::VmUsage usage;
  usage.time = time;
  usage.vm = vm.name;
  usage.host = vm.host;
  if (!vm.uuid.empty()) usage.uuid = vm.uuid;
  usage.samples = std::max(cpu.samples, memory.samples);
  usage.span_ms = std::max(cpu.span, memory.span).count();
  usage.cpu_ewma_cores = cpu.ewma;
  usage.cpu_p50_cores = cpu.p50;
  usage.cpu_p90_cores = cpu.p90;
  usage.cpu_p95_cores = cpu.p95;
  usage.cpu_trend_cores_per_hour = cpu.trend_per_hour;
  usage.memory_ewma_bytes = whole(memory.ewma);
  usage.memory_p50_bytes = whole(memory.p50);
  usage.memory_p90_bytes = whole(memory.p90);
  usage.memory_p95_bytes = whole(memory.p95);
  usage.memory_trend_bytes_per_hour = memory.trend_per_hour;
  usage.steal_ewma_percent = steal.ewma;
  usage.steal_p95_percent = steal.p95;
  usage.swap_ewma_bytes_per_second = swap.ewma;
  usage.swap_p95_bytes_per_second = swap.p95;
  return usage;
}

}  // namespace rackline::usage
