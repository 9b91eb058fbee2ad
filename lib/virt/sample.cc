// SPDX-License-Identifier: Apache-2.0
#include "virt/sample.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/time.h"
#include "virt/volumes.h"

namespace rackline::virt {
namespace {

constexpr std::chrono::seconds kDetailsLast{60};

using Count = std::optional<std::int64_t>;

// Growth per second; empty where it is not known.
std::optional<double> rate(const Count& before, const Count& now, double seconds) {
  if (!before || !now || *now < *before || seconds <= 0) return std::nullopt;
  return static_cast<double>(*now - *before) / seconds;
}

template <class T, class U>
void add(std::optional<T>& sum, const std::optional<U>& part) {
  sum = sum && part ? std::optional<T>(*sum + static_cast<T>(*part)) : std::nullopt;
}

// CPU time in nanoseconds per second becomes CPUs.
std::optional<double> cores(const Count& before, const Count& now, double seconds) {
  const auto nanoseconds = rate(before, now, seconds);
  return nanoseconds ? std::optional(*nanoseconds / 1e9) : std::nullopt;
}

record::VmSample vm_record(const VmStats& now, const VmStats* before, double seconds,
                           const Baseline::Details& details) {
  record::VmSample vm;
  vm.vm = now.name;
  vm.uuid = now.uuid;
  vm.state = state_word(now.state);
  vm.domain_id = now.domain_id;
  vm.vcpus = now.vcpus;
  vm.memory_bytes = now.memory_bytes;
  vm.memory_used_bytes = now.memory_used_bytes;
  vm.disk_capacity_bytes = now.disk_capacity_bytes;
  vm.disk_allocation_bytes = now.disk_allocation_bytes;
  vm.anti_affinity = details.wishes.anti_affinity;
  vm.priority = details.wishes.priority;
  vm.persistent = details.persistent;
  if (now.migrating) vm.migrating = true;
  if (details.binding) {
    vm.bound_by = details.binding->bound_by;
    if (!details.binding->disks.empty()) vm.disks = details.binding->disks;
    if (!details.binding->networks.empty()) vm.networks = details.binding->networks;
    if (!details.binding->storage_pools.empty()) vm.storage_pools = details.binding->storage_pools;
    vm.hugepages = !details.binding->hugepages.empty();
    if (*vm.hugepages) vm.hugepage_pools = words_of(details.binding->hugepages);
  }
  if (now.shutoff_reason) vm.state_reason = shutoff_word(*now.shutoff_reason);
  if (now.paused_reason) vm.state_reason = paused_word(*now.paused_reason);
  if (now.memory_max_bytes && now.memory_bytes && *now.memory_max_bytes > *now.memory_bytes) {
    vm.memory_max_bytes = now.memory_max_bytes;
  }
  vm.memory_usable_bytes = now.memory_usable_bytes;
  if (before == nullptr || !now.active() || before->domain_id != now.domain_id) return vm;
  vm.cpu_cores = cores(before->cpu_time_ns, now.cpu_time_ns, seconds);
  if (vm.cpu_cores && vm.vcpus.value_or(0) > 0) {
    vm.cpu_percent = *vm.cpu_cores / static_cast<double>(*vm.vcpus) * 100;
  }
  if (const auto waited = cores(before->cpu_delay_ns, now.cpu_delay_ns, seconds);
      waited && vm.vcpus.value_or(0) > 0) {
    vm.cpu_steal_percent = *waited / static_cast<double>(*vm.vcpus) * 100;
  }
  vm.swap_in_bytes_per_second = rate(before->swap_in_bytes, now.swap_in_bytes, seconds);
  vm.swap_out_bytes_per_second = rate(before->swap_out_bytes, now.swap_out_bytes, seconds);
  vm.disk_read_bytes_per_second = rate(before->disk_read_bytes, now.disk_read_bytes, seconds);
  vm.disk_write_bytes_per_second = rate(before->disk_written_bytes, now.disk_written_bytes, seconds);
  vm.net_rx_bytes_per_second = rate(before->net_received_bytes, now.net_received_bytes, seconds);
  vm.net_tx_bytes_per_second = rate(before->net_sent_bytes, now.net_sent_bytes, seconds);
  return vm;
}

void take_host_figures(const HostStats& now, const HostStats* before, const HostModel& model,
                       record::HostSample& host) {
  host.state = "up";
  host.cpus = now.cpus;
  // What libvirt tells of a node is the clock of this moment, which falls when there is little to do.
  host.cpu_mhz = model.cpu_mhz ? model.cpu_mhz : now.cpu_mhz;
  host.arch = model.arch;
  host.cpu_model = model.cpu_model;
  if (model.pages) host.hugepage_pools = words_of(model.pages->bytes);
  if (now.free_pages) host.hugepage_pools_free = words_of(*now.free_pages);
  host.memory_bytes = now.memory_bytes;
  host.memory_free_bytes = now.memory_free_bytes;
  if (now.memory_bytes && now.memory_free_bytes) {
    host.memory_used_bytes = *now.memory_bytes - *now.memory_free_bytes;
  }
  if (before == nullptr) return;
  const double seconds = std::chrono::duration<double>(now.taken - before->taken).count();
  const auto share = [&](const Count& since, const Count& total) -> std::optional<double> {
    const auto microseconds = rate(since, total, seconds);
    return microseconds ? std::optional(*microseconds / 1e6 * 100) : std::nullopt;
  };
  host.cpu_pressure_percent = share(before->pressure.cpu_us, now.pressure.cpu_us);
  host.memory_pressure_percent = share(before->pressure.memory_us, now.pressure.memory_us);
  host.io_pressure_percent = share(before->pressure.io_us, now.pressure.io_us);
  if (!before->cpu_total || !now.cpu_total) return;
  if (*now.cpu_total <= *before->cpu_total || *now.cpu_busy < *before->cpu_busy)
    return;  // @rule 07-counter-stood-still
  host.cpu_percent = static_cast<double>(*now.cpu_busy - *before->cpu_busy) /
                     static_cast<double>(*now.cpu_total - *before->cpu_total) * 100;
}

// The sums over running VMs start at a known zero and become unknown with the first part that is.
void start_sums(record::HostSample& host, bool rates) {
  host.vms_running = 0;
  host.vms_paused = 0;
  host.vms_stopped = 0;
  host.vcpus_allocated = 0;
  host.memory_allocated_bytes = 0;
  host.memory_ballooned_bytes = 0;
  if (!rates) return;
  host.cpu_steal_percent = 0;
  host.disk_read_bytes_per_second = 0;
  host.disk_write_bytes_per_second = 0;
  host.net_rx_bytes_per_second = 0;
  host.net_tx_bytes_per_second = 0;
}

// What the VM's CPUs waited for, as a share of the host's.
std::optional<double> steal_of(const record::VmSample& vm, const record::HostSample& host) {
  if (!vm.cpu_steal_percent || !vm.vcpus || host.cpus.value_or(0) <= 0) return std::nullopt;
  return *vm.cpu_steal_percent * static_cast<double>(*vm.vcpus) / static_cast<double>(*host.cpus);
}

std::optional<std::int64_t> ballooned(const record::VmSample& vm) {
  if (!vm.memory_bytes) return std::nullopt;
  return vm.memory_max_bytes ? *vm.memory_max_bytes - *vm.memory_bytes : 0;
}

void add_vm(record::HostSample& host, const record::VmSample& vm) {
  if (!vm.domain_id) {
    ++*host.vms_stopped;
    return;
  }
  ++*(vm.state == "paused" ? host.vms_paused : host.vms_running);
  add(host.vcpus_allocated, vm.vcpus);
  add(host.memory_allocated_bytes, vm.memory_bytes);
  add(host.memory_ballooned_bytes, ballooned(vm));
  add(host.cpu_steal_percent, steal_of(vm, host));
  add(host.disk_read_bytes_per_second, vm.disk_read_bytes_per_second);
  add(host.disk_write_bytes_per_second, vm.disk_write_bytes_per_second);
  add(host.net_rx_bytes_per_second, vm.net_rx_bytes_per_second);
  add(host.net_tx_bytes_per_second, vm.net_tx_bytes_per_second);
}

// What libvirt tells of all VMs of a host in one call each, read when it is first asked for.
class Marks {
 public:
  explicit Marks(const Connection& connection) : connection_(connection) {}

  bool has(unsigned flag, const std::string& uuid) {
    auto known = chosen_.find(flag);
    if (known == chosen_.end()) known = chosen_.emplace(flag, read_chosen(connection_, flag)).first;
    return known->second.contains(uuid);
  }

 private:
  const Connection& connection_;
  std::map<unsigned, std::set<std::string>> chosen_;
};

// Empty when the VM vanished.
std::optional<Baseline::Details> read_detail(const Connection& connection, virDomainPtr domain,
                                             const VmStats& vm, const StoragePtr& storage,
                                             const std::optional<PagePools>& pools, Marks& marks) {
  Baseline::Details details;
  details.domain_id = vm.domain_id;
  if (storage == nullptr) {
    const auto wishes = read_wishes(domain);
    if (!wishes) return std::nullopt;
    details.wishes = *wishes;
  } else {
    const auto xml = read_definition(domain);
    if (!xml) return std::nullopt;
    details.wishes = parse_wishes(*xml);
    VmDescription about = parse_description(*xml);
    try {
      resolve_disks(connection, vm.active(), about);
    } catch (const VirtError&) {
      // A pool that does not answer: its volume then counts as nobody else's, and the VM stays.
    }
    if (marks.has(VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT, vm.uuid))
      about.ties_when_live.emplace_back(kHasSnapshots);
    if (marks.has(VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT, vm.uuid)) about.ties.emplace_back(kHasCheckpoints);
    if (marks.has(VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, vm.uuid))
      about.ties_when_stopped.emplace_back(kHasSavedState);
    about.hugepages = with_known_sizes(std::move(about.hugepages), pools);
    details.binding = binding_of(about, vm.active(), *storage);
  }
  details.persistent = marks.has(VIR_CONNECT_LIST_DOMAINS_PERSISTENT, vm.uuid);
  return details;
}

bool is_fresh(const Baseline& before, std::chrono::steady_clock::time_point now) {
  return now - before.details_read < kDetailsLast;
}

// Reads what `before` does not tell. The VMs are those of `reading`.
void read_details(const Connection& connection, const Reading& reading, const Baseline* before,
                  const StoragePtr& storage, Baseline& baseline) {
  const bool fresh = before != nullptr && is_fresh(*before, reading.stats.taken);
  baseline.details_read = fresh ? before->details_read : reading.stats.taken;
  if (storage != nullptr) baseline.plugs = fresh ? before->plugs : read_plugs(connection);
  Marks marks(connection);
  for (std::size_t i = 0; i < reading.domains.size(); ++i) {
    const VmStats& vm = reading.stats.vms[i];
    if (fresh) {
      const auto known = before->details.find(vm.uuid);
      if (known != before->details.end() && known->second.domain_id == vm.domain_id) {
        baseline.details.insert(*known);
        continue;
      }
    }
    auto details =
        read_detail(connection, reading.domains[i].get(), vm, storage, baseline.model.pages, marks);
    if (details) baseline.details[vm.uuid] = std::move(*details);
    // Otherwise it vanished while we looked: it is on no host, or in the answer of another.
  }
}

// Guests whose memory is shared with other processes have it in what libvirt takes for a cache.
void leave_out_shared_memory(const HostStats& now, const std::map<std::string, Baseline::Details>& details,
                             record::HostSample& host) {
  if (now.shared_memory_left_out || !host.memory_free_bytes) return;
  std::int64_t shared = 0;
  for (const VmStats& vm : now.vms) {
    const auto known = details.find(vm.uuid);
    if (!vm.active() || known == details.end() || !known->second.binding) continue;
    if (known->second.binding->shared_memory)
      shared += vm.memory_used_bytes.value_or(vm.memory_bytes.value_or(0));
  }
  host.memory_free_bytes = std::max<std::int64_t>(0, *host.memory_free_bytes - shared);
  if (host.memory_used_bytes) host.memory_used_bytes = *host.memory_bytes - *host.memory_free_bytes;
}

}  // namespace

std::set<std::string> domain_names(const Connection& connection) {
  std::set<std::string> names;
  for (const Domain& domain : connection.domains()) names.insert(virDomainGetName(domain.get()));
  return names;
}

const char* state_word(int state) {
  switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
    case VIR_DOMAIN_SHUTDOWN:  // on its way down, and still holding all it has
      return "running";
    case VIR_DOMAIN_PAUSED:
      return "paused";
    case VIR_DOMAIN_SHUTOFF:
      return "shutoff";
    case VIR_DOMAIN_CRASHED:
      return "crashed";
    case VIR_DOMAIN_PMSUSPENDED:
      return "suspended";
    default:
      return "unknown";
  }
}

const char* shutoff_word(int reason) {
  switch (reason) {
    case VIR_DOMAIN_SHUTOFF_SHUTDOWN:
      return "shutdown";
    case VIR_DOMAIN_SHUTOFF_DESTROYED:
      return "destroyed";
    case VIR_DOMAIN_SHUTOFF_CRASHED:
      return "crashed";
    case VIR_DOMAIN_SHUTOFF_MIGRATED:
      return "migrated";
    case VIR_DOMAIN_SHUTOFF_SAVED:
      return "saved";
    case VIR_DOMAIN_SHUTOFF_FAILED:
      return "failed";
    case VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT:
      return "from_snapshot";
    case VIR_DOMAIN_SHUTOFF_DAEMON:
      return "daemon";
    default:
      return "unknown";
  }
}

const char* paused_word(int reason) {
  switch (reason) {
    case VIR_DOMAIN_PAUSED_USER:
      return "user";
    case VIR_DOMAIN_PAUSED_MIGRATION:
      return "migration";
    case VIR_DOMAIN_PAUSED_SAVE:
      return "save";
    case VIR_DOMAIN_PAUSED_DUMP:
      return "dump";
    case VIR_DOMAIN_PAUSED_IOERROR:
      return "ioerror";
    case VIR_DOMAIN_PAUSED_WATCHDOG:
      return "watchdog";
    case VIR_DOMAIN_PAUSED_FROM_SNAPSHOT:
      return "from_snapshot";
    case VIR_DOMAIN_PAUSED_SHUTTING_DOWN:
      return "shutting_down";
    case VIR_DOMAIN_PAUSED_SNAPSHOT:
      return "snapshot";
    case VIR_DOMAIN_PAUSED_CRASHED:
      return "crashed";
    case VIR_DOMAIN_PAUSED_STARTING_UP:
      return "starting_up";
    case VIR_DOMAIN_PAUSED_POSTCOPY:
      return "postcopy";
    case VIR_DOMAIN_PAUSED_POSTCOPY_FAILED:
      return "postcopy_failed";
    default:
      return "unknown";
  }
}

Sample assemble(const HostStats& now, const HostStats* before, const HostModel& model,
                const std::map<std::string, Baseline::Details>& details) {
  Sample sample;
  // The CPU time since boot went back: the host was started anew, and none of the old counters is worth
  // anything.
  if (before != nullptr && before->cpu_total && now.cpu_total && *now.cpu_total < *before->cpu_total)
    before = nullptr;
  take_host_figures(now, before, model, sample.host);
  leave_out_shared_memory(now, details, sample.host);
  const double seconds =
      before != nullptr ? std::chrono::duration<double>(now.taken - before->taken).count() : 0;
  if (before != nullptr) {
    sample.host.window_ms = std::chrono::duration_cast<Milliseconds>(now.taken - before->taken).count();
  }
  std::unordered_map<std::string_view, const VmStats*> past;
  if (before != nullptr) {
    for (const VmStats& vm : before->vms) past.emplace(vm.uuid, &vm);
  }
  start_sums(sample.host, before != nullptr);
  for (const VmStats& vm : now.vms) {
    const auto detail = details.find(vm.uuid);
    if (detail == details.end()) continue;
    const auto found = past.find(vm.uuid);
    sample.vms.push_back(
        vm_record(vm, found != past.end() ? found->second : nullptr, seconds, detail->second));
    add_vm(sample.host, sample.vms.back());
  }
  std::sort(sample.vms.begin(), sample.vms.end(), [](const auto& a, const auto& b) { return a.vm < b.vm; });
  return sample;
}

Sample sample(const Connection& connection, const BaselinePtr& before, const Pause& pause,
              const StoragePtr& storage) {
  auto baseline = std::make_shared<Baseline>();
  // The capabilities of a host are slow when it is asked for them for the first time: libvirtd then tries
  // every emulator.
  const auto learn_model = [&] { baseline->model = read_model(connection); };
  std::optional<HostStats> past;
  if (before != nullptr) {
    baseline->model = before->model;
  } else if (pause) {
    past = read_counters(connection);
    pause(learn_model);
  } else {
    learn_model();
  }
  const HostStats* since = before != nullptr ? &before->stats : past ? &*past : nullptr;

  // The pools of huge pages can be changed while the host is up.
  if (before != nullptr && !is_fresh(*before, std::chrono::steady_clock::now())) learn_model();
  Reading reading = read_stats(connection);
  if (baseline->model.pages) reading.stats.free_pages = free_pages(connection, *baseline->model.pages);
  read_details(connection, reading, before.get(), storage, *baseline);
  Sample sample = assemble(reading.stats, since, baseline->model, baseline->details);
  sample.host.networks = baseline->plugs.networks;
  sample.host.interfaces = baseline->plugs.interfaces;
  sample.host.storage_pools = baseline->plugs.storage_pools;
  baseline->stats = std::move(reading.stats);
  sample.baseline = std::move(baseline);
  return sample;
}

}  // namespace rackline::virt
