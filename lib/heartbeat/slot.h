// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"

namespace rackline::heartbeat {

// A host's heartbeat on the shared storage: the file DIRECTORY/HOST.beat of 512 bytes, one sector, that its
// agent writes again and again in place. It holds a signed Message, so that a half-written sector, a
// stranger's file and another cluster's are recognised. All calls block for as long as the storage does: they
// belong on a thread of their own.
inline constexpr std::size_t kSlotBytes = 512;
inline constexpr std::size_t kSlotMessage = kSlotBytes - 2;  // its length stands in front

class SlotWriter {
 public:
  SlotWriter(const std::string& directory, const std::string& host);

  // Durable when it returns. Throws Error(kUnreachable).
  void write(std::span<const std::uint8_t> message);

 private:
  std::string path_;
  Fd file_;  // opened again after a failure
};

// The bytes of the message in the slot of `host`; empty when there is no slot. Throws Error(kRefused) when
// what stands there is no file that we may read, which says nothing of the storage, and Error(kUnreachable)
// when the storage cannot be read.
std::vector<std::uint8_t> read_slot(const std::string& directory, const std::string& host);

// What a watcher keeps in DIRECTORY/NAME.challenge, so that agents which do not hear it over the network can
// prove to it that their slots are young: its nonce. It is not signed: a false one makes an agent sign a
// number that no watcher waits for, and whoever can write here can take the slots away as well. Nor is it
// meant for one host: all of them read it, and what they answer is signed with the key of each. NAME tells
// the watchers of one storage apart, and is the same after a restart.
void write_challenge(const std::string& directory, const std::string& name, std::uint64_t nonce);
// Those of all watchers, the youngest file first, at most `most`. Throws Error(kUnreachable).
std::vector<std::uint64_t> read_challenges(const std::string& directory, std::size_t most);

}  // namespace rackline::heartbeat
