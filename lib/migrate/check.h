// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "migrate/move.h"

namespace rackline::migrate {

// Whether a move may begin, from what was seen of the world just before. A plan can be stale: nothing of it
// is believed.

struct CheckResult {
  enum class Answer { kGo, kAlready, kWait, kRefuse };
  Answer answer = Answer::kGo;
  std::string reason;  // why it is not to begin (now)
};

// Where the VM is: on the source, the same run of it, idle; and not on the target. kAlready when it is on the
// target and no longer on the source.
CheckResult check_place(const Move& move, const VmFacts& source, const VmFacts& target);

// What the VM is: nothing ties it to its host, and all of its storage is where both hosts see it.
// `live`: false when it is stopped and moves as a definition, which leaves more behind.
CheckResult check_description(const MigrationHost& from, const MigrationHost& to, const VmDescription& vm,
                              bool live);

// Of a move of the definition alone: whether all files are known that its disks rest on.
CheckResult check_chains(const MigrationHost& from, const VmDescription& vm);

// Memory: `free` is what the target reports beyond its reserve, `promised` what moves in flight will still
// take of it. kWait when the VM fits as soon as those have landed or failed.
CheckResult check_memory(const std::string& target, std::int64_t needed, std::int64_t free,
                         std::int64_t promised);

// Why it cannot leave its host whatever the target.
CheckResult check_ties(const VmDescription& vm, bool live);

// Takes the disks of a running VM out of the description of which only the source has the image, and puts
// them into `copies`. kRefuse when that was not asked for (`by_word`), or when one is none that can be
// copied.
CheckResult take_copies(const MigrationHost& from, const MigrationHost& to, bool by_word, VmDescription& vm,
                        std::vector<VmDisk>& copies);

// Takes the media out of the description that lie in CD-ROM drives and that only the source sees: the VM can
// do without them.
std::vector<VmDisk> take_local_media(const MigrationHost& from, const MigrationHost& to, VmDescription& vm);

// Whether both hosts see the same content behind the disk. Network disks are shared unless their host serves
// them to itself; a file or a block device when both hosts name a directory above it; nothing else is.
bool is_shared(const VmDisk& disk, const MigrationHost& from, const MigrationHost& to);

}  // namespace rackline::migrate
