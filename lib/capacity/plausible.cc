// SPDX-License-Identifier: Apache-2.0
#include "capacity/plausible.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "capacity/memory.h"

namespace rackline::capacity {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1} << 55;  // 32 PiB; of a thousand such the sum is a number
constexpr std::int64_t kMostCpus = 1'000'000;
constexpr double kMostPercent = 100'000;
constexpr std::int64_t kMostMhz = 1'000'000;

bool within(std::int64_t value, std::int64_t most) {
  return value >= 0 && value <= most;
}
bool within(double value, double most) {
  return std::isfinite(value) && value >= 0 && value <= most;
}

// True when it had to be cleared.
template <class Optional, class Number>
bool clear(Optional& field, Number most) {
  if (!field || within(*field, most)) return false;
  field.reset();
  return true;
}

bool understood(const record::List& pools) {
  if (!pools) return true;
  const auto pages = page_bytes(pools);
  return pages && std::all_of(pages->begin(), pages->end(),
                              [](const auto& entry) { return within(entry.second, kMostBytes); });
}

}  // namespace

void distrust(record::HostSample& host) {
  clear(host.cpus, kMostCpus);
  clear(host.memory_bytes, kMostBytes);
  clear(host.memory_used_bytes, kMostBytes);
  clear(host.cpu_percent, kMostPercent);
  clear(host.cpu_mhz, kMostMhz);
  if (!understood(host.hugepage_pools) || !understood(host.hugepage_pools_free)) host.memory_bytes.reset();
  if (host.cpu_overcommit &&
      (!within(*host.cpu_overcommit, double{kMostCpus}) || *host.cpu_overcommit == 0)) {
    host.cpus.reset();  // what may be promised there is not known
  }
}

void distrust(record::VmSample& vm) {
  const bool cpus = clear(vm.vcpus, kMostCpus);
  const bool load = clear(vm.cpu_cores, double{kMostCpus});
  const bool memory = clear(vm.memory_bytes, kMostBytes) || !understood(vm.hugepage_pools);
  clear(vm.memory_used_bytes, kMostBytes);
  clear(vm.cpu_steal_percent, kMostPercent);
  // What it has been promised is not known then, which is worse than an unknown load: its host is left out.
  if (cpus || memory) vm.memory_bytes.reset();
  if (cpus || load) vm.cpu_cores.reset();
}

void require_plausible(const record::VmRequest& request) {
  const auto refuse = [&](const char* field, const std::string& value) {
    throw Error(Status::kUsage, "place", request.vm, std::string(field) + " is " + value,
                "no virtual server has that");
  };
  if (!within(request.memory_bytes, kMostBytes)) refuse("memory_bytes", std::to_string(request.memory_bytes));
  if (request.vcpus && !within(*request.vcpus, kMostCpus)) refuse("vcpus", std::to_string(*request.vcpus));
  if (request.cpu_cores && !within(*request.cpu_cores, double{kMostCpus}))
    refuse("cpu_cores", std::to_string(*request.cpu_cores));
}

}  // namespace rackline::capacity
