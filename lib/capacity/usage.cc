// SPDX-License-Identifier: Apache-2.0
#include "capacity/usage.h"

#include <algorithm>
#include <cmath>

namespace rackline::capacity {
namespace {

using std::chrono::seconds;

constexpr seconds kRepeatWithin = std::chrono::hours(2);
constexpr double kRepeatSeconds = 30;

}  // namespace

void Usage::count(const Round& round, double threshold_percent, const Speeds& speeds) {
  if (round.empty()) return;
  if (rounds_ > 0 && round.time <= time_) return;
  const double passed =
      rounds_ > 0 ? static_cast<double>(std::chrono::duration_cast<seconds>(round.time - time_).count()) : 0;
  const double watched = rounds_ > 0 ? std::min(passed, decide::kLongestSeconds) : decide::kFirstSeconds;
  const decide::Decay decay(passed);
  if (rounds_ > 0) span_ += std::chrono::duration_cast<seconds>(round.time - time_);
  time_ = round.time;
  ++rounds_;
  ++seen_;

  ByName<double> of_vms;
  const auto track = [&](ByName<decide::Forecast>& tracks, std::string_view name) -> decide::Forecast& {
    const auto found = tracks.find(name);
    return found != tracks.end() ? found->second : tracks.emplace(name, decide::Forecast{}).first->second;
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
  if (seen_ % decide::kForgetAfter != 0) return;
  const auto gone = [this](const auto& entry) {
    return entry.second.round() <= seen_ - decide::kForgetAfter;
  };
  std::erase_if(vms_, gone);
  std::erase_if(hosts_, gone);
  std::erase_if(above_, [this](const auto& entry) { return time_ - entry.second.last > kRepeatWithin; });
}

Expected Usage::of(const record::VmSample& vm, double speed) const {
  const double size = 1000 * speed * static_cast<double>(vm.vcpus.value_or(1));
  const auto found = vms_.find(identity(vm));
  if (found != vms_.end()) return found->second.expected(size);
  return decide::Forecast::of(1000 * speed * wanted_cores(vm).value_or(0)).expected(size);
}

Expected Usage::of_host(std::string_view host) const {
  const auto found = hosts_.find(host);
  return found != hosts_.end() ? found->second.expected(0) : Expected{};
}

bool Usage::repeated(std::string_view host) const {
  const auto found = above_.find(host);
  return found != above_.end() && found->second.last == time_ && found->second.rounds > 1 &&
         found->second.seconds >= kRepeatSeconds;
}

}  // namespace rackline::capacity
