// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "act/outcome.h"
#include "base/time.h"
#include "store/document.h"
#include "virt/description.h"

namespace rackline::migrate {

// The words that the parts of migration share. The parts are: what is known of a VM (here), whether a move
// may begin (check.h), when it may (schedule.h), what to do when it does not converge (ladder.h), what an
// interrupted one has left behind (fate.h), one move from its first check to its proof (mover.h), and all of
// a plan (engine.h). The first five are pure; the world is behind Hypervisor (hypervisor.h).

// A decision: the VM `vm` goes from host `from` to host `to`.
struct Move {
  std::string id;
  std::optional<std::string> cause;
  std::string vm, from, to;
  std::optional<std::string> uuid;        // none: written by hand, so nothing is known of its incarnation
  std::optional<std::int64_t> domain_id;  // none although there is a uuid: it was not running
  std::int64_t stage = 1;
  std::optional<std::int64_t> memory_bytes;
};

// A host as the inventory has it.
struct MigrationHost {
  std::string host;
  std::string uri;       // from here
  std::string peer_uri;  // from the other hosts
  std::vector<std::string> shared_storage;
  std::optional<std::string> failure_domain;
  std::int64_t memory_reserve_bytes = 0;
  std::string migration_uri{};  // where it takes migrations; empty: libvirt chooses
};

struct MigrationPolicy {
  int max_outbound = 2;  // moves at one time from one host
  int max_inbound = 2;   // to one host
  int max_total = 4;     // everywhere
  // A third of QEMU's own default: one more pass over little memory costs less than what it takes off the
  // pause.
  Milliseconds max_downtime{100};
  Milliseconds max_downtime_limit{1000};        // up to where the ladder may raise it
  std::int64_t bandwidth_bytes_per_second = 0;  // of one move; 0: no limit
  bool allow_postcopy = false;
  bool tls = false;
  bool eject = false;                    // media in CD-ROM drives that the target does not see
  bool copy_disks = false;               // that the target does not see
  std::optional<Milliseconds> deadline;  // of one move; none: scaled with its memory
  Milliseconds answer_timeout{10'000};   // for any single question to a host
  // How long after its end, or after it was told to end, a migration may take to leave both hosts in order.
  // Longer than the 30 s in which one libvirtd notices by its default keepalive that the other is gone.
  Milliseconds settle{45'000};
  Milliseconds poll{200};
  bool dry_run = false;
};

// Time allowed for a VM of that size: two minutes, and 800 s for each GiB (as KubeVirt allows,
// completionTimeoutPerGiB); where the bandwidth is limited at least the time for three passes.
Milliseconds default_deadline(std::int64_t memory_bytes, std::int64_t bandwidth_bytes_per_second);

enum class VmState {
  kAbsent,
  kShutoff,         // only defined
  kRunning,         // or about to stop by itself
  kPaused,          // by somebody, with its memory
  kInMigration,     // paused by a migration: not yet begun on the target, or already stopped on the source
  kPostcopy,        // its memory is on two hosts
  kPostcopyFailed,  // its memory is on two hosts which do not reach each other
  kOther,           // crashed, sleeping
};

// A VM as one host sees it at one instant.
struct VmFacts {
  VmState state = VmState::kAbsent;
  std::string name, uuid;
  std::optional<std::int64_t> domain_id;  // none: not running
  bool persistent = false;
  bool start_failed = false;  // stopped because its last start failed: the CPUs of that run never ran
  bool lost = false;  // stopped otherwise than by a shutdown, a save or a revert: killed, or never ended
  bool job = false;   // some job runs on it: a migration, a dump, a snapshot
  bool migrating_out = false;  // that job is its migration away from here
  std::int64_t memory_bytes = 0;
  // The name belongs to a VM with another UUID.
  bool name_clash = false;

  bool present() const { return state != VmState::kAbsent; }
  bool active() const { return state == VmState::kRunning || state == VmState::kPaused; }
};

using virt::VmDescription;
using virt::VmDisk;
using virt::VmNetwork;

// A disk that only the source has, and of which a copy goes along: to an image of the same path on the
// target.
struct DiskCopy {
  std::string target, path, format;
  std::string pool{};  // of a volume; empty: whatever pool has the directory
  std::int64_t capacity_bytes = 0;
  std::int64_t allocation_bytes = 0;  // of which so much is in use
  bool made = false;                  // the image on the target is of our making
  static const store::Fields kFields;
};

// A medium in a drive. The <disk> of the drive with it, as the running VM and as the persistent definition
// have it; "" where the drive is empty.
struct Medium {
  std::string target, source;
  std::string live, persistent;
  static const store::Fields kFields;
};

// The progress of a migration job, or of the last completed one.
struct JobStats {
  bool running = false;
  bool migrating_out = false;
  bool postcopy = false;
  Milliseconds elapsed{0};
  std::int64_t iteration = 0;  // passes over the memory, from 1
  std::int64_t total_bytes = 0, transferred_bytes = 0, remaining_bytes = 0;
  std::int64_t bytes_per_second = 0;
  std::optional<Milliseconds> downtime;
  // Of disks that are copied; the figures above are of the memory.
  std::int64_t disk_total_bytes = 0, disk_transferred_bytes = 0, disk_remaining_bytes = 0;
  std::int64_t disk_bytes_per_second = 0;
};

struct MoveReport {
  act::Outcome outcome = act::Outcome::kFailed;
  std::string reason;  // empty for kDone
  bool planned = false;
  // The world is not what any crash of ours could have left: a person has to look.
  bool inconsistent = false;
  std::optional<bool> live;
  bool postcopy = false;
  int attempts = 0;
  Milliseconds elapsed{0};
  std::optional<Milliseconds> downtime;
  std::optional<std::int64_t> memory_bytes, transferred_bytes, iterations;
  std::vector<std::string> ejected{};  // of a move that is done: media that it left behind
  std::vector<std::string> copied{};   // ... and images of which copies went along: they stay on the source
  std::optional<std::int64_t> copied_bytes{};
  std::optional<std::string> uuid{};  // of the VM that was moved, also where the decision named none
  static const store::Fields kFields;
};

struct MoveProgress {
  std::string state;
  std::optional<JobStats> job;
};

}  // namespace rackline::migrate
