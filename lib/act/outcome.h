// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "record/kinds_stream.h"

namespace rackline::act {

// What became of one thing that was to be done.
enum class Outcome : std::uint8_t {
  kDone,
  kAlready,    // it was so before
  kRefused,    // a precondition does not hold, or a rule forbids it
  kFailed,     // it was tried, and the world is as it was
  kCancelled,  // by a signal or a deadline; what was begun is rolled back
  kUnknown,    // not to be learnt now: it may have been done, and its intent stays open
};
inline constexpr std::size_t kOutcomes = 6;
inline constexpr std::array<std::string_view, kOutcomes> kOutcomeWords{"done",   "already",   "refused",
                                                                       "failed", "cancelled", "unknown"};

// As records and journals have it; of a dry run, what it would have done is "planned".
inline const char* word_of(Outcome outcome, bool dry_run = false) {
  const bool only_planned = dry_run && outcome == Outcome::kDone;
  return only_planned ? "planned" : kOutcomeWords[static_cast<std::size_t>(outcome)].data();
}

// How many things came to each outcome, and what that says of the run.
class Tally {
 public:
  void add(Outcome outcome, std::int64_t things = 1) { counts_[static_cast<std::size_t>(outcome)] += things; }
  Tally& operator+=(const Tally& more);
  std::int64_t operator[](Outcome outcome) const { return counts_[static_cast<std::size_t>(outcome)]; }

  // kNo when something was to be done and is not known to be done, else kRefused when something was refused.
  Status status() const;
  // Fills in the counts. `planned`: of a dry run, which has done nothing. What is unknown counts as failed.
  void tell(record::End& end, bool planned) const;

 private:
  std::array<std::int64_t, kOutcomes> counts_{};
};

}  // namespace rackline::act
