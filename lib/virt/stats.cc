// SPDX-License-Identifier: Apache-2.0
#include "virt/stats.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <pugixml.hpp>
#include <string_view>
#include <utility>

#include "virt/description.h"

namespace rackline::virt {
namespace {

constexpr std::int64_t kKiB = 1024;

// The typed parameters of one VM, an array of a hundred or more.
class Parameters {
 public:
  explicit Parameters(const virDomainStatsRecord& record)
      : begin_(record.params), end_(record.params + record.nparams) {}

  std::optional<std::int64_t> integer(std::string_view name) const {
    const auto* found = std::find_if(begin_, end_, [&](const auto& p) { return name == p.field; });
    return found == end_ ? std::nullopt : value(*found);
  }

  // The sum of PREFIX.<number>.SUFFIX over all devices; empty when PREFIX.count is missing, zero when it is
  // 0.
  std::optional<std::int64_t> sum(std::string_view prefix, std::string_view suffix) const {
    const auto count = integer(std::string(prefix) + ".count");
    if (!count) return std::nullopt;
    return *count == 0 ? 0 : total(prefix, suffix);
  }

  // The sum over all numbers. Those that lack the value (a drive without a medium, a virtual CPU that is
  // offline) count as nothing; it is empty when all of them do.
  std::optional<std::int64_t> total(std::string_view prefix, std::string_view suffix) const {
    std::optional<std::int64_t> total;
    for (const auto* p = begin_; p != end_; ++p) {
      std::string_view field = p->field;
      if (!field.starts_with(prefix) || !field.ends_with(suffix)) continue;
      field.remove_prefix(prefix.size());
      field.remove_suffix(suffix.size());
      if (field.size() < 3 || field.front() != '.' || field.back() != '.') continue;
      field.remove_prefix(1);
      field.remove_suffix(1);
      if (field.find_first_not_of("0123456789") != std::string_view::npos) continue;
      if (const auto one = value(*p)) total = total.value_or(0) + *one;
    }
    return total;
  }

 private:
  static std::optional<std::int64_t> value(const virTypedParameter& p) {
    switch (p.type) {
      case VIR_TYPED_PARAM_INT:
        return p.value.i;
      case VIR_TYPED_PARAM_UINT:
        return p.value.ui;
      case VIR_TYPED_PARAM_LLONG:
        return p.value.l;
      case VIR_TYPED_PARAM_ULLONG:
        return static_cast<std::int64_t>(p.value.ul);
      default:
        return std::nullopt;
    }
  }

  const virTypedParameter* begin_;
  const virTypedParameter* end_;
};

std::optional<std::int64_t> times(std::optional<std::int64_t> value, std::int64_t factor) {
  return value ? std::optional(*value * factor) : std::nullopt;
}

VmStats identify(virDomainPtr domain) {
  VmStats vm;
  vm.name = virDomainGetName(domain);
  vm.uuid = uuid_of(domain);
  const unsigned id = virDomainGetID(domain);  // kept in the handle: no call to the host
  if (id != static_cast<unsigned>(-1)) vm.domain_id = id;
  return vm;
}

// The calls that every driver has, for what virConnectGetAllDomainStats did not tell.
void fill_from_info(virDomainPtr domain, VmStats& vm) {
  virDomainInfo info{};
  if (virDomainGetInfo(domain, &info) < 0) {
    virResetLastError();  // vanished, or the driver cannot tell: stays unknown
    return;
  }
  if (vm.state == VIR_DOMAIN_NOSTATE) vm.state = info.state;
  if (!vm.vcpus) vm.vcpus = info.nrVirtCpu;
  if (!vm.memory_bytes) vm.memory_bytes = static_cast<std::int64_t>(info.memory) * kKiB;
  if (!vm.cpu_time_ns && vm.active()) vm.cpu_time_ns = static_cast<std::int64_t>(info.cpuTime);
}

// Of a virDomainPausedReason. A target that is being prepared is "starting up": a VM that starts is that for
// an instant too, and no harm is done if a planner leaves it alone for this round.
bool is_migration(std::int64_t reason) {
  return reason == VIR_DOMAIN_PAUSED_MIGRATION || reason == VIR_DOMAIN_PAUSED_STARTING_UP ||
         reason == VIR_DOMAIN_PAUSED_POSTCOPY;
}

VmStats read_vm(const virDomainStatsRecord& record) {
  const Parameters parameters(record);
  VmStats vm = identify(record.dom);
  vm.state = static_cast<int>(parameters.integer("state.state").value_or(VIR_DOMAIN_NOSTATE));
  vm.migrating =
      vm.state == VIR_DOMAIN_PAUSED && is_migration(parameters.integer("state.reason").value_or(0));
  if (vm.state == VIR_DOMAIN_PAUSED) {
    if (const auto reason = parameters.integer("state.reason")) vm.paused_reason = static_cast<int>(*reason);
  }
  if (vm.state == VIR_DOMAIN_SHUTOFF) {
    if (const auto reason = parameters.integer("state.reason")) vm.shutoff_reason = static_cast<int>(*reason);
  }
  vm.vcpus = parameters.integer("vcpu.current");
  vm.memory_bytes = times(parameters.integer("balloon.current"), kKiB);
  if (vm.active()) {
    vm.memory_used_bytes = times(parameters.integer("balloon.rss"), kKiB);
    vm.cpu_time_ns = parameters.integer("cpu.time");
    vm.cpu_delay_ns = parameters.total("vcpu", "delay");
    vm.memory_max_bytes = times(parameters.integer("balloon.maximum"), kKiB);
    vm.memory_usable_bytes = times(parameters.integer("balloon.usable"), kKiB);
    vm.swap_in_bytes = times(parameters.integer("balloon.swap_in"), kKiB);
    vm.swap_out_bytes = times(parameters.integer("balloon.swap_out"), kKiB);
    vm.disk_read_bytes = parameters.sum("block", "rd.bytes");
    vm.disk_written_bytes = parameters.sum("block", "wr.bytes");
    vm.net_received_bytes = parameters.sum("net", "rx.bytes");
    vm.net_sent_bytes = parameters.sum("net", "tx.bytes");
  }
  vm.disk_capacity_bytes = parameters.sum("block", "capacity");
  vm.disk_allocation_bytes = parameters.sum("block", "allocation");
  if (!vm.vcpus || !vm.memory_bytes || (vm.active() && !vm.cpu_time_ns)) fill_from_info(record.dom, vm);
  return vm;
}

void read_vms(const Connection& connection, Reading& reading) {
  constexpr unsigned kStats = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON |
                              VIR_DOMAIN_STATS_VCPU | VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK;
  virDomainStatsRecordPtr* raw = nullptr;
  // Without NOWAIT one VM whose monitor hangs in another job would hold up the whole host for 30 s.
  int count =
      virConnectGetAllDomainStats(connection.get(), kStats, &raw, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
  if (count < 0 && is_unsupported(last_error_code())) {
    virResetLastError();
    count = virConnectGetAllDomainStats(connection.get(), kStats, &raw, 0);
  }
  if (count < 0 && !is_unsupported(last_error_code())) {
    throw virt_error(Status::kUnreachable, "read the statistics of the virtual servers", connection.uri());
  }
  if (count < 0) {
    virResetLastError();
    for (Domain& domain : connection.domains()) {
      reading.stats.vms.push_back(identify(domain.get()));
      fill_from_info(domain.get(), reading.stats.vms.back());
      reading.domains.push_back(std::move(domain));
    }
    return;
  }
  const std::unique_ptr<virDomainStatsRecordPtr, Deleter<virDomainStatsRecordListFree>> records(raw);
  for (int i = 0; i < count; ++i) {
    reading.stats.vms.push_back(read_vm(*raw[i]));
    virDomainRef(raw[i]->dom);
    reading.domains.emplace_back(raw[i]->dom);
  }
}

// virNodeGetCPUStats and virNodeGetMemoryStats have one shape: the array must have just the size that they
// tell when asked with none. Linux hosts have four of each, so that is tried first and saves a round trip.
template <class Entry, class Call>
std::vector<Entry> read_node_array(Call call) {
  int count = 4;
  std::vector<Entry> entries(4);
  if (call(entries.data(), &count) < 0) {
    virResetLastError();
    count = 0;
    if (call(nullptr, &count) < 0 || count <= 0) {
      virResetLastError();
      return {};
    }
    entries.resize(static_cast<std::size_t>(count));
    if (call(entries.data(), &count) < 0) {
      virResetLastError();
      return {};
    }
  }
  entries.resize(static_cast<std::size_t>(count));
  return entries;
}

template <class Entry>
std::optional<std::uint64_t> entry(const std::vector<Entry>& entries, std::string_view name) {
  for (const Entry& e : entries) {
    if (name == e.field) return e.value;
  }
  return std::nullopt;
}

void read_cpu_time(const Connection& connection, HostStats& host) {
  const auto entries = read_node_array<virNodeCPUStats>([&](virNodeCPUStatsPtr array, int* count) {
    return virNodeGetCPUStats(connection.get(), VIR_NODE_CPU_STATS_ALL_CPUS, array, count, 0);
  });
  const auto kernel = entry(entries, VIR_NODE_CPU_STATS_KERNEL);
  const auto user = entry(entries, VIR_NODE_CPU_STATS_USER);
  const auto idle = entry(entries, VIR_NODE_CPU_STATS_IDLE);
  if (!kernel || !user || !idle) return;
  host.cpu_busy = *kernel + *user + entry(entries, VIR_NODE_CPU_STATS_INTR).value_or(0);
  host.cpu_total = *host.cpu_busy + *idle + entry(entries, VIR_NODE_CPU_STATS_IOWAIT).value_or(0);
}

void take_counters(const Connection& connection, Reading& reading) {
  read_vms(connection, reading);
  reading.stats.taken = std::chrono::steady_clock::now();
  read_cpu_time(connection, reading.stats);
  if (is_this_machine(connection.uri())) reading.stats.pressure = read_pressure();
}

// The array that libvirt has made, as owners.
template <class Owner, class Handle>
std::vector<Owner> owned(Handle* raw, int count) {
  const std::unique_ptr<Handle, Deleter<std::free>> array(raw);
  std::vector<Owner> all;
  for (int i = 0; i < count; ++i) all.emplace_back(raw[i]);
  return all;
}

// Of running VMs, what they occupy of memory that they share with other processes.
std::int64_t shared_memory_of_vms(const Connection& connection) {
  virDomainStatsRecordPtr* raw = nullptr;
  // Without NOWAIT one that is just arriving, and takes no other question, would hold this up for 30 s.
  const int count = virConnectGetAllDomainStats(
      connection.get(), VIR_DOMAIN_STATS_BALLOON, &raw,
      VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
  if (count <= 0) {
    virResetLastError();  // a driver that does not have the call has no such memory either
    return 0;
  }
  const std::unique_ptr<virDomainStatsRecordPtr, Deleter<virDomainStatsRecordListFree>> records(raw);
  std::int64_t bytes = 0;
  for (int i = 0; i < count; ++i) {
    const auto xml = read_definition(raw[i]->dom);
    if (!xml || !parse_description(*xml).shared_memory) continue;
    const Parameters parameters(*raw[i]);
    const auto occupied = parameters.integer("balloon.rss");
    bytes += occupied.value_or(static_cast<std::int64_t>(virDomainGetMaxMemory(raw[i]->dom))) * kKiB;
  }
  virResetLastError();  // one that vanished takes nothing
  return bytes;
}

void read_memory(const Connection& connection, HostStats& host) {
  const auto entries = read_node_array<virNodeMemoryStats>([&](virNodeMemoryStatsPtr array, int* count) {
    return virNodeGetMemoryStats(connection.get(), VIR_NODE_MEMORY_STATS_ALL_CELLS, array, count, 0);
  });
  const auto total = entry(entries, VIR_NODE_MEMORY_STATS_TOTAL);
  const auto free = entry(entries, VIR_NODE_MEMORY_STATS_FREE);
  if (!total || !free) return;  // virNodeGetFreeMemory is no way out: the test driver answers 0
  const std::uint64_t caches = entry(entries, VIR_NODE_MEMORY_STATS_BUFFERS).value_or(0) +
                               entry(entries, VIR_NODE_MEMORY_STATS_CACHED).value_or(0);
  // virNodeGetInfo counts the NUMA nodes that it finds, which is not always all; these figures belong
  // together.
  host.memory_bytes = static_cast<std::int64_t>(*total) * kKiB;
  host.memory_free_bytes = static_cast<std::int64_t>(std::min(*free + caches, *total)) * kKiB;
  if (!is_this_machine(connection.uri())) return;
  if (const auto available = read_available_memory()) {
    host.memory_free_bytes = std::min(*available, *host.memory_bytes);
    host.shared_memory_left_out = true;
  }
}

}  // namespace

Reading read_stats(const Connection& connection) {
  Reading reading;
  HostStats& host = reading.stats;
  virNodeInfo info{};
  if (virNodeGetInfo(connection.get(), &info) < 0) {
    throw virt_error(Status::kUnreachable, "read the host's capacity", connection.uri());
  }
  host.cpus = info.cpus;
  if (info.mhz > 0) host.cpu_mhz = info.mhz;
  host.memory_bytes = static_cast<std::int64_t>(info.memory) * kKiB;
  read_memory(connection, host);
  take_counters(connection, reading);
  return reading;
}

HostStats read_counters(const Connection& connection) {
  Reading reading;
  take_counters(connection, reading);
  return std::move(reading.stats);
}

HostModel read_model(const Connection& connection) {
  const std::string xml = take(virConnectGetCapabilities(connection.get()));
  virResetLastError();
  HostModel model;
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return model;
  const pugi::xml_node cpu = document.child("capabilities").child("host").child("cpu");
  if (const pugi::xml_node arch = cpu.child("arch")) model.arch = arch.text().as_string();
  if (const pugi::xml_node name = cpu.child("model")) model.cpu_model = name.text().as_string();
  constexpr std::int64_t kMega = 1'000'000;
  for (const pugi::xml_node& counter : cpu.children("counter")) {
    const std::int64_t hertz = counter.attribute("frequency").as_llong();
    if (std::string_view(counter.attribute("name").value()) == "tsc" && hertz >= kMega)
      model.cpu_mhz = hertz / kMega;
  }
  model.pages = parse_page_pools(xml);
  return model;
}

namespace {

// The element of a <metadata> that has our namespace, whatever prefix its author chose.
pugi::xml_node wishes_in(const pugi::xml_node& metadata) {
  for (const pugi::xml_node element : metadata.children()) {
    const std::string_view name = element.name();
    const auto colon = name.find(':');
    const std::string declared =
        colon == std::string_view::npos ? "xmlns" : "xmlns:" + std::string(name.substr(0, colon));
    for (pugi::xml_node node = element; node; node = node.parent()) {
      const pugi::xml_attribute uri = node.attribute(declared.c_str());
      if (!uri) continue;
      if (std::string_view(uri.value()) == kMetadataUri) return element;
      break;
    }
  }
  return {};
}

}  // namespace

VmWishes parse_wishes(const std::string& xml) {
  VmWishes wishes;
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return wishes;
  pugi::xml_node element = document.first_child();  // its prefix is the author's choice
  if (std::string_view(element.name()) == "domain") element = wishes_in(element.child("metadata"));
  if (const pugi::xml_attribute group = element.attribute("anti_affinity"); group && *group.value() != '\0') {
    wishes.anti_affinity = group.value();
  }
  if (const pugi::xml_attribute priority = element.attribute("priority")) {
    const std::string_view text = priority.value();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc{} && end == text.data() + text.size()) wishes.priority = value;
  }
  return wishes;
}

std::optional<VmWishes> read_wishes(virDomainPtr domain) {
  const CString xml(virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, kMetadataUri, 0));
  if (xml != nullptr) return parse_wishes(xml.get());
  const int code = last_error_code();
  if (code == VIR_ERR_NO_DOMAIN_METADATA || is_unsupported(code)) {
    virResetLastError();
    return VmWishes{};
  }
  if (code == VIR_ERR_NO_DOMAIN) {
    virResetLastError();
    return std::nullopt;
  }
  throw virt_error(Status::kUnreachable, "read the metadata of the virtual server", virDomainGetName(domain));
}

std::set<std::string> read_chosen(const Connection& connection, unsigned flags) {
  std::set<std::string> uuids;
  virDomainPtr* raw = nullptr;
  const int count = virConnectListAllDomains(connection.get(), &raw, flags);
  if (const int code = last_error_code();
      count < 0 && (is_unsupported(code) || code == VIR_ERR_INVALID_ARG)) {
    virResetLastError();
    return uuids;
  }
  if (count < 0) throw virt_error(Status::kUnreachable, "list the virtual servers", connection.uri());
  for (const Domain& domain : owned<Domain>(raw, count)) uuids.insert(uuid_of(domain.get()));
  return uuids;
}

std::optional<std::string> read_definition(virDomainPtr domain) {
  const CString xml(virDomainGetXMLDesc(domain, 0));
  if (xml != nullptr) return std::string(xml.get());
  if (last_error_code() == VIR_ERR_NO_DOMAIN) {
    virResetLastError();
    return std::nullopt;
  }
  throw virt_error(Status::kUnreachable, "read the definition of the virtual server",
                   virDomainGetName(domain));
}

namespace {

std::optional<std::vector<std::string>> read_pools(const Connection& connection) {
  virStoragePoolPtr* raw = nullptr;
  const int count =
      virConnectListAllStoragePools(connection.get(), &raw, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE);
  if (count < 0) return std::nullopt;
  std::vector<std::string> pools;
  for (const auto& pool : owned<StoragePool>(raw, count)) {
    pugi::xml_document document;
    document.load_string(take(virStoragePoolGetXMLDesc(pool.get(), 0)).c_str());
    const std::string path = document.select_node("/pool/target/path").node().child_value();
    if (!path.empty()) pools.push_back(virStoragePoolGetName(pool.get()) + ("=" + path));
  }
  std::sort(pools.begin(), pools.end());
  return pools;
}

}  // namespace

HostPlugs read_plugs(const Connection& connection) {
  HostPlugs plugs;
  virNetworkPtr* networks = nullptr;
  if (const int count =
          virConnectListAllNetworks(connection.get(), &networks, VIR_CONNECT_LIST_NETWORKS_ACTIVE);
      count >= 0) {
    auto& names = plugs.networks.emplace();
    for (const auto& one : owned<std::unique_ptr<virNetwork, Deleter<virNetworkFree>>>(networks, count))
      names.emplace_back(virNetworkGetName(one.get()));
    std::sort(names.begin(), names.end());
  }
  virInterfacePtr* interfaces = nullptr;
  if (const int count = virConnectListAllInterfaces(connection.get(), &interfaces, 0); count >= 0) {
    auto& names = plugs.interfaces.emplace();
    for (const auto& one :
         owned<std::unique_ptr<virInterface, Deleter<virInterfaceFree>>>(interfaces, count)) {
      const std::string_view name = virInterfaceGetName(one.get());
      // Those of VMs come and go, and nothing else is plugged into them.
      if (!name.starts_with("vnet") && !name.starts_with("macvtap")) names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
  }
  plugs.storage_pools = read_pools(connection);
  virResetLastError();  // not every libvirtd knows all of these
  return plugs;
}

std::int64_t free_memory_bytes(const Connection& connection) {
  HostStats host;
  read_memory(connection, host);
  if (host.memory_free_bytes) {
    if (host.shared_memory_left_out) return *host.memory_free_bytes;
    return std::max<std::int64_t>(0, *host.memory_free_bytes - shared_memory_of_vms(connection));
  }
  const unsigned long long bytes = virNodeGetFreeMemory(connection.get());
  if (bytes == 0) throw virt_error(Status::kUnreachable, "read the free memory", connection.uri());
  return static_cast<std::int64_t>(bytes);
}

}  // namespace rackline::virt
