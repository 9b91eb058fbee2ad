// SPDX-License-Identifier: Apache-2.0
#include "capacity/usage.h"

#include <algorithm>
#include <cmath>

namespace rackline::capacity {
namespace {

using std::chrono::seconds;

// What is so old counts 1/e: long enough for a level to stand out from noise, and short enough for what goes
// on now.
constexpr double kMemorySeconds = 12 * 3600;
constexpr double kLateSeconds = 30 * 60;
constexpr double kLatePart = 0.35;  // of what is expected
// How long a sample counts: the time since the one before, but none for an hour because the stream paused.
constexpr double kFirstSeconds = 60;
constexpr double kLongestSeconds = 600;
// Until something was watched for this long, its variance is mostly the assumed one: a standard deviation of
// so much of its mean, and so much of its size.
constexpr double kAssumedSeconds = 20 * 60;
constexpr double kAssumedOfMean = 0.4;
constexpr double kAssumedOfSize = 0.02;
constexpr seconds kRepeatWithin = std::chrono::hours(2);
constexpr double kRepeatSeconds = 30;
// What was not seen for so many rounds is gone, and not only missing from a few.
constexpr std::int64_t kForgetAfter = 1000;

}  // namespace

double Usage::Average::add(double value, double watched, double decay) {
  weight = weight * decay + watched;
  const double gain = watched / weight;
  mean += gain * (value - mean);
  return gain;
}

void Usage::Track::add(double value, double watched, const Decay& decay, std::int64_t now) {
  late.add(value, watched, decay.late);
  const double off = value - level.mean;
  const double gain = level.add(value, watched, decay.level);
  variance = (1 - gain) * (variance + gain * off * off);
  round = now;
}

void Usage::count(const Round& round, double threshold_percent, const Speeds& speeds) {
  if (round.empty()) return;
  if (rounds_ > 0 && round.time <= time_) return;
  const double passed =
      rounds_ > 0 ? static_cast<double>(std::chrono::duration_cast<seconds>(round.time - time_).count()) : 0;
  const double watched = rounds_ > 0 ? std::min(passed, kLongestSeconds) : kFirstSeconds;
  const Decay decay{std::exp(-passed / kMemorySeconds), std::exp(-passed / kLateSeconds)};
  if (rounds_ > 0) span_ += std::chrono::duration_cast<seconds>(round.time - time_);
  time_ = round.time;
  ++rounds_;
  ++seen_;

  ByName<double> of_vms;
  const auto track = [&](ByName<Track>& tracks, std::string_view name) -> Track& {
    const auto found = tracks.find(name);
    return found != tracks.end() ? found->second : tracks.emplace(name, Track{}).first->second;
  };
  for (const auto& vm : round.vms()) {
    if (!active(vm) || !vm.cpu_cores) continue;
    const double unit = 1000 * speeds.of(vm.host);
    track(vms_, identity(vm)).add(*wanted_cores(vm) * unit, watched, decay, seen_);
    const double busy = *vm.cpu_cores * unit;
    const auto host = of_vms.find(std::string_view(vm.host));
    (host != of_vms.end() ? host->second : of_vms.emplace(vm.host, 0).first->second) += busy;
  }
  const ByName<double> wanted = wanted_percents(round);
  for (const auto& host : round.hosts()) {
    const auto percent = wanted.find(host.host);
    if (percent == wanted.end()) continue;
    const auto vms = of_vms.find(std::string_view(host.host));
    const double busy = *host.cpu_percent * 10 * static_cast<double>(*host.cpus) * speeds.of(host.host);
    track(hosts_, host.host).add(busy - (vms != of_vms.end() ? vms->second : 0), watched, decay, seen_);
    if (percent->second <= threshold_percent) continue;
    const auto above = above_.find(std::string_view(host.host));
    Above& times = above != above_.end() ? above->second : above_.emplace(host.host, Above{}).first->second;
    const auto since = std::chrono::duration_cast<seconds>(time_ - times.last);
    if (since > kRepeatWithin) times = {};
    const double faded = static_cast<double>(since.count()) / static_cast<double>(kRepeatWithin.count());
    times.seconds = times.seconds * std::exp(-faded) + watched;
    times.last = time_;
    ++times.rounds;
  }
  if (seen_ % kForgetAfter != 0) return;
  std::erase_if(vms_, [this](const auto& entry) { return entry.second.round <= seen_ - kForgetAfter; });
  std::erase_if(hosts_, [this](const auto& entry) { return entry.second.round <= seen_ - kForgetAfter; });
  std::erase_if(above_, [this](const auto& entry) { return time_ - entry.second.last > kRepeatWithin; });
}

Expected Usage::expected(const Track& track, double size) const {
  const double off = kAssumedOfMean * track.level.mean;
  const double of_size = kAssumedOfSize * size;
  const double assumed = off * off + of_size * of_size;
  const double weight = track.level.weight;
  return {(1 - kLatePart) * track.level.mean + kLatePart * track.late.mean,
          (kAssumedSeconds * assumed + weight * track.variance) / (kAssumedSeconds + weight)};
}

Expected Usage::of(const record::VmSample& vm, double speed) const {
  const double size = 1000 * speed * static_cast<double>(vm.vcpus.value_or(1));
  const auto found = vms_.find(identity(vm));
  if (found != vms_.end()) return expected(found->second, size);
  Track now;
  now.level.mean = now.late.mean = 1000 * speed * wanted_cores(vm).value_or(0);
  return expected(now, size);
}

Expected Usage::of_host(std::string_view host) const {
  const auto found = hosts_.find(host);
  return found != hosts_.end() ? expected(found->second, 0) : Expected{};
}

bool Usage::repeated(std::string_view host) const {
  const auto found = above_.find(host);
  return found != above_.end() && found->second.last == time_ && found->second.rounds > 1 &&
         found->second.seconds >= kRepeatSeconds;
}

}  // namespace rackline::capacity
