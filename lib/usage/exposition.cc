// SPDX-License-Identifier: Apache-2.0
#include "usage/exposition.h"

#include <functional>
#include <utility>

#include "base/version.h"

namespace rackline::usage {
namespace {

using series::label;

std::string labels_of(const std::string& vm, const std::string& host) {
  return label("host", host) + "," + label("vm", vm);
}

std::string band_labels(std::string_view object, std::string_view resource, std::string_view direction) {
  return label("object", object) + "," + label("resource", resource) + "," + label("direction", direction);
}

// Each way out of a band that there is: `each` gets the resource and the direction.
void ways_out(const Bands& bands, const std::function<void(std::string_view, const char*)>& each) {
  for (std::size_t i = 0; i < bands.size(); ++i) {
    if (bands[i].high) each(kResources[i], "above");
    if (bands[i].low) each(kResources[i], "below");
  }
}

}  // namespace

Exposition::Exposition(const WatchPolicy& policy)
    : policy_(policy),
      host_(page_.declare(record::HostSample::kKind, "rackline_host_")),
      vm_(page_.declare(record::VmSample::kKind, "rackline_vm_", {"domain_id", "priority"})),
      host_usage_(page_.declare(record::HostUsage::kKind, "rackline_host_usage_")),
      vm_usage_(page_.declare(record::VmUsage::kKind, "rackline_vm_usage_")),
      up_(page_.family("rackline_host_up",
                       "1: the host answered; 0: it is unreachable or did not answer in time")),
      info_(page_.family("rackline_host_info", "what the host is, as labels; always 1")),
      running_(page_.family("rackline_vm_running", "1: the virtual server runs; 0: it is only there")),
      fluctuations_(page_.family("rackline_fluctuations_total",
                                 "times that usage left its band, or was back in it", "counter")),
      outside_(page_.family("rackline_outside_band", "1 while usage is outside its band")),
      rounds_(page_.family("rackline_rounds_total", "rounds that are complete", "counter")),
      duration_(page_.family("rackline_round_duration_seconds", "duration of the last round")),
      timestamp_(page_.family("rackline_round_timestamp_seconds", "when the last round ended, as Unix time")),
      build_(page_.family("rackline_build_info", "which version serves this page, as a label; always 1")) {
  // A counter that begins at 1 has no increase to whoever asks for its rate.
  const auto begin = [this](const char* object, const Bands& bands) {
    ways_out(bands, [&](std::string_view resource, const char* direction) {
      counted_[band_labels(object, resource, direction)] = 0;
      counted_[band_labels(object, resource, "back")] = 0;
    });
  };
  begin("host", policy_.hosts);
  begin("vm", policy_.vms);
}

void Exposition::add(const record::HostSample& host) {
  const std::string labels = label("host", host.host);
  page_.sample(up_, labels, host.state == "up" ? 1 : 0);
  page_.samples(host_, &host, labels);
  std::string info = labels;
  if (host.arch) info += "," + label("arch", *host.arch);
  if (host.cpu_model) info += "," + label("cpu_model", *host.cpu_model);
  if (host.failure_domain) info += "," + label("failure_domain", *host.failure_domain);
  if (info != labels) page_.sample(info_, info, 1);
}

void Exposition::add(const record::VmSample& vm) {
  const std::string labels = labels_of(vm.vm, vm.host);
  page_.sample(running_, labels, vm.state == "running" ? 1 : 0);
  page_.samples(vm_, &vm, labels);
}

void Exposition::add(const record::HostUsage& usage) {
  page_.samples(host_usage_, &usage, label("host", usage.host));
  follow(policy_.hosts, label("host", usage.host), "host");
}

void Exposition::add(const record::VmUsage& usage) {
  page_.samples(vm_usage_, &usage, labels_of(usage.vm, usage.host));
  follow(policy_.vms, labels_of(usage.vm, usage.host), "vm");
}

void Exposition::follow(const Bands& bands, const std::string& who, const char* object) {
  ways_out(bands, [&](std::string_view resource, const char* direction) {
    inside_.insert(who + "," + band_labels(object, resource, direction));
  });
}

void Exposition::add(const record::Fluctuation& fluctuation) {
  const std::string what = band_labels(fluctuation.object, fluctuation.resource, fluctuation.direction);
  ++counted_[what];
  if (fluctuation.direction == "back") {
    out_.erase(fluctuation.cause.value_or(""));
  } else {
    out_[fluctuation.id] = label("host", fluctuation.host) +
                           (fluctuation.vm ? "," + label("vm", *fluctuation.vm) : "") + "," + what;
  }
}

std::string Exposition::page(const record::RoundEnd& end) {
  for (const auto& [labels, count] : counted_)
    page_.sample(fluctuations_, labels, static_cast<double>(count));
  for (const auto& [id, labels] : out_) {
    page_.sample(outside_, labels, 1);
    inside_.erase(labels);
  }
  for (const auto& labels : std::exchange(inside_, {})) page_.sample(outside_, labels, 0);
  page_.sample(rounds_, {}, static_cast<double>(++round_count_));
  if (end.elapsed_ms) page_.sample(duration_, {}, static_cast<double>(*end.elapsed_ms) / 1000);
  page_.sample(timestamp_, {}, static_cast<double>(end.time.time_since_epoch().count()));
  page_.sample(build_, label("version", version()), 1);
  return page_.page();
}

}  // namespace rackline::usage
