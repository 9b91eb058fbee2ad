// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "iscsi/session.h"

namespace rackline::iscsi {

// Questions to one target, on a session that is logged in. Each calls back once, from Loop::run. UNIT
// ATTENTION and BUSY are no answers: the question is put again, a few times.

// The numbers of the LUNs; without an answer, why.
void ask_luns(Session& session,
              const std::function<void(std::optional<std::vector<std::uint16_t>>, std::string why)>& done);

// What a LUN says that it is. What it does not say, or says so that it makes no sense, is empty.
struct LunFacts {
  std::optional<std::uint8_t> device_type;  // 0: a disk
  std::optional<std::string> serial, naa;
  std::optional<Capacity> capacity;
  std::optional<Provisioning> provisioning;
  std::optional<bool> write_protected;
  std::optional<Keys> keys;
  std::optional<std::optional<Reservation>> reservation;
  std::string lost;  // why there are no answers any more; empty: all are in
};
void ask_lun(Session& session, std::uint16_t lun, const std::function<void(LunFacts)>& done);

// The bytes of a LUN that are mapped, as GET LBA STATUS has it; nullopt where it does not tell all of them.
void ask_mapped(Session& session, std::uint16_t lun, const Capacity& capacity,
                const std::function<void(std::optional<std::uint64_t>)>& done);

// Reads one block and calls back with the time that it took; nullopt: there was no answer.
void probe(Session& session, std::uint16_t lun, const Capacity& capacity, std::uint64_t block,
           const std::function<void(std::optional<std::chrono::microseconds>)>& done);

}  // namespace rackline::iscsi
