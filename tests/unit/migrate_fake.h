// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "migrate/hypervisor.h"
#include "virt/connection.h"

namespace rackline::migrate {

// Hosts with VMs in memory. A migration goes on until the test ends it, a request aborts it, or at once where
// nothing else is said. Every change of the world is counted, so that "touched nothing" can be asserted.
class FakeWorld : public std::enable_shared_from_this<FakeWorld> {
 public:
  struct Vm {
    VmFacts facts;
    VmDescription description;
    std::string xml;
    bool autostart = false;
    std::vector<Hypervisor::Snapshot> snapshots;
  };
  enum class Ending { kAtOnce, kWhenTold, kFailure };

  void add(const std::string& host, const std::string& name, bool running = true,
           std::int64_t memory = 1 << 30) {
    const std::lock_guard guard(mutex_);
    Vm vm;
    vm.facts.name = name;
    vm.facts.uuid = "uuid-" + name;
    vm.facts.state = running ? VmState::kRunning : VmState::kShutoff;
    if (running) vm.facts.domain_id = 7;
    vm.facts.persistent = true;
    vm.facts.memory_bytes = memory;
    vm.description.arch = "x86_64";
    vm.description.machine = "pc-q35-7.2";
    vm.description.disks = {{"vda", "file", "/srv/vm/" + name + ".qcow2"}};
    vm.xml = "<domain>" + name + "</domain>";
    hosts_[host][vm.facts.uuid] = vm;
  }

  // The test's own hand in the world.
  template <class F>
  void with(const std::string& host, const std::string& name, F change) {
    const std::lock_guard guard(mutex_);
    change(hosts_[host]["uuid-" + name]);
  }
  void remove(const std::string& host, const std::string& name) {
    const std::lock_guard guard(mutex_);
    hosts_[host].erase("uuid-" + name);
  }
  VmState state(const std::string& host, const std::string& name) {
    const std::lock_guard guard(mutex_);
    const auto found = hosts_[host].find("uuid-" + name);
    return found == hosts_[host].end() ? VmState::kAbsent : found->second.facts.state;
  }
  // "h2" when exactly that host has it and it is active there; else what is wrong.
  std::string whereabouts(const std::string& name) {
    const std::lock_guard guard(mutex_);
    std::string places;
    for (const auto& [host, vms] : hosts_) {
      const auto found = vms.find("uuid-" + name);
      if (found == vms.end()) continue;
      places += (places.empty() ? "" : " ") + host;
      if (found->second.facts.state == VmState::kShutoff) places += "(off)";
      if (found->second.facts.state == VmState::kInMigration) places += "(incoming)";
    }
    return places;
  }

  void end_migration(const std::string& name) {
    const std::lock_guard guard(mutex_);
    told_.insert("uuid-" + name);
    changed_.notify_all();
  }
  // Until `holds` of the world; false after ten seconds.
  template <class F>
  bool wait_until(F holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds{10}, holds);
  }
  bool wait_for_migrations(int number) {
    return wait_until([&] { return begun >= number; });
  }
  void freeze(const std::string& host) {
    const std::lock_guard guard(mutex_);
    frozen_.insert(host);
  }
  void thaw() {
    const std::lock_guard guard(mutex_);
    frozen_.clear();
    changed_.notify_all();
  }
  ~FakeWorld() = default;

  std::shared_ptr<Hypervisor> host(const std::string& name);

  Ending ending = Ending::kAtOnce;
  bool abort_works = true;
  bool forgets_the_copy = false;  // after an abort the target keeps its incoming copy
  bool confirm_is_lost = false;   // after success the source keeps an idle definition
  bool postcopy_works = true;
  std::map<std::string, std::int64_t> free_memory;  // by host; not given: plenty
  std::map<std::string, virt::PageBytes> free_hugepages;
  std::map<std::string, std::string> incompatible;  // by host: why
  std::map<std::string, std::string> pools;         // HOST/POOL: where its volumes are
  std::set<std::string> without_network;            // hosts
  std::function<JobStats(int poll)> statistics;     // by the number of the question
  std::string define_error;
  std::set<std::string> locked_drives;         // by their guests
  std::map<std::string, std::int64_t> images;  // HOST:PATH of those on local storage, and their sizes
  std::string bad_snapshot;                    // one that no host takes
  std::string full;                            // the path of an image that finds no room
  std::int64_t too_large = 0;                  // by so much, images come out larger than they should

  // What happened. Read after the run, or in wait_until.
  int begun = 0, changes = 0, aborted = 0, postcopied = 0, asked = 0, discarded = 0;
  std::vector<MigrateRequest> requests;
  std::vector<Milliseconds> downtimes;
  std::map<std::string, int> outbound, inbound;
  int most_outbound = 0, most_inbound = 0, most_total = 0, total = 0;
  std::vector<std::string> order;  // VMs as their migrations began

 private:
  friend class FakeHypervisor;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::map<std::string, Vm>> hosts_;
  std::set<std::string> told_, aborting_, frozen_;
};

class FakeHypervisor final : public Hypervisor {
 public:
  FakeHypervisor(std::shared_ptr<FakeWorld> world, std::string host)
      : world_(std::move(world)), host_(std::move(host)) {}

  void connect() override { enter(); }

  VmFacts look(const std::string& name, const std::optional<std::string>& uuid) override {
    const auto lock = enter();
    VmFacts none;
    for (const auto& [key, vm] : vms()) {
      if (uuid ? key == *uuid : vm.facts.name == name) return vm.facts;
      if (vm.facts.name == name) {
        none.name_clash = true;
        none.uuid = key;
      }
    }
    return none;
  }

  VmDescription describe(const std::string& uuid) override {
    const auto lock = enter();
    VmDescription description = existing(uuid).description;
    description.autostart = existing(uuid).autostart;
    for (const auto& snapshot : existing(uuid).snapshots) description.snapshots.push_back(snapshot.name);
    return description;
  }

  std::int64_t free_memory_bytes() override {
    const auto lock = enter();
    const auto found = world_->free_memory.find(host_);
    return found == world_->free_memory.end() ? std::int64_t{1} << 40 : found->second;
  }

  virt::PageBytes free_hugepages() override {
    const auto lock = enter();
    return world_->free_hugepages[host_];
  }

  std::optional<std::string> incompatible(const VmDescription& /*vm*/) override {
    const auto lock = enter();
    const auto found = world_->incompatible.find(host_);
    if (found == world_->incompatible.end()) return std::nullopt;
    return found->second;
  }

  std::optional<std::string> missing_network(const VmDescription& vm) override {
    const auto lock = enter();
    for (const auto& network : vm.networks) {
      if (world_->without_network.contains(host_)) return host_ + " has no network " + network.source;
    }
    return std::nullopt;
  }

  std::optional<std::string> volume_path(const std::string& pool, const std::string& volume) override {
    const auto lock = enter();
    const auto found = world_->pools.find(host_ + "/" + pool);
    if (found == world_->pools.end()) return std::nullopt;
    return found->second + "/" + volume;
  }

  // Of media the description has those that are in their drives.
  Medium medium(const std::string& uuid, const std::string& target) override {
    const auto lock = enter();
    for (const VmDisk& disk : existing(uuid).description.disks) {
      if (disk.cdrom && disk.target == target) return {target, disk.source, disk.source, disk.source};
    }
    return {target, {}, {}, {}};
  }
  void eject(const std::string& uuid, const Medium& medium) override {
    const auto lock = enter();
    ++world_->changes;
    if (world_->locked_drives.contains(medium.target))
      throw virt::VirtError(Status::kNo, "eject", uuid, "the tray is locked", VIR_ERR_OPERATION_FAILED);
    std::erase_if(existing(uuid).description.disks,
                  [&](const VmDisk& disk) { return disk.cdrom && disk.target == medium.target; });
  }
  void insert(const std::string& uuid, const Medium& medium) override {
    if (!this->medium(uuid, medium.target).live.empty()) return;
    const auto lock = enter();
    ++world_->changes;
    VmDisk disk{medium.target, "file", medium.source};
    disk.cdrom = true;
    existing(uuid).description.disks.push_back(disk);
  }

  DiskSize disk_size(const std::string& uuid, const std::string& target) override {
    const auto lock = enter();
    for (const VmDisk& disk : existing(uuid).description.disks) {
      if (disk.target == target) return {world_->images.at(host_ + ":" + disk.source), 1000};
    }
    throw virt::VirtError(Status::kNo, "read the size of", target, "there is none", VIR_ERR_INVALID_ARG);
  }
  std::optional<std::string> cannot_take(const std::vector<DiskCopy>& copies) override {
    const auto lock = enter();
    for (const DiskCopy& copy : copies) {
      if (world_->images.contains(host_ + ":" + copy.path)) return host_ + " has " + copy.path;
    }
    return std::nullopt;
  }
  void make_image(const DiskCopy& copy) override {
    const auto lock = enter();
    ++world_->changes;
    if (world_->full == copy.path)
      throw virt::VirtError(Status::kNo, "make", copy.path, "no space", VIR_ERR_OPERATION_FAILED);
    if (!world_->images.emplace(host_ + ":" + copy.path, copy.capacity_bytes + world_->too_large).second)
      throw virt::VirtError(Status::kNo, "make", copy.path, "it exists", VIR_ERR_OPERATION_FAILED);
  }
  void remove_image(const DiskCopy& copy) override {
    const auto lock = enter();
    ++world_->changes;
    world_->images.erase(host_ + ":" + copy.path);
  }

  void migrate(const MigrateRequest& request) override {
    auto lock = enter();
    FakeWorld& world = *world_;
    const std::string target = request.peer_uri.substr(request.peer_uri.rfind('/') + 1);
    FakeWorld::Vm vm = existing(request.uuid);
    for (const VmDisk& disk : vm.description.disks) {
      const bool copied = std::count(request.disks.begin(), request.disks.end(), disk.target) > 0;
      if (copied && !world.images.contains(target + ":" + disk.source))
        throw virt::VirtError(Status::kNo, "migrate", host_, "no image", VIR_ERR_OPERATION_FAILED);
    }
    FakeWorld::Vm copy = vm;
    copy.facts.state = VmState::kInMigration;
    copy.facts.domain_id = 99;
    world.hosts_[target][request.uuid] = copy;
    existing(request.uuid).facts.job = existing(request.uuid).facts.migrating_out = true;
    world.requests.push_back(request);
    world.order.push_back(vm.facts.name);
    ++world.begun;
    world.most_outbound = std::max(world.most_outbound, ++world.outbound[host_]);
    world.most_inbound = std::max(world.most_inbound, ++world.inbound[target]);
    world.most_total = std::max(world.most_total, ++world.total);
    world.changed_.notify_all();
    if (world.ending == FakeWorld::Ending::kWhenTold) {
      world.changed_.wait(
          lock, [&] { return world.told_.count(request.uuid) + world.aborting_.count(request.uuid) > 0; });
    }
    --world.outbound[host_];
    --world.inbound[target];
    --world.total;
    const bool aborted = world.aborting_.erase(request.uuid) > 0;
    ++world.changes;
    world.changed_.notify_all();
    if (aborted || world.ending == FakeWorld::Ending::kFailure) {
      existing(request.uuid).facts.job = existing(request.uuid).facts.migrating_out = false;
      if (!world.forgets_the_copy) world.hosts_[target].erase(request.uuid);
      throw virt::VirtError(Status::kNo, "migrate", host_, aborted ? "canceled by client" : "it broke",
                            aborted ? VIR_ERR_OPERATION_ABORTED : VIR_ERR_OPERATION_FAILED);
    }
    world.told_.erase(request.uuid);
    world.hosts_[target][request.uuid].facts.state = VmState::kRunning;
    if (!world.confirm_is_lost) {
      vms().erase(request.uuid);
      return;
    }
    FakeWorld::Vm& rest = existing(request.uuid);
    rest.facts.state = VmState::kShutoff;
    rest.facts.domain_id.reset();
    rest.facts.job = rest.facts.migrating_out = false;
  }

  JobStats job(const std::string& uuid) override {
    const auto lock = enter();
    existing(uuid);
    ++world_->asked;
    JobStats stats;
    if (world_->statistics) stats = world_->statistics(world_->asked);
    stats.running = stats.migrating_out = existing(uuid).facts.migrating_out;
    world_->changed_.notify_all();
    return stats;
  }

  JobStats completed_job(const std::string& uuid) override {
    const auto lock = enter();
    existing(uuid);
    JobStats stats;
    stats.downtime = Milliseconds{42};
    stats.transferred_bytes = 1000;
    stats.iteration = 3;
    return stats;
  }

  void set_max_downtime(const std::string& uuid, Milliseconds downtime) override {
    const auto lock = enter();
    existing(uuid);
    world_->downtimes.push_back(downtime);
    world_->changed_.notify_all();
  }

  void start_postcopy(const std::string& uuid) override {
    const auto lock = enter();
    if (!world_->postcopy_works)
      throw virt::VirtError(Status::kNo, "start post-copy of", uuid, "no", VIR_ERR_OPERATION_INVALID);
    ++world_->postcopied;
    world_->told_.insert(uuid);
    world_->changed_.notify_all();
  }

  void abort_job(const std::string& uuid) override {
    const auto lock = enter();
    ++world_->aborted;
    world_->changed_.notify_all();
    if (!existing(uuid).facts.job)
      throw virt::VirtError(Status::kNo, "abort", uuid, "no job", VIR_ERR_OPERATION_INVALID);
    if (!world_->abort_works) return;
    world_->aborting_.insert(uuid);
    world_->changed_.notify_all();
  }

  std::string definition(const std::string& uuid) override {
    const auto lock = enter();
    return uuid + " " + existing(uuid).xml;
  }

  void define(const std::string& xml) override {
    const auto lock = enter();
    ++world_->changes;
    if (!world_->define_error.empty())
      throw virt::VirtError(Status::kNo, "define", host_, world_->define_error, VIR_ERR_XML_ERROR);
    const std::string uuid = xml.substr(0, xml.find(' '));
    for (const auto& [host, all] : world_->hosts_) {
      const auto found = all.find(uuid);
      if (found == all.end()) continue;
      FakeWorld::Vm vm = found->second;
      vm.autostart = false;
      vm.snapshots.clear();
      vms()[uuid] = vm;
      return;
    }
  }

  void undefine(const std::string& uuid) override {
    const auto lock = enter();
    ++world_->changes;
    if (existing(uuid).facts.domain_id) throw Error(Status::kRefused, "undefine", uuid, "it is running");
    if (!existing(uuid).snapshots.empty())
      throw Error(Status::kRefused, "undefine", uuid, "it has snapshots");
    vms().erase(uuid);
  }
  void undefine_with_snapshots(const std::string& uuid) override {
    {
      const auto lock = enter();
      existing(uuid).snapshots.clear();
    }
    undefine(uuid);
  }
  std::vector<Snapshot> snapshots(const std::string& uuid) override {
    const auto lock = enter();
    return existing(uuid).snapshots;
  }
  void redefine(const std::string& uuid, const Snapshot& snapshot) override {
    const auto lock = enter();
    ++world_->changes;
    if (world_->bad_snapshot == snapshot.name)
      throw virt::VirtError(Status::kNo, "redefine", uuid, "unknown element", VIR_ERR_XML_ERROR);
    existing(uuid).snapshots.push_back(snapshot);
  }

  bool autostart(const std::string& uuid) override {
    const auto lock = enter();
    return existing(uuid).autostart;
  }
  void set_autostart(const std::string& uuid, bool on) override {
    const auto lock = enter();
    existing(uuid).autostart = on;
  }
  // Migration neither starts nor ends anything by itself.
  void start(const std::string& uuid) override {
    throw Error(Status::kRefused, "start", uuid, "a migration");
  }
  void destroy(const std::string& uuid) override {
    throw Error(Status::kRefused, "stop", uuid, "a migration");
  }

  void discard_incoming(const std::string& uuid) override {
    const auto lock = enter();
    ++world_->changes;
    ++world_->discarded;
    if (existing(uuid).facts.state != VmState::kInMigration)
      throw Error(Status::kRefused, "discard", uuid, "not incoming");
    vms().erase(uuid);
  }

 private:
  std::unique_lock<std::mutex> enter() {
    std::unique_lock lock(world_->mutex_);
    world_->changed_.wait(lock, [&] { return world_->frozen_.count(host_) == 0; });
    return lock;
  }
  std::map<std::string, FakeWorld::Vm>& vms() { return world_->hosts_[host_]; }
  FakeWorld::Vm& existing(const std::string& uuid) {
    const auto found = vms().find(uuid);
    if (found == vms().end())
      throw virt::VirtError(Status::kNo, "look up the VM", uuid, "there is none", VIR_ERR_NO_DOMAIN);
    return found->second;
  }

  std::shared_ptr<FakeWorld> world_;
  std::string host_;
};

inline std::shared_ptr<Hypervisor> FakeWorld::host(const std::string& name) {
  return std::make_shared<FakeHypervisor>(shared_from_this(), name);
}

}  // namespace rackline::migrate
