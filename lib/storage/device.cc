// SPDX-License-Identifier: Apache-2.0
#include "storage/device.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "decide/guard.h"

namespace rackline::storage {
namespace {

constexpr double kBytesOfCommand = 128 << 10;  // as much work as a command without its bytes
constexpr double kMemory = 2000;               // a sample that is so many samples old counts 1/e
constexpr std::int64_t kLeastSamples = 12;
// The commands a second have to vary by so much of their mean, or any line fits.
constexpr double kLeastVariation = 0.1;
constexpr double kMostSpread = 0.5;
constexpr double kFull = 0.99;  // of the load that the device can do: what is beyond is not told apart

std::optional<double> sum(const record::Number& a, const record::Number& b) {
  if (!a || !b || !(*a >= 0) || !(*b >= 0) || !std::isfinite(*a + *b)) return std::nullopt;
  return *a + *b;
}

template <class Sample>
record::Number load(const Sample& sample) {
  const auto iops = sum(sample.read_iops, sample.write_iops);
  const auto bytes = sum(sample.read_bytes_per_second, sample.write_bytes_per_second);
  if (!iops) return std::nullopt;
  return load_of(*iops, bytes.value_or(0));
}

}  // namespace

double load_of(double iops, double bytes_per_second) {
  return iops + bytes_per_second / kBytesOfCommand;
}

record::Number load_of(const record::ArraySample& array) {
  return load(array);
}

record::Number load_of(const record::LunSample& lun) {
  return load(lun);
}

void Device::add(const record::ArraySample& array) {
  const auto load = load_of(array);
  if (load) most_load_ = std::max(most_load_, *load);
  const double latency = array.probe_p50_ms.value_or(0);
  if (!(latency > 0) || !std::isfinite(latency)) return;
  least_latency_ = least_latency_ > 0 ? std::min(least_latency_, latency) : latency;
  const auto commands = sum(array.read_iops, array.write_iops);
  if (!load || !commands) return;
  const double keep = std::exp(-1 / kMemory);
  const auto add = [keep](double& total, double value) { total = total * keep + value; };
  add(n_, 1);
  add(commands_, *commands);
  add(load_, *load);
  add(inverse_, 1 / latency);
  add(load2_, *load * *load);
  add(inverse2_, 1 / (latency * latency));
  add(product_, *load / latency);
  ++samples_;
}

Device::Fit Device::fit() const {
  Fit fit;
  const auto refuse = [&fit](std::string why) {
    fit.why_not = std::move(why);
    return fit;
  };
  if (samples_ < kLeastSamples)
    return refuse("only " + std::to_string(samples_) + " samples with latency and load");
  const double load = load_ / n_;
  const double inverse = inverse_ / n_;
  const double variance = load2_ / n_ - load * load;
  if (!(variance > 0) || std::sqrt(variance) < kLeastVariation * load)
    return refuse("its load hardly varied");
  const double fall = -(product_ / n_ - load * inverse) / variance;  // of the inverse, for each unit of load
  if (!(fall > 0)) return refuse("its latency does not rise with its load");
  const double left = std::max(0.0, inverse2_ / n_ - inverse * inverse - fall * fall * variance);
  fit.spread = std::sqrt(left) / inverse;
  if (fit.spread > kMostSpread)
    return refuse("its latency scatters by " + decide::percent_text(100 * fit.spread));
  const double alone = inverse + fall * load;  // when nothing else is asked of it
  constexpr double kMillisecondsOfSecond = 1000;
  fit.intercept_ms = 1 / alone;
  fit.most_load = alone / fall;
  fit.slope_ms = kMillisecondsOfSecond / fit.most_load * (commands_ > 0 ? load_ / commands_ : 1);
  return fit;
}

double Device::Fit::latency_ms(double load) const {
  return intercept_ms / (1 - std::min(kFull, load / most_load));
}

double Device::Fit::knee(double utilisation) const {
  return intercept_ms / slope_ms * utilisation / (1 - utilisation);
}

record::ArrayModel Device::record(const std::string& array, double utilisation) const {
  record::ArrayModel model;
  model.array = array;
  model.samples = samples_;
  const Fit fit = this->fit();
  if (!fit.known()) {
    model.reason = fit.why_not + ": it is planned by what it was seen to bear";
    return model;
  }
  model.latency_ms = fit.intercept_ms;
  model.latency_per_command_ms = fit.slope_ms;
  model.knee = fit.knee(utilisation);
  model.spread_percent = 100 * fit.spread;
  model.load_at_knee = utilisation * fit.most_load;
  model.reason = "at " + decide::percent_text(100 * utilisation) + " of its load a command waits " +
                 std::to_string(std::llround(1 / (1 - utilisation))) + " times as long as alone";
  return model;
}

}  // namespace rackline::storage
