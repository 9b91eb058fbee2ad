// SPDX-License-Identifier: Apache-2.0
#include "usage/exposition.h"

namespace rackline::usage {
namespace {

using series::label;

std::string labels_of(const std::string& vm, const std::string& host) {
  return label("host", host) + "," + label("vm", vm);
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
      bands_(page_),
      rounds_(page_) {
  bands_.begin("host", kResources, policy_.hosts);
  bands_.begin("vm", kResources, policy_.vms);
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
  bands_.see("host", label("host", usage.host), kResources, policy_.hosts);
}

void Exposition::add(const record::VmUsage& usage) {
  page_.samples(vm_usage_, &usage, labels_of(usage.vm, usage.host));
  bands_.see("vm", labels_of(usage.vm, usage.host), kResources, policy_.vms);
}

void Exposition::add(const record::Fluctuation& fluctuation) {
  bands_.add(fluctuation, label("host", fluctuation.host.value_or("")) +
                              (fluctuation.vm ? "," + label("vm", *fluctuation.vm) : ""));
}

std::string Exposition::page(const record::RoundEnd& end) {
  bands_.sample();
  rounds_.sample(end);
  return page_.page();
}

}  // namespace rackline::usage
