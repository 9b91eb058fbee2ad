// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rackline::iscsi {

// What targets answer, as bytes from a machine that nobody trusts. Nothing is thrown for any of them; what
// says too little is nullopt, and what says more than it has is taken as far as it goes. Numbers and layouts
// are those of SPC-5 and SBC-4.

using Bytes = std::span<const std::uint8_t>;

// How a command ended, by what is to be done about it.
enum class Condition : std::uint8_t {
  kGood,
  kUnitAttention,        // something has happened to the session or the LUN; the command was not carried out
  kBusy,                 // BUSY or TASK SET FULL: the same again later, and fewer at once
  kReservationConflict,  // somebody else's reservation forbids it
  kOutOfSpace,           // a thin LUN found no room for what was written
  kNotReady,
  kMediumError,
  kWriteProtected,
  kNotSupported,  // no such command, or no such field in it
  kNoSuchLun,
  kMiscompare,
  kAborted,
  kOther,
};

struct Sense {
  std::uint8_t key = 0, asc = 0, ascq = 0;
  bool operator==(const Sense&) const = default;
};

// What a UNIT ATTENTION says.
enum class Attention : std::uint8_t {
  kReset,                // power on, reset, or a new session
  kCapacityChanged,      //
  kLunsChanged,          // the target has other LUNs by now
  kIdentityChanged,      // what INQUIRY says
  kReservationsChanged,  // preempted, released, or registrations taken away
  kSpaceThreshold,       // thin provisioning: little room is left
  kOther,
};

// Both formats, fixed and by descriptors.
std::optional<Sense> parse_sense(Bytes data);

// `status` is that of SAM-5 (0 GOOD, 2 CHECK CONDITION, …); `sense` matters for CHECK CONDITION alone.
Condition condition_of(std::uint8_t status, const std::optional<Sense>& sense);
Attention attention_of(const Sense& sense);

// "MEDIUM ERROR 03/11/00".
std::string words_of(const Sense& sense);

// Standard INQUIRY: the type of the device, 0 for a disk; nullopt where nothing is connected under that
// number.
std::optional<std::uint8_t> parse_device_type(Bytes data);

// MODE SENSE (6): whether the medium is write-protected.
std::optional<bool> parse_write_protected(Bytes data);

// INQUIRY, VPD page 0x80; without the blanks around it.
std::optional<std::string> parse_serial(Bytes page);

// The NAA designator of the LUN in VPD page 0x83, in small hexadecimal digits.
std::optional<std::string> parse_naa(Bytes page);

// VPD page 0xb2. What is claimed here is tried before it is relied upon.
struct Provisioning {
  bool unmap = false, write_same_unmap = false, thin = false;
};
std::optional<Provisioning> parse_provisioning(Bytes page);

// READ CAPACITY (16).
struct Capacity {
  std::uint64_t blocks = 0;
  std::uint32_t block_bytes = 0, physical_block_bytes = 0;
  bool thin = false;                 // LBPME
  bool unmapped_reads_zero = false;  // LBPRZ
};
std::optional<Capacity> parse_capacity(Bytes data);

// REPORT LUNS: the numbers of those that have a plain one, below 16,384, in the target's order.
std::optional<std::vector<std::uint16_t>> parse_luns(Bytes data);

// GET LBA STATUS: what follows each other from the block that was asked for.
struct Extent {
  std::uint64_t first_block = 0;
  std::uint32_t blocks = 0;
  bool mapped = true;  // also where the target says what we do not know
};
std::optional<std::vector<Extent>> parse_extents(Bytes data);

// PERSISTENT RESERVE IN, READ KEYS and READ RESERVATION. `truncated`: there are more than the answer holds.
struct Keys {
  std::uint32_t generation = 0;
  std::vector<std::uint64_t> keys;
  bool truncated = false;
};
std::optional<Keys> parse_keys(Bytes data);
struct Reservation {
  std::uint64_t key = 0;
  std::uint8_t type = 0;
};
// The outer one: whether the answer makes sense; the inner one: whether the LUN is reserved.
std::optional<std::optional<Reservation>> parse_reservation(Bytes data);

}  // namespace rackline::iscsi
