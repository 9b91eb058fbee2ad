// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "iscsi/lun.h"
#include "iscsi/session.h"

namespace rackline::storage {

struct LunKey {
  std::string iqn;
  std::uint16_t number = 0;
  auto operator<=>(const LunKey&) const = default;
};

// What a LUN itself said, and when.
struct LunView {
  iscsi::LunFacts facts;
  std::optional<std::uint64_t> mapped_bytes;
  Milliseconds asked{0};
};

// How an array is reached: where it takes logins, and as whom we come.
struct Access {
  iscsi::Login login;  // without a target
  Milliseconds patience{0};
  Milliseconds deadline{0};  // on the clock
};

// Why a target did not say what it has, and when.
struct Lost {
  std::string why;
  Milliseconds at{0};
};

struct Visited {
  std::map<LunKey, LunView> luns;    // disks alone
  std::map<std::string, Lost> lost;  // by IQN
  std::int64_t commands = 0;
};

// The targets behind the portal. Throws Error(kUnreachable) without an answer.
std::vector<std::string> discover(const Clock& clock, const Access& access);

// Asks each of the targets, several at once, for its LUNs and what they are; with `mapped(key)`, also for
// what is mapped. What was not answered by the deadline, or before a stop that was asked for, is in `lost`.
Visited visit(const Clock& clock, const Access& access, const std::vector<std::string>& targets,
              const std::function<bool(const LunKey&)>& mapped);

// Reads so many blocks of a LUN, one after the other, spread over it; `round` shifts them. The times of those
// that were answered.
std::vector<std::chrono::microseconds> probe(const Clock& clock, const Access& access, const LunKey& lun,
                                             const iscsi::Capacity& capacity, int reads, std::uint64_t round);

}  // namespace rackline::storage
