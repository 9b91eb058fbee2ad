// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "bmc/power.h"

namespace rackline::fence {

// What became of one host, or of one round of trying to fence it.
struct FenceReport {
  enum class Outcome {
    kFenced,
    kFailed,
    kRefused,    // a rule forbids it
    kLeft,       // the policy leaves such hosts alone
    kBusy,       // another fence held the lock
    kWithdrawn,  // it showed life after it was to be fenced
  };
  Outcome outcome = Outcome::kFailed;
  std::string id, cause, host;
  bool already = false, planned = false;
  bool needs_person = false;
  bool disarmed = false;  // refused because healing is switched off: it is asked for again
  bmc::PowerReport power;
  std::string reason;
  Milliseconds elapsed{0};
  int round = 1;                      // which try this was
  std::optional<Milliseconds> retry;  // the next try begins after this; nullopt: this is the last word
};

FenceReport with(FenceReport report, FenceReport::Outcome outcome, std::string reason);
// A rule or a person forbids it; the reason says what the host had been told before.
FenceReport refused(FenceReport report, std::string reason);
// Another fence holds the lock, or this one is stopping.
FenceReport without_lock(FenceReport report, bool stopping);
// The host is not proven to be off: a person is called.
FenceReport failed(FenceReport report, std::string reason);
// It shows life, so it is told nothing any more; the reason says what it had been told before.
FenceReport withdrawn(FenceReport report);

}  // namespace rackline::fence
