// SPDX-License-Identifier: Apache-2.0
#include <libvirt/libvirt.h>

#include <algorithm>
#include <mutex>
#include <pugixml.hpp>
#include <sstream>
#include <utility>
#include <vector>

#include "migrate/hypervisor.h"
#include "net/address.h"
#include "virt/connection.h"
#include "virt/drive.h"
#include "virt/image.h"
#include "virt/stats.h"
#include "virt/volumes.h"

namespace rackline::migrate {
namespace {

using Network = std::unique_ptr<virNetwork, virt::Deleter<virNetworkFree>>;
using Interface = std::unique_ptr<virInterface, virt::Deleter<virInterfaceFree>>;
using Parameters = std::unique_ptr<virTypedParameter, virt::Deleter<std::free>>;

VmState state_of(int state, int reason) {
  switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
    case VIR_DOMAIN_SHUTDOWN:
      if (reason == VIR_DOMAIN_RUNNING_POSTCOPY && state == VIR_DOMAIN_RUNNING) return VmState::kPostcopy;
      if (reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED && state == VIR_DOMAIN_RUNNING)
        return VmState::kPostcopyFailed;
      return VmState::kRunning;
    case VIR_DOMAIN_PAUSED:
      switch (reason) {
        case VIR_DOMAIN_PAUSED_MIGRATION:
        case VIR_DOMAIN_PAUSED_STARTING_UP:
          return VmState::kInMigration;
        case VIR_DOMAIN_PAUSED_POSTCOPY:
          return VmState::kPostcopy;
        case VIR_DOMAIN_PAUSED_POSTCOPY_FAILED:
          return VmState::kPostcopyFailed;
        default:
          return VmState::kPaused;
      }
    case VIR_DOMAIN_SHUTOFF:
      return VmState::kShutoff;
    default:
      return VmState::kOther;
  }
}

std::int64_t number_in(virTypedParameterPtr parameters, int count, const char* name) {
  unsigned long long value = 0;
  if (virTypedParamsGetULLong(parameters, count, name, &value) == 1) return static_cast<std::int64_t>(value);
  return 0;
}

// The address in a migration URI; "" for a name. The target is to listen there alone, whatever its qemu.conf
// says: it may name the address of another network.
std::string numeric_address(std::string_view uri) {
  const auto scheme = uri.find("://");
  if (scheme == std::string_view::npos) return {};
  const auto address = net::parse_address(uri.substr(scheme + 3));
  return address && (address->ipv6() || net::is_ipv4(address->host)) ? address->host : std::string();
}

class LibvirtHypervisor final : public Hypervisor {
 public:
  explicit LibvirtHypervisor(MigrationHost host) : host_(std::move(host)) {}

  void connect() override { control(); }

  VmFacts look(const std::string& name, const std::optional<std::string>& uuid) override {
    const auto connection = control();
    VmFacts vm;
    virt::Domain domain = uuid ? connection->domain_by_uuid(*uuid) : connection->domain_by_name(name);
    if (domain == nullptr && uuid) {
      const virt::Domain other = connection->domain_by_name(name);
      vm.name_clash = other != nullptr;
      if (other != nullptr) vm.uuid = virt::uuid_of(other.get());
      return vm;
    }
    if (domain == nullptr) return vm;
    try {
      return facts(domain.get());
    } catch (const virt::VirtError& error) {
      if (error.code() == VIR_ERR_NO_DOMAIN) return vm;  // it went while it was being looked at
      throw;
    }
  }

  VmDescription describe(const std::string& uuid) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    const std::string xml = virt::take(virDomainGetXMLDesc(domain.get(), 0));
    if (xml.empty()) throw failed("read the definition of", uuid);
    VmDescription vm = virt::parse_description(xml);
    if (vm.host_cpu) vm.host_cpu_xml = host_cpu(*connection);
    virt::resolve_disks(*connection, virDomainIsActive(domain.get()) != 0, vm);
    int autostart = 0;
    if (virDomainGetAutostart(domain.get(), &autostart) == 0) vm.autostart = autostart != 0;
    describe_snapshots(domain.get(), vm);
    if (virDomainListAllCheckpoints(domain.get(), nullptr, 0) > 0)
      vm.ties.emplace_back(virt::kHasCheckpoints);
    if (virDomainHasManagedSaveImage(domain.get(), 0) == 1)
      vm.ties_when_stopped.emplace_back(virt::kHasSavedState);
    virResetLastError();  // the calls above are missing in some drivers, which then have no such thing
    return vm;
  }

  std::int64_t free_memory_bytes() override { return virt::free_memory_bytes(*control()); }

  virt::PageBytes free_hugepages() override {
    const auto connection = control();
    const auto pools = virt::read_model(*connection).pages;
    auto free = pools ? virt::free_pages(*connection, *pools) : std::nullopt;
    if (!free) return {};
    std::int64_t most = 0;
    for (const auto& [size, bytes] : *free) most = std::max(most, bytes);
    (*free)[0] = most;
    return *free;
  }

  std::optional<std::string> incompatible(const VmDescription& vm) override {
    const auto connection = control();
    const char* emulator = vm.emulator.empty() ? nullptr : vm.emulator.c_str();
    const std::string capabilities = virt::take(virConnectGetDomainCapabilities(
        connection->get(), emulator, vm.arch.c_str(), vm.machine.c_str(), vm.virt_type.c_str(), 0));
    if (capabilities.empty()) {
      if (const int code = virt::last_error_code(); code == VIR_ERR_NO_SUPPORT) {
        virResetLastError();  // a driver without machine types has nothing to be incompatible with
        return std::nullopt;
      } else if (code == VIR_ERR_RPC || code == VIR_ERR_SYSTEM_ERROR || code == VIR_ERR_INTERNAL_ERROR) {
        throw failed("ask for machine type " + vm.machine + " on", host_.host);
      }
      return host_.host + " has no machine type " + vm.machine + ": " + failed("", "").why();
    }
    if (vm.host_cpu && !vm.host_cpu_xml.empty()) {
      return compared(virConnectCompareCPU(connection->get(), vm.host_cpu_xml.c_str(), 0));
    }
    if (vm.cpu_xml.empty()) return std::nullopt;
    return compared(virConnectCompareHypervisorCPU(connection->get(), emulator, vm.arch.c_str(),
                                                   vm.machine.c_str(), vm.virt_type.c_str(),
                                                   vm.cpu_xml.c_str(), 0));
  }

  std::optional<std::string> missing_network(const VmDescription& vm) override {
    const auto connection = control();
    for (const auto& network : vm.networks) {
      if (network.type == "network") {
        const Network found(virNetworkLookupByName(connection->get(), network.source.c_str()));
        if (found == nullptr && virt::last_error_code() == VIR_ERR_NO_NETWORK)
          return host_.host + " has no network " + network.source;
        if (found != nullptr && virNetworkIsActive(found.get()) == 0)
          return "the network " + network.source + " is not active on " + host_.host;
      } else {
        const Interface found(virInterfaceLookupByName(connection->get(), network.source.c_str()));
        if (found == nullptr && virt::last_error_code() == VIR_ERR_NO_INTERFACE)
          return host_.host + " has no " + (network.type == "bridge" ? "bridge " : "interface ") +
                 network.source;
      }
      virResetLastError();  // not every libvirtd knows its networks and interfaces
    }
    return std::nullopt;
  }

  std::optional<std::string> volume_path(const std::string& pool, const std::string& volume) override {
    return virt::volume_path(*control(), pool, volume);
  }

  Medium medium(const std::string& uuid, const std::string& target) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    const auto drive = [&](unsigned flags) {
      const std::string xml = virt::take(virDomainGetXMLDesc(domain.get(), flags));
      if (xml.empty()) throw failed("read the definition of", uuid);
      return virt::loaded_drive(xml, target);
    };
    Medium medium;
    medium.target = target;
    if (virDomainIsActive(domain.get()) == 1) medium.live = drive(0);
    if (is_persistent(domain.get(), uuid)) medium.persistent = drive(VIR_DOMAIN_XML_INACTIVE);
    return medium;
  }

  void eject(const std::string& uuid, const Medium& medium) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    const auto take_out = [&](const std::string& drive, unsigned flags) {
      if (drive.empty()) return;
      // Without FORCE: a guest that has locked its drive is using the medium.
      if (virDomainUpdateDeviceFlags(domain.get(), virt::emptied_drive(drive).c_str(), flags) != 0)
        throw failed("eject " + medium.source + " of " + uuid, host_.host);
    };
    take_out(medium.live, VIR_DOMAIN_AFFECT_LIVE);
    take_out(medium.persistent, VIR_DOMAIN_AFFECT_CONFIG);
  }

  void insert(const std::string& uuid, const Medium& medium) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    const Medium now = this->medium(uuid, medium.target);
    const auto put_in = [&](const std::string& drive, const std::string& there, unsigned flags) {
      if (drive.empty() || !there.empty()) return;
      if (virDomainUpdateDeviceFlags(domain.get(), drive.c_str(), flags) != 0)
        throw failed("put " + medium.source + " back into " + uuid, host_.host);
    };
    if (virDomainIsActive(domain.get()) == 1) put_in(medium.live, now.live, VIR_DOMAIN_AFFECT_LIVE);
    put_in(medium.persistent, now.persistent, VIR_DOMAIN_AFFECT_CONFIG);
  }

  DiskSize disk_size(const std::string& uuid, const std::string& target) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    virDomainBlockInfo info{};
    if (virDomainGetBlockInfo(domain.get(), target.c_str(), &info, 0) != 0)
      throw failed("read the size of disk " + target + " of " + uuid, host_.host);
    return {static_cast<std::int64_t>(info.capacity), static_cast<std::int64_t>(info.allocation)};
  }

  std::optional<std::string> cannot_take(const std::vector<DiskCopy>& copies) override {
    const auto connection = control();
    return virt::cannot_hold(connection->get(), host_.host, images_of(copies));
  }

  void make_image(const DiskCopy& copy) override {
    const auto connection = control();
    virt::make_image(connection->get(), images_of({copy}).front());
  }

  void remove_image(const DiskCopy& copy) override {
    const auto connection = control();
    virt::remove_image(connection->get(), copy.path);
  }

  void migrate(const MigrateRequest& request) override {
    // On a connection of its own: libvirtd works on at most five requests of one client at a time
    // (max_client_requests), so that five migrations would leave no room for the request to abort one.
    const auto connection = borrow();
    const virt::Domain domain = existing(*connection, request.uuid);
    // UNSAFE, because libvirt believes only in a few cluster file systems and else wants cache='none':
    // whether the storage is shared was checked against the inventory.
    unsigned flags =
        VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_ABORT_ON_ERROR | VIR_MIGRATE_UNSAFE;
    if (is_persistent(domain.get(), request.uuid))
      flags |= VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE;
    if (request.auto_converge) flags |= VIR_MIGRATE_AUTO_CONVERGE;
    if (request.allow_postcopy) flags |= VIR_MIGRATE_POSTCOPY;
    if (request.tls) flags |= VIR_MIGRATE_TLS;
    if (!request.disks.empty()) flags |= VIR_MIGRATE_NON_SHARED_DISK;
    virTypedParameterPtr parameters = nullptr;
    int count = 0;
    int room = 0;
    const auto add_text = [&](const char* name, const std::string& text) {
      if (!text.empty()) virTypedParamsAddString(&parameters, &count, &room, name, text.c_str());
    };
    add_text(VIR_MIGRATE_PARAM_URI, request.migration_uri);
    add_text(VIR_MIGRATE_PARAM_LISTEN_ADDRESS, numeric_address(request.migration_uri));
    for (const auto& disk : request.disks) add_text(VIR_MIGRATE_PARAM_MIGRATE_DISKS, disk);
    if (request.bandwidth_bytes_per_second > 0) {
      constexpr std::int64_t kMebibyte = 1 << 20;
      const auto bandwidth = std::max<std::int64_t>(1, request.bandwidth_bytes_per_second / kMebibyte);
      virTypedParamsAddULLong(&parameters, &count, &room, VIR_MIGRATE_PARAM_BANDWIDTH,
                              static_cast<unsigned long long>(bandwidth));
    }
    const int code = virDomainMigrateToURI3(domain.get(), request.peer_uri.c_str(), parameters,
                                            static_cast<unsigned>(count), flags);
    virTypedParamsFree(parameters, count);
    if (code != 0) throw failed("migrate", host_.host);
    give_back(connection);
  }

  JobStats job(const std::string& uuid) override { return stats(uuid, 0); }
  // KEEP: otherwise whoever asks first takes the figures away from everybody else.
  JobStats completed_job(const std::string& uuid) override {
    return stats(uuid, VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED);
  }

  void set_max_downtime(const std::string& uuid, Milliseconds downtime) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    if (virDomainMigrateSetMaxDowntime(domain.get(), static_cast<unsigned long long>(downtime.count()), 0) !=
        0) {
      throw failed("limit the downtime of", uuid);
    }
  }

  void start_postcopy(const std::string& uuid) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    if (virDomainMigrateStartPostCopy(domain.get(), 0) != 0) throw failed("start post-copy of", uuid);
  }

  void abort_job(const std::string& uuid) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    if (virDomainAbortJob(domain.get()) != 0) throw failed("abort the migration of", uuid);
  }

  std::string definition(const std::string& uuid) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    std::string xml =
        virt::take(virDomainGetXMLDesc(domain.get(), VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE));
    if (xml.empty()) throw failed("read the definition of", uuid);
    return xml;
  }

  void define(const std::string& xml) override {
    const auto connection = control();
    const virt::Domain domain(virDomainDefineXMLFlags(connection->get(), xml.c_str(), 0));
    if (domain == nullptr) throw failed("define a virtual server on", host_.host);
  }

  std::vector<Snapshot> snapshots(const std::string& uuid) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    std::vector<Snapshot> all;
    for (const auto& snapshot : virt::snapshots_of(domain.get())) {
      all.push_back({virDomainSnapshotGetName(snapshot.get()),
                     virt::take(virDomainSnapshotGetXMLDesc(snapshot.get(), VIR_DOMAIN_SNAPSHOT_XML_SECURE)),
                     virDomainSnapshotIsCurrent(snapshot.get(), 0) == 1});
      if (all.back().xml.empty()) throw failed("read snapshot " + all.back().name + " of", uuid);
    }
    return all;
  }

  void redefine(const std::string& uuid, const Snapshot& snapshot) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    unsigned flags = VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE;
    if (snapshot.current) flags |= VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT;
    const virt::Snapshot made(virDomainSnapshotCreateXML(domain.get(), snapshot.xml.c_str(), flags));
    if (made == nullptr) throw failed("define snapshot " + snapshot.name + " of " + uuid, host_.host);
  }

  void undefine(const std::string& uuid) override { undefine_stopped(uuid, 0); }
  void undefine_with_snapshots(const std::string& uuid) override {
    undefine_stopped(uuid, VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA);
  }

  bool autostart(const std::string& uuid) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    int on = 0;
    if (virDomainGetAutostart(domain.get(), &on) != 0) throw failed("read autostart of " + uuid, host_.host);
    return on != 0;
  }

  void set_autostart(const std::string& uuid, bool on) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    if (virDomainSetAutostart(domain.get(), on ? 1 : 0) != 0)
      throw failed("set autostart of " + uuid, host_.host);
  }

  void start(const std::string& uuid) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    if (virDomainCreate(domain.get()) == 0) return;
    // Its words first: to ask whether the connection lives resets them.
    virt::VirtError error = failed("start " + uuid, host_.host);
    // Another job has it, perhaps an earlier start of ours that hangs: this says nothing of what that brings.
    if (error.code() == VIR_ERR_OPERATION_TIMEOUT)
      throw virt::VirtError(Status::kTimeout, "start " + uuid, host_.host, error.why(), error.code());
    if (connection->alive()) throw error;
    throw virt::VirtError(Status::kUnreachable, "start " + uuid, host_.host, error.why(), error.code());
  }

  void destroy(const std::string& uuid) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    if (virDomainDestroyFlags(domain.get(), 0) != 0) throw failed("stop " + uuid, host_.host);
  }

  void discard_incoming(const std::string& uuid) override {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    const VmFacts vm = facts(domain.get());
    if (vm.start_failed) return remove_definition(domain.get(), uuid);
    if (vm.state != VmState::kInMigration) {
      throw Error(Status::kRefused, "remove the incoming copy of " + uuid, host_.host,
                  "it is not incoming any more");
    }
    if (virDomainDestroyFlags(domain.get(), 0) != 0)
      throw failed("remove the incoming copy of " + uuid, host_.host);
  }

 private:
  using Shared = std::shared_ptr<virt::Connection>;

  static std::vector<virt::Image> images_of(const std::vector<DiskCopy>& copies) {
    std::vector<virt::Image> images;
    for (const DiskCopy& copy : copies)
      images.push_back({copy.path, copy.format, copy.pool, copy.capacity_bytes, copy.allocation_bytes});
    return images;
  }

  // A snapshot names files of its own, and those that the disks were at the time.
  static void describe_snapshots(virDomainPtr domain, VmDescription& vm) {
    for (const auto& snapshot : virt::snapshots_of(domain)) {
      vm.snapshots.emplace_back(virDomainSnapshotGetName(snapshot.get()));
      auto files = virt::files_of_snapshot(virt::take(virDomainSnapshotGetXMLDesc(snapshot.get(), 0)));
      vm.disks.insert(vm.disks.end(), files.begin(), files.end());
    }
    if (!vm.snapshots.empty()) vm.ties_when_live.emplace_back(virt::kHasSnapshots);
  }

  void undefine_stopped(const std::string& uuid, unsigned flags) {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    if (virDomainIsActive(domain.get()) != 0) {
      throw Error(Status::kRefused, "undefine " + uuid, host_.host, "it is running there");
    }
    remove_definition(domain.get(), uuid, flags);
  }

  void remove_definition(virDomainPtr domain, const std::string& uuid, unsigned flags = 0) const {
    if (virDomainUndefineFlags(domain, flags | VIR_DOMAIN_UNDEFINE_KEEP_NVRAM) == 0) return;
    if (!virt::is_unsupported(virt::last_error_code())) throw failed("undefine " + uuid, host_.host);
    virResetLastError();  // a driver that knows no NVRAM
    if (virDomainUndefineFlags(domain, flags) != 0) throw failed("undefine " + uuid, host_.host);
  }

  virt::VirtError failed(const std::string& attempted, const std::string& object) const {
    return virt::virt_error(Status::kNo, attempted, object);
  }

  // The connection for questions.
  Shared control() {
    const std::lock_guard guard(mutex_);
    if (control_ == nullptr || !control_->alive()) {
      control_ = std::make_shared<virt::Connection>(virt::Connection::open(host_.uri));
    }
    return control_;
  }

  Shared borrow() {
    {
      const std::lock_guard guard(mutex_);
      while (!idle_.empty()) {
        Shared connection = std::move(idle_.back());
        idle_.pop_back();
        if (connection->alive()) return connection;
      }
    }
    return std::make_shared<virt::Connection>(virt::Connection::open(host_.uri));
  }

  void give_back(Shared connection) {
    const std::lock_guard guard(mutex_);
    idle_.push_back(std::move(connection));
  }

  static virt::Domain existing(const virt::Connection& connection, const std::string& uuid) {
    virt::Domain domain = connection.domain_by_uuid(uuid);
    if (domain == nullptr) {
      throw virt::VirtError(Status::kNo, "look up the virtual server", uuid, "there is none",
                            VIR_ERR_NO_DOMAIN);
    }
    return domain;
  }

  VmFacts facts(virDomainPtr domain) const {
    VmFacts vm;
    vm.name = virDomainGetName(domain);
    vm.uuid = virt::uuid_of(domain);
    int state = VIR_DOMAIN_NOSTATE;
    int reason = 0;
    if (virDomainGetState(domain, &state, &reason, 0) != 0) throw failed("read the state of", vm.name);
    // The handle has the number of the moment of its lookup, which came before: still the same run, or none.
    const unsigned id = virDomainGetID(domain);
    const bool running =
        state != VIR_DOMAIN_SHUTOFF && state != VIR_DOMAIN_CRASHED && id != static_cast<unsigned>(-1);
    if (running) vm.domain_id = id;
    vm.state = state_of(state, reason);
    vm.lost = state == VIR_DOMAIN_SHUTOFF && reason != VIR_DOMAIN_SHUTOFF_SHUTDOWN &&
              reason != VIR_DOMAIN_SHUTOFF_SAVED && reason != VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT;
    vm.start_failed = state == VIR_DOMAIN_SHUTOFF && reason == VIR_DOMAIN_SHUTOFF_FAILED;
    vm.persistent = is_persistent(domain, vm.name);
    vm.memory_bytes = static_cast<std::int64_t>(virDomainGetMaxMemory(domain)) * 1024;
    if (running) read_job(domain, vm);
    return vm;
  }

  bool is_persistent(virDomainPtr domain, const std::string& name) const {
    virResetLastError();
    const int persistent = virDomainIsPersistent(domain);
    if (persistent < 0) throw failed("read the state of", name);
    return persistent == 1;
  }

  void read_job(virDomainPtr domain, VmFacts& vm) const {
    int type = VIR_DOMAIN_JOB_NONE;
    virTypedParameterPtr parameters = nullptr;
    int count = 0;
    if (virDomainGetJobStats(domain, &type, &parameters, &count, 0) != 0) {
      const int code = virt::last_error_code();
      // It ended between the two questions; or the driver knows no jobs.
      if (code == VIR_ERR_OPERATION_INVALID || virt::is_unsupported(code)) return virResetLastError();
      throw failed("read the job of", vm.name);
    }
    vm.job = type == VIR_DOMAIN_JOB_BOUNDED || type == VIR_DOMAIN_JOB_UNBOUNDED;
    int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
    virTypedParamsGetInt(parameters, count, VIR_DOMAIN_JOB_OPERATION, &operation);
    vm.migrating_out = vm.job && operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
    virTypedParamsFree(parameters, count);
  }

  JobStats stats(const std::string& uuid, unsigned flags) {
    const auto connection = control();
    const virt::Domain domain = existing(*connection, uuid);
    int type = VIR_DOMAIN_JOB_NONE;
    virTypedParameterPtr parameters = nullptr;
    int count = 0;
    if (virDomainGetJobStats(domain.get(), &type, &parameters, &count, flags) != 0) {
      throw failed("read the job of", uuid);
    }
    JobStats job;
    job.running = type == VIR_DOMAIN_JOB_BOUNDED || type == VIR_DOMAIN_JOB_UNBOUNDED;
    int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
    virTypedParamsGetInt(parameters, count, VIR_DOMAIN_JOB_OPERATION, &operation);
    job.migrating_out = operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
    job.elapsed = Milliseconds{number_in(parameters, count, VIR_DOMAIN_JOB_TIME_ELAPSED)};
    job.iteration = number_in(parameters, count, VIR_DOMAIN_JOB_MEMORY_ITERATION);
    job.total_bytes = number_in(parameters, count, VIR_DOMAIN_JOB_MEMORY_TOTAL);
    job.transferred_bytes = number_in(parameters, count, VIR_DOMAIN_JOB_MEMORY_PROCESSED);
    job.remaining_bytes = number_in(parameters, count, VIR_DOMAIN_JOB_MEMORY_REMAINING);
    job.bytes_per_second = number_in(parameters, count, VIR_DOMAIN_JOB_MEMORY_BPS);
    job.disk_total_bytes = number_in(parameters, count, VIR_DOMAIN_JOB_DISK_TOTAL);
    job.disk_transferred_bytes = number_in(parameters, count, VIR_DOMAIN_JOB_DISK_PROCESSED);
    job.disk_remaining_bytes = number_in(parameters, count, VIR_DOMAIN_JOB_DISK_REMAINING);
    job.disk_bytes_per_second = number_in(parameters, count, VIR_DOMAIN_JOB_DISK_BPS);
    unsigned long long downtime = 0;
    if (virTypedParamsGetULLong(parameters, count, VIR_DOMAIN_JOB_DOWNTIME, &downtime) == 1) {
      job.downtime = Milliseconds{static_cast<std::int64_t>(downtime)};
    }
    virTypedParamsFree(parameters, count);
    return job;
  }

  // The <cpu> of the host, from its capabilities.
  static std::string host_cpu(const virt::Connection& connection) {
    pugi::xml_document document;
    document.load_string(virt::take(virConnectGetCapabilities(connection.get())).c_str());
    std::ostringstream text;
    document.select_node("/capabilities/host/cpu").node().print(text, "", pugi::format_raw);
    return text.str();
  }

  std::optional<std::string> compared(int result) const {
    switch (result) {
      case VIR_CPU_COMPARE_IDENTICAL:
      case VIR_CPU_COMPARE_SUPERSET:
        return std::nullopt;
      case VIR_CPU_COMPARE_INCOMPATIBLE:
        return host_.host + " does not have the CPU features that it needs";
      default:
        break;
    }
    const int code = virt::last_error_code();
    if (code == VIR_ERR_CPU_INCOMPATIBLE) return host_.host + ": " + failed("", "").why();
    if (!virt::is_unsupported(code)) throw failed("compare the CPU with", host_.host);
    virResetLastError();  // not knowable there; the target's QEMU checks again and then refuses by itself
    return std::nullopt;
  }

  MigrationHost host_;
  std::mutex mutex_;
  Shared control_;
  std::vector<Shared> idle_;
};

}  // namespace

std::shared_ptr<Hypervisor> libvirt_hypervisor(const MigrationHost& host) {
  return std::make_shared<LibvirtHypervisor>(host);
}

}  // namespace rackline::migrate
