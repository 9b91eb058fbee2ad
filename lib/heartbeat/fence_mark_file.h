// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rackline::heartbeat {

// The mark of a fencing as it lies on the shared storage: DIRECTORY/HOST.fenced, written by the watcher, read
// by that host's agent. It reaches a host that counts as fenced and lives all the same, also where no watcher
// reaches it over the network: its VMs may run elsewhere, so its agent stops its own. Text, for a
// person who looks:
//
//     rackline-fenced 1 CLUSTER-TAG INCARNATION SEQ FENCE HOST
//     HMAC-SHA-256 of the line before
//
// Whoever can write to the storage can put back a mark that stood there before, with its signature. So a mark
// counts only as an answer: the watcher puts into it what it last read in the host's slot, the run of its
// agent and the number of its beat, and does so again when the slot has changed. An agent believes a mark
// that answers one of its last beats, and not one that answers a beat from before a watcher told it that it
// does not count as fenced.
struct FenceMarkText {
  std::string host, fence;  // fence: the id of the fencing
  std::uint64_t incarnation = 0, seq = 0;
};

enum class MarkReject : std::uint8_t {
  kNone,
  kTorn,     // half written, or no mark at all
  kForeign,  // of another cluster
  kForged,   // not signed with the key of the host that it names
};

// `key` is the one of mark.host. The fields have a fixed width: written over in place, the text keeps its
// length.
std::string sealed(const FenceMarkText& mark, std::string_view cluster, std::string_view key);
MarkReject unseal(std::string_view text, std::string_view cluster, std::string_view key, FenceMarkText& out);
// The same where one of several keys may have signed it.
MarkReject unseal(std::string_view text, std::string_view cluster, const std::vector<std::string>& keys,
                  FenceMarkText& out);

// All block for as long as the storage does, and throw Error(kUnreachable) when it fails, kRefused for a host
// with a name that none may have and for what is no file.
void write_fence_mark(const std::string& directory, const std::string& host, std::string_view text);
void remove_fence_mark(const std::string& directory, const std::string& host);
std::optional<std::string> read_fence_mark(const std::string& directory, const std::string& host);
// The names of the hosts that have one, known or not; at most 1024.
std::vector<std::string> fence_marks_in(const std::string& directory);

// What an agent makes of its own mark, look by look.
class OwnFenceMark {
 public:
  // `keys`: of this host, one or, while it is changed, two; a watcher may have signed with either.
  OwnFenceMark(std::string host, std::string cluster, std::vector<std::string> keys);

  // What stands there says that this host counts as fenced, and is an answer to one of its last beats: those
  // up to `seq` of `incarnation`, and above `overtaken`.
  bool says_fenced(const std::optional<std::string>& text, std::uint64_t incarnation, std::uint64_t seq,
                   std::uint64_t overtaken);
  // What is wrong with what stands there, for a person; empty while nothing is, or not for certain: one that
  // is being written looks torn, and one of before a boot is replaced in a moment.
  const std::string& trouble() const { return trouble_; }

 private:
  std::string objection(const std::string& text, std::uint64_t incarnation, std::uint64_t seq,
                        std::uint64_t overtaken);

  std::string host_, cluster_;
  std::vector<std::string> keys_;
  std::string objection_, trouble_;
  int looks_ = 0;  // at which there was the same objection
  std::uint64_t believed_ =
      0;  // the beat that the mark answered which says that this host is fenced; 0: none
};

}  // namespace rackline::heartbeat
