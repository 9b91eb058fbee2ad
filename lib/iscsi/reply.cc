// SPDX-License-Identifier: Apache-2.0
#include "iscsi/reply.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>

#include "base/big_endian.h"

namespace rackline::iscsi {
namespace {

// The rest of the page behind its header of four bytes, as far as it is there.
std::optional<Bytes> page_body(Bytes page, std::uint8_t code) {
  constexpr std::size_t kHeader = 4;
  if (page.size() < kHeader || page[1] != code) return std::nullopt;
  const std::size_t says = big_endian<std::uint16_t>(page.data() + 2);
  return page.subspan(kHeader, std::min(says, page.size() - kHeader));
}

// As PERSISTENT RESERVE IN and REPORT LUNS have it: so many bytes follow behind a header of eight.
std::optional<Bytes> list_body(Bytes data, std::size_t length_at) {
  constexpr std::size_t kHeader = 8;
  if (data.size() < kHeader) return std::nullopt;
  const std::size_t says = big_endian<std::uint32_t>(data.data() + length_at);
  return data.subspan(kHeader, std::min(says, data.size() - kHeader));
}

constexpr std::array<const char*, 16> kKeys{
    "NO SENSE",       "RECOVERED ERROR", "NOT READY",      "MEDIUM ERROR",
    "HARDWARE ERROR", "ILLEGAL REQUEST", "UNIT ATTENTION", "DATA PROTECT",
    "BLANK CHECK",    "VENDOR SPECIFIC", "COPY ABORTED",   "ABORTED COMMAND",
    "RESERVED",       "VOLUME OVERFLOW", "MISCOMPARE",     "COMPLETED",
};

enum SenseKey : std::uint8_t {
  kNotReadyKey = 0x2,
  kMediumKey = 0x3,
  kIllegalKey = 0x5,
  kAttentionKey = 0x6,
  kProtectKey = 0x7,
  kAbortedKey = 0xb,
  kMiscompareKey = 0xe,
};

Condition condition_of(const Sense& sense) {
  switch (sense.key) {
    case kAttentionKey:
      return Condition::kUnitAttention;
    case kNotReadyKey:
      return Condition::kNotReady;
    case kMediumKey:
      return Condition::kMediumError;
    case kIllegalKey:
      return sense.asc == 0x25 ? Condition::kNoSuchLun : Condition::kNotSupported;
    case kProtectKey:  // 27/07: SPACE ALLOCATION FAILED WRITE PROTECT
      return sense.asc == 0x27 && sense.ascq == 0x07 ? Condition::kOutOfSpace : Condition::kWriteProtected;
    case kAbortedKey:
      return Condition::kAborted;
    case kMiscompareKey:
      return Condition::kMiscompare;
    default:
      return Condition::kOther;
  }
}

}  // namespace

std::optional<Sense> parse_sense(Bytes data) {
  if (data.empty()) return std::nullopt;
  switch (data[0] & 0x7f) {
    case 0x70:
    case 0x71:
      if (data.size() < 14) return std::nullopt;
      return Sense{static_cast<std::uint8_t>(data[2] & 0xf), data[12], data[13]};
    case 0x72:
    case 0x73:
      if (data.size() < 4) return std::nullopt;
      return Sense{static_cast<std::uint8_t>(data[1] & 0xf), data[2], data[3]};
    default:
      return std::nullopt;
  }
}

Condition condition_of(std::uint8_t status, const std::optional<Sense>& sense) {
  switch (status) {
    case 0x00:
      return Condition::kGood;
    case 0x02:
      return sense ? condition_of(*sense) : Condition::kOther;
    case 0x08:  // BUSY
    case 0x28:  // TASK SET FULL
      return Condition::kBusy;
    case 0x18:
      return Condition::kReservationConflict;
    case 0x40:  // TASK ABORTED
      return Condition::kAborted;
    default:
      return Condition::kOther;
  }
}

Attention attention_of(const Sense& sense) {
  if (sense.asc == 0x29) return Attention::kReset;
  if (sense.asc == 0x2a) {
    if (sense.ascq == 0x09) return Attention::kCapacityChanged;
    if (sense.ascq >= 0x03 && sense.ascq <= 0x05) return Attention::kReservationsChanged;
  }
  if (sense.asc == 0x3f) {
    if (sense.ascq == 0x0e) return Attention::kLunsChanged;
    if (sense.ascq == 0x03 || sense.ascq == 0x05) return Attention::kIdentityChanged;
  }
  if (sense.asc == 0x38 && sense.ascq == 0x07) return Attention::kSpaceThreshold;
  return Attention::kOther;
}

std::string words_of(const Sense& sense) {
  std::array<char, 16> numbers{};
  std::snprintf(numbers.data(), numbers.size(), " %02x/%02x/%02x", sense.key, sense.asc, sense.ascq);
  return std::string(kKeys[sense.key & 0xf]) + numbers.data();
}

std::optional<std::string> parse_serial(Bytes page) {
  const auto body = page_body(page, 0x80);
  if (!body) return std::nullopt;
  const auto printable = [](std::uint8_t c) { return c > ' ' && c < 0x7f; };
  const auto first = std::find_if(body->begin(), body->end(), printable);
  auto last = body->end();
  while (last != first && !printable(*(last - 1))) --last;
  std::string serial;
  // It becomes part of records and messages: what is no letter there is none here.
  for (auto c = first; c != last; ++c) serial += printable(*c) ? static_cast<char>(*c) : '_';
  if (serial.empty()) return std::nullopt;
  return serial;
}

std::optional<std::string> parse_naa(Bytes page) {
  const auto body = page_body(page, 0x83);
  if (!body) return std::nullopt;
  constexpr std::size_t kHeader = 4;
  for (std::size_t at = 0; at + kHeader <= body->size();) {
    const std::size_t length = (*body)[at + 3];
    if (at + kHeader + length > body->size()) break;
    const bool naa = ((*body)[at + 1] & 0x0f) == 3;
    const bool of_lun = ((*body)[at + 1] & 0x30) == 0;
    if (naa && of_lun && (length == 8 || length == 16)) {
      std::string text;
      for (const std::uint8_t byte : body->subspan(at + kHeader, length)) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        text += kDigits[byte >> 4];
        text += kDigits[byte & 0xf];
      }
      return text;
    }
    at += kHeader + length;
  }
  return std::nullopt;
}

std::optional<std::uint8_t> parse_device_type(Bytes data) {
  constexpr std::size_t kLeast = 5;
  if (data.size() < kLeast || (data[0] & 0xe0) != 0) return std::nullopt;
  return static_cast<std::uint8_t>(data[0] & 0x1f);
}

std::optional<bool> parse_write_protected(Bytes data) {
  constexpr std::size_t kHeader = 4;
  if (data.size() < kHeader) return std::nullopt;
  return (data[2] & 0x80) != 0;
}

std::optional<Provisioning> parse_provisioning(Bytes page) {
  const auto body = page_body(page, 0xb2);
  if (!body || body->size() < 3) return std::nullopt;
  return Provisioning{((*body)[1] & 0x80) != 0, ((*body)[1] & 0x40) != 0, ((*body)[2] & 0x07) == 2};
}

std::optional<Capacity> parse_capacity(Bytes data) {
  if (data.size() < 16) return std::nullopt;
  const auto last = big_endian<std::uint64_t>(data.data());
  const auto block = big_endian<std::uint32_t>(data.data() + 8);
  constexpr std::uint32_t kSmallest = 512;
  constexpr std::uint32_t kLargest = 1 << 16;
  const bool power_of_two = block != 0 && (block & (block - 1)) == 0;
  // Larger than 8 EiB would not fit the records' numbers.
  if (!power_of_two || block < kSmallest || block > kLargest || last >= (std::uint64_t{1} << 63) / block)
    return std::nullopt;
  const unsigned exponent = std::min(data[13] & 0x0fU, 7U);
  return Capacity{last + 1, block, block << exponent, (data[14] & 0x80) != 0, (data[14] & 0x40) != 0};
}

std::optional<std::vector<std::uint16_t>> parse_luns(Bytes data) {
  const auto body = list_body(data, 0);
  if (!body) return std::nullopt;
  std::vector<std::uint16_t> luns;
  for (std::size_t at = 0; at + 8 <= body->size(); at += 8) {
    // Peripheral (00b) and flat (01b) addressing, one level; nothing else is a number that people use.
    const unsigned method = (*body)[at] >> 6;
    const auto below = body->subspan(at + 2, 6);
    if (method > 1 || std::any_of(below.begin(), below.end(), [](std::uint8_t b) { return b != 0; }))
      continue;
    luns.push_back(static_cast<std::uint16_t>(big_endian<std::uint16_t>(body->data() + at) & 0x3fff));
  }
  return luns;
}

std::optional<std::vector<Extent>> parse_extents(Bytes data) {
  constexpr std::size_t kHeader = 8;
  constexpr std::size_t kSize = 16;
  if (data.size() < kHeader) return std::nullopt;
  const std::size_t says = big_endian<std::uint32_t>(data.data());
  // The length counts from behind its own field, so with four bytes of the header.
  const std::size_t end = says > data.size() - 4 ? data.size() : says + 4;
  std::vector<Extent> extents;
  for (std::size_t at = kHeader; at + kSize <= end; at += kSize) {
    const Extent extent{big_endian<std::uint64_t>(data.data() + at),
                        big_endian<std::uint32_t>(data.data() + at + 8),
                        (data[at + 12] & 0x0f) != 1 && (data[at + 12] & 0x0f) != 2};
    // Each begins where the one before ends; anything else says nothing about what lies between.
    const bool follows =
        extents.empty() || extent.first_block == extents.back().first_block + extents.back().blocks;
    if (extent.blocks == 0 || !follows) return std::nullopt;
    extents.push_back(extent);
  }
  return extents;
}

std::optional<Keys> parse_keys(Bytes data) {
  const auto body = list_body(data, 4);
  if (!body) return std::nullopt;
  Keys keys;
  keys.generation = big_endian<std::uint32_t>(data.data());
  keys.truncated = big_endian<std::uint32_t>(data.data() + 4) > body->size();
  for (std::size_t at = 0; at + 8 <= body->size(); at += 8)
    keys.keys.push_back(big_endian<std::uint64_t>(body->data() + at));
  return keys;
}

std::optional<std::optional<Reservation>> parse_reservation(Bytes data) {
  const auto body = list_body(data, 4);
  if (!body) return std::nullopt;
  if (big_endian<std::uint32_t>(data.data() + 4) == 0) return std::optional<Reservation>{};
  if (body->size() < 14) return std::nullopt;
  return std::optional(
      Reservation{big_endian<std::uint64_t>(body->data()), static_cast<std::uint8_t>((*body)[13] & 0x0f)});
}

}  // namespace rackline::iscsi
