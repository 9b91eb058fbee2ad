// SPDX-License-Identifier: Apache-2.0
#include "virt/tuning.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <pugixml.hpp>

namespace rackline::virt {
namespace {

// libvirt's lists of typed parameters, freed with their owner.
class Parameters {
 public:
  Parameters() = default;
  explicit Parameters(int count) : list_(static_cast<std::size_t>(std::max(count, 0))) {}
  virTypedParameterPtr data() { return list_.data(); }
  int* count() { return &count_; }
  void filled(int count) { count_ = count; }

  std::optional<std::int64_t> find(const char* name) const {
    for (int i = 0; i < count_ && i < static_cast<int>(list_.size()); ++i) {
      const auto& each = list_[static_cast<std::size_t>(i)];
      if (std::string(each.field) != name) continue;
      switch (each.type) {
        case VIR_TYPED_PARAM_INT:
          return each.value.i;
        case VIR_TYPED_PARAM_UINT:
          return each.value.ui;
        case VIR_TYPED_PARAM_LLONG:
          return each.value.l;
        case VIR_TYPED_PARAM_ULLONG:
          return static_cast<std::int64_t>(std::min<unsigned long long>(
              each.value.ul, static_cast<unsigned long long>(std::numeric_limits<std::int64_t>::max())));
        default:
          return std::nullopt;
      }
    }
    return std::nullopt;
  }

 private:
  std::vector<virTypedParameter> list_;
  int count_ = 0;
};

// Calls of libvirt that fill a list: asked for its length first.
Parameters listed(const std::function<int(virTypedParameterPtr, int*)>& call) {
  int count = 0;
  if (call(nullptr, &count) < 0 || count <= 0) {
    virResetLastError();
    return {};
  }
  Parameters parameters(count);
  if (call(parameters.data(), &count) < 0) {
    virResetLastError();
    return {};
  }
  parameters.filled(count);
  return parameters;
}

Parameters scheduler(virDomainPtr domain) {
  int count = 0;
  const CString type(virDomainGetSchedulerType(domain, &count));
  if (!type || count <= 0) {
    virResetLastError();
    return {};
  }
  Parameters parameters(count);
  if (virDomainGetSchedulerParametersFlags(domain, parameters.data(), &count, VIR_DOMAIN_AFFECT_LIVE) < 0) {
    virResetLastError();
    return {};
  }
  parameters.filled(count);
  return parameters;
}

struct Devices {
  std::vector<std::string> disks, interfaces;
};
Devices devices_of(virDomainPtr domain) {
  Devices devices;
  pugi::xml_document document;
  const std::string xml = take(virDomainGetXMLDesc(domain, 0));
  if (xml.empty() || !document.load_string(xml.c_str())) {
    virResetLastError();
    return devices;
  }
  const auto list = document.child("domain").child("devices");
  for (const auto& disk : list.children("disk")) {
    if (std::string(disk.attribute("device").as_string("disk")) != "disk") continue;
    devices.disks.emplace_back(disk.child("target").attribute("dev").as_string());
  }
  for (const auto& interface : list.children("interface")) {
    const std::string name = interface.child("target").attribute("dev").as_string();
    if (!name.empty()) devices.interfaces.push_back(name);
  }
  return devices;
}

Parameters iotune(virDomainPtr domain, const std::string& disk) {
  return listed([&](virTypedParameterPtr list, int* count) {
    return virDomainGetBlockIoTune(domain, disk.c_str(), list, count, VIR_DOMAIN_AFFECT_LIVE);
  });
}
Parameters bandwidth(virDomainPtr domain, const std::string& interface) {
  return listed([&](virTypedParameterPtr list, int* count) {
    return virDomainGetInterfaceParameters(domain, interface.c_str(), list, count, VIR_DOMAIN_AFFECT_LIVE);
  });
}

// The same of every device, or nothing of any; of several that differ, the largest.
void put_all(VmTuning& to, const char* setting, const std::vector<std::string>& devices,
             const std::function<std::optional<std::int64_t>(const std::string&)>& read) {
  std::optional<std::int64_t> most;
  for (const auto& device : devices) {
    const auto value = read(device);
    if (!value) return;
    most = std::max(most.value_or(0), *value);
  }
  if (most) to.settings[setting] = *most;
}

void read_settings(virDomainPtr domain, VmTuning& to) {
  const auto cpu = scheduler(domain);
  const auto put = [&to](const char* setting, const std::optional<std::int64_t>& value) {
    if (value) to.settings[setting] = *value;
  };
  put("cpu_shares", cpu.find(VIR_DOMAIN_SCHEDULER_CPU_SHARES));
  put("vcpu_quota", cpu.find(VIR_DOMAIN_SCHEDULER_VCPU_QUOTA));
  put("vcpu_period", cpu.find(VIR_DOMAIN_SCHEDULER_VCPU_PERIOD));
  const auto memory = listed([&](virTypedParameterPtr list, int* count) {
    return virDomainGetMemoryParameters(domain, list, count, VIR_DOMAIN_AFFECT_LIVE);
  });
  put("memory_guarantee", memory.find(VIR_DOMAIN_MEMORY_MIN_GUARANTEE));
  put("memory_limit", memory.find(VIR_DOMAIN_MEMORY_HARD_LIMIT));
  const auto devices = devices_of(domain);
  put_all(to, "disk_iops", devices.disks, [&](const std::string& disk) {
    return iotune(domain, disk).find(VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC);
  });
  put_all(to, "network_average", devices.interfaces, [&](const std::string& interface) {
    return bandwidth(domain, interface).find(VIR_DOMAIN_BANDWIDTH_IN_AVERAGE);
  });
}

VmTuning tuning_of(virDomainPtr domain) {
  VmTuning tuning;
  tuning.vm = virDomainGetName(domain);
  virDomainInfo info = {};
  if (virDomainGetInfo(domain, &info) < 0) throw virt_error(Status::kNo, "look at", tuning.vm);
  tuning.vcpus = info.nrVirtCpu;
  tuning.memory_kib = static_cast<std::int64_t>(info.maxMem);
  read_settings(domain, tuning);
  return tuning;
}

}  // namespace

HostTuning read_tuning(Connection& connection) {
  HostTuning host;
  virNodeInfo node = {};
  if (virNodeGetInfo(connection.get(), &node) < 0) {
    throw virt_error(Status::kNo, "look at host", connection.uri());
  }
  host.cpus = node.cpus;
  for (const auto& domain : connection.domains(VIR_CONNECT_LIST_DOMAINS_ACTIVE)) {
    try {
      host.vms.push_back(tuning_of(domain.get()));
    } catch (const VirtError& error) {
      if (error.code() != VIR_ERR_NO_DOMAIN && error.code() != VIR_ERR_OPERATION_INVALID) throw;
    }
  }
  return host;
}

std::int64_t set_tuning(Connection& connection, const std::string& vm, const std::string& setting,
                        std::int64_t value) {
  const Domain domain = connection.domain_by_name(vm);
  const std::string attempted = "set " + setting + " to " + std::to_string(value);
  if (!domain) throw VirtError(Status::kNo, attempted, vm, "it is not there", VIR_ERR_NO_DOMAIN);
  virTypedParameterPtr list = nullptr;
  int count = 0;
  int capacity = 0;
  const auto add = [&](const char* name, bool is_unsigned) {
    if (is_unsigned) {
      virTypedParamsAddULLong(&list, &count, &capacity, name, static_cast<unsigned long long>(value));
    } else {
      virTypedParamsAddLLong(&list, &count, &capacity, name, value);
    }
  };
  struct Free {
    virTypedParameterPtr& list;
    int& count;
    ~Free() { virTypedParamsFree(list, count); }
  };
  const Free free{list, count};
  const auto demand = [&](int result) {
    if (result < 0) throw virt_error(Status::kNo, attempted, vm);
  };
  if (setting == "cpu_shares" || setting == "vcpu_quota") {
    add(setting.c_str(), setting == "cpu_shares");
    demand(virDomainSetSchedulerParametersFlags(domain.get(), list, count, VIR_DOMAIN_AFFECT_LIVE));
  } else if (setting == "memory_guarantee" || setting == "memory_limit") {
    add(setting == "memory_limit" ? VIR_DOMAIN_MEMORY_HARD_LIMIT : VIR_DOMAIN_MEMORY_MIN_GUARANTEE, true);
    demand(virDomainSetMemoryParameters(domain.get(), list, count, VIR_DOMAIN_AFFECT_LIVE));
  } else if (setting == "disk_iops") {
    add(VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC, true);
    for (const auto& disk : devices_of(domain.get()).disks) {
      demand(virDomainSetBlockIoTune(domain.get(), disk.c_str(), list, count, VIR_DOMAIN_AFFECT_LIVE));
    }
  } else if (setting == "network_average") {
    const auto average = static_cast<unsigned>(std::min<std::int64_t>(value, 4'000'000'000));
    virTypedParamsAddUInt(&list, &count, &capacity, VIR_DOMAIN_BANDWIDTH_IN_AVERAGE, average);
    virTypedParamsAddUInt(&list, &count, &capacity, VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE, average);
    for (const auto& interface : devices_of(domain.get()).interfaces) {
      demand(virDomainSetInterfaceParameters(domain.get(), interface.c_str(), list, count,
                                             VIR_DOMAIN_AFFECT_LIVE));
    }
  }
  VmTuning after;
  read_settings(domain.get(), after);
  const auto found = after.settings.find(setting);
  if (found == after.settings.end()) {
    throw VirtError(Status::kNo, attempted, vm, "it cannot be read back", VIR_ERR_NO_SUPPORT);
  }
  return found->second;
}

}  // namespace rackline::virt
