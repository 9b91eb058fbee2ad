// SPDX-License-Identifier: Apache-2.0
#include "migrate/check.h"

#include <algorithm>

#include "base/path.h"
#include "base/units.h"

namespace rackline::migrate {
namespace {

using Answer = CheckResult::Answer;

CheckResult refuse(std::string reason) {
  return {Answer::kRefuse, std::move(reason)};
}

// The target's view, when the source has the VM idle: it must be unknown there.
CheckResult check_target(const Move& move, const VmFacts& target) {
  if (target.name_clash)
    return refuse(move.to + " has another virtual server of that name, uuid " + target.uuid);
  switch (target.state) {
    case VmState::kAbsent:
      return {};
    case VmState::kShutoff:
      return refuse(move.to + " already has a definition of it");
    default:
      return refuse("both " + move.from + " and " + move.to + " have it active");
  }
}

// Why no copy of the disk goes along; empty: one can.
std::string no_copy_of(const VmDisk& disk, const VmDescription& vm) {
  const auto files = std::count_if(vm.disks.begin(), vm.disks.end(),
                                   [&](const VmDisk& other) { return other.target == disk.target; });
  if (disk.type != "file") return "only image files are, and this is of type " + disk.type;
  if (files > 1 || disk.chain_unknown) return "its image rests on others";
  if (disk.format != "raw" && disk.format != "qcow2") return "its format is " + disk.format;
  if (disk.encrypted) return "it is encrypted";
  if (disk.shareable) return "other virtual servers may write to it";
  if (disk.read_only) return "it is read-only";
  return {};
}

bool same_directory_declared(std::string_view path, const MigrationHost& from, const MigrationHost& to) {
  return lies_below(path, from.shared_storage) && lies_below(path, to.shared_storage);
}

}  // namespace

CheckResult check_place(const Move& move, const VmFacts& source, const VmFacts& target) {
  if (source.name_clash)
    return refuse("the virtual server of that name on " + move.from + " is another one, uuid " + source.uuid);
  if (!source.present()) {
    const bool there = target.active() || (target.state == VmState::kShutoff && target.persistent);
    if (there && !target.name_clash) return {Answer::kAlready, move.to + " has it"};
    return refuse("it is not on " + move.from + " any more");
  }
  if (source.name != move.vm) return refuse("its name on " + move.from + " is " + source.name);
  if (move.uuid) {
    if (move.domain_id && !source.domain_id)
      return refuse("it was running when the plan was made and is not now");
    if (!move.domain_id && source.domain_id)
      return refuse("it was not running when the plan was made and is now");
    if (move.domain_id != source.domain_id) return refuse("it was restarted after the plan was made");
  }
  if (source.job) return refuse("a job is running on it");
  switch (source.state) {
    case VmState::kRunning:
    case VmState::kPaused:
    case VmState::kShutoff:
      break;
    case VmState::kInMigration:
    case VmState::kPostcopy:
      return refuse("it is in another migration");
    case VmState::kPostcopyFailed:
      return refuse("a post-copy migration of it failed and must be recovered by hand");
    default:
      return refuse("it is neither running nor stopped");
  }
  return check_target(move, target);
}

CheckResult check_ties(const VmDescription& vm, bool live) {
  if (!vm.ties.empty()) return refuse(vm.ties.front());
  const auto& more = live ? vm.ties_when_live : vm.ties_when_stopped;
  if (!more.empty()) return refuse(more.front());
  return {};
}

CheckResult check_description(const MigrationHost& from, const MigrationHost& to, const VmDescription& vm,
                              bool live) {
  if (const CheckResult ties = check_ties(vm, live); ties.answer != Answer::kGo) return ties;
  for (const VmDisk& disk : vm.disks) {
    if (is_shared(disk, from, to)) continue;
    if (disk.type == "network of its host")
      return refuse("disk " + disk.target + " (" + disk.source + ") is at an address of " + from.host +
                    " itself: " + to.host + " would open another of that name");
    return refuse(text_of(disk) + " is not on storage that " + from.host + " and " + to.host + " share");
  }
  // A live migration carries the firmware's variables along, a definition does not.
  if (!live && vm.nvram && !is_shared(*vm.nvram, from, to)) {
    return refuse("its NVRAM (" + vm.nvram->source + ") is not on shared storage");
  }
  return {};
}

CheckResult check_chains(const MigrationHost& from, const VmDescription& vm) {
  const auto unknown =
      std::find_if(vm.disks.begin(), vm.disks.end(), [](const VmDisk& disk) { return disk.chain_unknown; });
  if (unknown == vm.disks.end()) return {};  // @rule 13-files-below-a-disk: true
  return refuse(virt::unknown_chain(*unknown, from.host));
}

CheckResult check_memory(const std::string& target, std::int64_t needed, std::int64_t free,
                         std::int64_t promised) {
  if (needed <= free - promised) return {};
  const std::string reason = target + " has " + format_bytes(std::max<std::int64_t>(free, 0)) + " free";
  if (needed <= free) {
    return {Answer::kWait, reason + ", of which moves in flight take " + format_bytes(promised)};
  }
  return refuse(reason + ", it needs " + format_bytes(needed));
}

CheckResult take_copies(const MigrationHost& from, const MigrationHost& to, bool by_word, VmDescription& vm,
                        std::vector<VmDisk>& copies) {
  for (const VmDisk& disk : vm.disks) {
    if (is_shared(disk, from, to) || disk.type == "network of its host") continue;
    const std::string local =
        text_of(disk) + " is not on storage that " + from.host + " and " + to.host + " share";
    const std::string obstacle = no_copy_of(disk, vm);
    if (!by_word)  // @rule 10-copy-by-word
      return refuse(obstacle.empty() ? local + ": --copy-disks takes it along" : local);
    if (!obstacle.empty()) return refuse(local + ", and is not copied: " + obstacle);
    copies.push_back(disk);
  }
  std::erase_if(vm.disks, [&](const VmDisk& disk) {
    return std::any_of(copies.begin(), copies.end(),
                       [&](const VmDisk& copied) { return copied.target == disk.target; });
  });
  return {};
}

std::vector<VmDisk> take_local_media(const MigrationHost& from, const MigrationHost& to, VmDescription& vm) {
  std::vector<VmDisk> media;
  std::erase_if(vm.disks, [&](const VmDisk& disk) {
    if (!disk.cdrom || is_shared(disk, from, to)) return false;
    media.push_back(disk);
    return true;
  });
  return media;
}

bool is_shared(const VmDisk& disk, const MigrationHost& from, const MigrationHost& to) {
  if (disk.type == "network") return true;
  // Of a cluster file system whose hosts serve themselves the inventory may say that it is one.
  if (disk.type == "network of its host")
    return is_declared(disk.source, from.shared_storage) && is_declared(disk.source, to.shared_storage);
  if (disk.type != "file" && disk.type != "block") return false;
  return same_directory_declared(disk.source, from, to);
}

}  // namespace rackline::migrate
