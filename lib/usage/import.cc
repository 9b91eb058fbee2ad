// SPDX-License-Identifier: Apache-2.0
#include "usage/import.h"

#include <cctype>
#include <unordered_map>

namespace rackline::usage::detail {

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::string result = "\"";
  for (const char c : text.substr(0, kLongest)) {
    result += std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '?';
  }
  return result + (text.size() > kLongest ? "...\"" : "\"");
}

namespace {

struct Sums {
  std::int64_t running = 0, stopped = 0, vcpus = 0, memory_bytes = 0;
  double cores = 0;
  bool vcpus_known = true, memory_known = true, cores_known = true;
};

Sums& add(Sums& sums, const record::VmSample& vm) {
  if (vm.state == "shutoff" || vm.state == "crashed") {
    ++sums.stopped;
    return sums;
  }
  ++sums.running;
  sums.vcpus += vm.vcpus.value_or(0);
  sums.memory_bytes += vm.memory_bytes.value_or(0);
  sums.cores += vm.cpu_cores.value_or(0);
  sums.vcpus_known = sums.vcpus_known && vm.vcpus.has_value();
  sums.memory_known = sums.memory_known && vm.memory_bytes.has_value();
  sums.cores_known = sums.cores_known && vm.cpu_cores.has_value();
  return sums;
}

}  // namespace

void complete(Imported::Round& round) {
  std::unordered_map<std::string_view, Sums> by_host;
  for (const auto& vm : round.vms) add(by_host[vm.host], vm);
  for (auto& host : round.hosts) {
    const Sums& sums = by_host[host.host];
    if (!host.vms_running) host.vms_running = sums.running;
    if (!host.vms_stopped) host.vms_stopped = sums.stopped;
    if (!host.vcpus_allocated && sums.vcpus_known) host.vcpus_allocated = sums.vcpus;
    if (!host.memory_allocated_bytes && sums.memory_known) host.memory_allocated_bytes = sums.memory_bytes;
    if (host.memory_bytes && host.memory_used_bytes && !host.memory_free_bytes) {
      host.memory_free_bytes = *host.memory_bytes - *host.memory_used_bytes;
    }
    if (host.memory_bytes && host.memory_free_bytes && !host.memory_used_bytes) {
      host.memory_used_bytes = *host.memory_bytes - *host.memory_free_bytes;
    }
    // What its virtual servers use is used; what the host itself takes is not told then.
    if (!host.cpu_percent && sums.running > 0 && sums.cores_known && host.cpus.value_or(0) > 0) {
      host.cpu_percent = sums.cores / static_cast<double>(*host.cpus) * 100;
    }
  }
}

}  // namespace rackline::usage::detail
