// SPDX-License-Identifier: Apache-2.0
#include "usage/watch.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

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

constexpr std::array<series::Quantity, kResources.size()> kQuantities{{{"cpu", "percent"},
                                                                       {"memory", "percent"},
                                                                       {"steal", "percent"},
                                                                       {"pressure", "percent"},
                                                                       {"swap", "bytes_per_second"}}};

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
  const series::Moment moment{at, time};
  follow(hosts_, policy_.hosts, moment, round);
  follow(vms_, policy_.vms, moment, round);
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

void Watch::follow(Objects& objects, const Bands& bands, const series::Moment& moment, Round& round) {
  for (auto found = objects.begin(); found != objects.end();) {
    Object& object = found->second;
    follow(object, bands, moment, round);
    if (object.known && moment.at - *object.known > policy_.shape.span) let_go(object, moment, round);
    found = moment.at - object.met > policy_.shape.span ? objects.erase(found) : std::next(found);
  }
}

void Watch::follow(Object& object, const Bands& bands, const series::Moment& moment, Round& round) {
  if (object.seen && !object.doubt.empty() && !std::exchange(object.doubted, true)) {
    round.doubts.push_back(object.doubt + ", so no share of them can be told");
  }
  if (object.seen) object.met = moment.at;
  if (object.seen && object.memory_bytes) {
    object.memory.add(policy_.shape, moment.at, *object.memory_bytes);
    object.known = moment.at;
  }
  // Of a VM the window has CPUs, which it takes along, and the band is of its share of its own.
  if (object.vm) object.tracks[index(Resource::kCpu)].scale = object.vcpus ? 100 / *object.vcpus : 0;
  const series::Who who = who_is(object);
  for (std::size_t i = 0; i < object.tracks.size(); ++i) {
    series::Track& track = object.tracks[i];
    if (!object.seen) {
      track.lose();
      continue;
    }
    if (track.value) object.known = moment.at;
    tell(object, track.follow(policy_, kQuantities[i], bands[i], who, moment), round);
  }
}

void Watch::let_go(Object& object, const series::Moment& moment, Round& round) const {
  const Milliseconds away = moment.at - *std::exchange(object.known, std::nullopt);
  object.memory = {};
  const series::Who who = who_is(object);
  for (std::size_t i = 0; i < object.tracks.size(); ++i)
    tell(object, object.tracks[i].let_go(policy_, kQuantities[i], who, moment, away), round);
}

series::Who Watch::who_is(const Object& object) {
  return {object.name, object.uuid, object.name + (object.vm ? " on " + object.host : "")};
}

void Watch::tell(const Object& object, std::optional<record::Fluctuation> fluctuation, Round& round) {
  if (!fluctuation) return;
  fluctuation->object = object.vm ? "vm" : "host";
  fluctuation->host = object.host;
  if (object.vm) {
    fluctuation->vm = object.name;
    if (!object.uuid.empty()) fluctuation->uuid = object.uuid;
  }
  round.fluctuations.push_back(std::move(*fluctuation));
}

record::HostUsage Watch::host_usage(const Object& host, Milliseconds at, record::Time time) const {
  const auto summary = [&](Resource resource) {
    return host.tracks[index(resource)].summary(policy_.shape, at);
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
    return vm.tracks[index(resource)].summary(policy_.shape, at);
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
