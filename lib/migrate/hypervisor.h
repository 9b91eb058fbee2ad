// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "migrate/move.h"

namespace rackline::migrate {

struct MigrateRequest {
  std::string uuid;
  std::string peer_uri;                         // the target as the source sees it
  std::int64_t bandwidth_bytes_per_second = 0;  // 0: no limit
  bool auto_converge = false;
  bool allow_postcopy = false;  // it may later be switched to post-copy
  std::string migration_uri{};  // the address to which the guest is sent; empty: libvirt chooses
  bool tls = false;
  std::vector<std::string> disks{};  // to be copied into images of the target, such as "vda"
};

// One host as migration sees it: the seam between the decisions and libvirt. All functions block, perhaps for
// ever, may be called from several threads at once, and throw Error (VirtError of libvirt) when they fail.
class Hypervisor {
 public:
  virtual ~Hypervisor() = default;

  // Does nothing but make sure that the host can be talked to.
  virtual void connect() = 0;

  // The VM by its UUID or, where there is none, by its name.
  virtual VmFacts look(const std::string& name, const std::optional<std::string>& uuid) = 0;
  virtual VmDescription describe(const std::string& uuid) = 0;

  // Memory that a new VM could have, caches counted as free.
  virtual std::int64_t free_memory_bytes() = 0;

  // What nobody has of the pools of huge pages, by the size of a page; the size 0 is the default one, where
  // there are several pools the one with the most. None where that is not known.
  virtual virt::PageBytes free_hugepages() { return {}; }

  // Why a VM of this description cannot run here: CPU, machine type, emulator; nothing when it can.
  virtual std::optional<std::string> incompatible(const VmDescription& vm) = 0;

  // What it is plugged into that is not here: a network of libvirt, a bridge; nothing when all of it is, or
  // where that cannot be known.
  virtual std::optional<std::string> missing_network(const VmDescription& /*vm*/) { return std::nullopt; }

  // The path of a volume of a storage pool; nothing when it is not here.
  virtual std::optional<std::string> volume_path(const std::string& pool, const std::string& volume) = 0;

  // What is in the drive of the VM now.
  virtual Medium medium(const std::string& uuid, const std::string& target) = 0;
  // Takes it out, as its guest permits.
  virtual void eject(const std::string& uuid, const Medium& medium) = 0;
  // Puts it back where the drive is still empty.
  virtual void insert(const std::string& uuid, const Medium& medium) = 0;

  // How large the running VM's disk is.
  struct DiskSize {
    std::int64_t capacity_bytes = 0, allocation_bytes = 0;
  };
  virtual DiskSize disk_size(const std::string& uuid, const std::string& target) = 0;
  // Why images for these cannot be made here: no storage pool has their directory, a file is in their place,
  // there is not enough room; nothing when they can.
  virtual std::optional<std::string> cannot_take(const std::vector<DiskCopy>& copies) = 0;
  // An empty image, where no file is. Throws Error when one is.
  virtual void make_image(const DiskCopy& copy) = 0;
  // Does nothing where there is none any more.
  virtual void remove_image(const DiskCopy& copy) = 0;

  // Migrates the running VM from here, peer to peer: returns when it is over. What is transient here is
  // transient there.
  virtual void migrate(const MigrateRequest& request) = 0;
  virtual JobStats job(const std::string& uuid) = 0;
  virtual JobStats completed_job(const std::string& uuid) = 0;  // of the migration that brought it here
  virtual void set_max_downtime(const std::string& uuid, Milliseconds downtime) = 0;
  virtual void start_postcopy(const std::string& uuid) = 0;
  virtual void abort_job(const std::string& uuid) = 0;

  // The definition with its secrets; it goes from host to host and is never shown or kept.
  virtual std::string definition(const std::string& uuid) = 0;
  virtual void define(const std::string& xml) = 0;
  // What libvirt knows of its snapshots, as secret as the definition, parents first.
  struct Snapshot {
    std::string name, xml;
    bool current = false;
  };
  virtual std::vector<Snapshot> snapshots(const std::string& uuid) = 0;
  // Makes one known again, where its files are.
  virtual void redefine(const std::string& uuid, const Snapshot& snapshot) = 0;
  // Only the definition: disks and firmware variables stay. Throws Error when it has snapshots.
  virtual void undefine(const std::string& uuid) = 0;
  // The same, and what is known of its snapshots.
  virtual void undefine_with_snapshots(const std::string& uuid) = 0;
  virtual bool autostart(const std::string& uuid) = 0;
  virtual void set_autostart(const std::string& uuid, bool on) = 0;

  // Of what is defined. Throws Error(kUnreachable) when the connection broke meanwhile, and Error(kTimeout)
  // when another job has it: the host may still be at work on it. Any other error is the host's own word that
  // it did not.
  virtual void start(const std::string& uuid) = 0;
  virtual void destroy(const std::string& uuid) = 0;  // at once, as by pulling its plug

  // Removes an incoming copy that never ran, or what is left of it when its start failed: a definition.
  // Throws Error(kRefused) when it is anything else by now.
  virtual void discard_incoming(const std::string& uuid) = 0;
};

using HypervisorFactory = std::function<std::shared_ptr<Hypervisor>(const MigrationHost&)>;

// The real one. Connects when it is first used, and again after a connection broke.
std::shared_ptr<Hypervisor> libvirt_hypervisor(const MigrationHost& host);

}  // namespace rackline::migrate
