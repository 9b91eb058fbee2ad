// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rackline::iscsi {

// What tgtadm prints (tgt 1.0.85), and stat of the files below. It is read strictly: text that is not of that
// form throws Error(kUnreachable) with its line, since half of an answer would show LUNs as unused that are
// in use.

// `--mode target --op show`.
struct TgtSession {
  std::uint64_t id = 0;
  std::string initiator, address;  // of its first connection; "" while it has none
};
struct TgtLun {
  std::uint32_t number = 0;
  std::string type, scsi_id, serial, size, backing_path;  // size: in words, rounded
  bool online = false, read_only = false, thin = false;
};
struct TgtTarget {
  std::uint32_t id = 0;
  std::string iqn;
  std::vector<TgtSession> sessions;
  std::vector<TgtLun> luns;  // also 0, the controller that each target has
};
std::vector<TgtTarget> parse_tgt_targets(std::string_view text);

// `--mode target|sys --op stat`: counters of one session on one LUN. They vanish with the session.
struct TgtCounters {
  std::uint32_t target = 0, lun = 0;
  std::uint64_t session = 0;
  std::uint64_t read_bytes = 0, read_commands = 0, written_bytes = 0, write_commands = 0;
  std::uint64_t outstanding = 0;  // submitted and not done
  std::uint64_t errors = 0;
};
std::vector<TgtCounters> parse_tgt_counters(std::string_view text);

// What the files of LUNs take, and what there is: by file, and of all file systems that they are on.
struct TgtRoom {
  std::map<std::string, std::uint64_t> allocated_bytes;  // of regular files alone
  std::optional<std::uint64_t> size_bytes, free_bytes;
};

// What is printed by `stat` for these: both are pure, and throw Error(kUnreachable) as the readers of
// tgtadm's text do.
inline constexpr const char* kFileFormat = "%f:%b:%B:%n";
inline constexpr const char* kFileSystemFormat = "%i:%S:%b:%a";
std::map<std::string, std::uint64_t> parse_allocated(std::string_view text);
void add_file_systems(std::string_view text, TgtRoom& room);

}  // namespace rackline::iscsi
