// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "migrate/move.h"

namespace rackline::migrate {

// Decides what to do about a pre-copy migration that does not converge.
//
// QEMU sends the whole memory once and then, pass after pass, what the guest has dirtied meanwhile; it
// switches over when the rest fits into the permitted downtime. A pass stalls when the least that remained in
// it is not at least a tenth below the least of all passes before. (The dirty rate would tell the same
// earlier, but sampling it disturbs a running migration, and the figure in the job's statistics is that of
// the last pass.) At each stall the ladder goes one rung up:
//
//   1. the permitted downtime is doubled, up to its limit (oVirt's policies go up in steps of 50 and 100 ms);
//   2. auto-converge, with the guest's CPUs throttled more and more. libvirt takes it only as a flag when a
//      migration begins, so this one is given up and begun anew; not when less than twice the time of the
//      first pass is left;
//   3. post-copy, where it was allowed;
//   4. nothing more: the deadline decides.
//
// With the CPUs throttled a guest gets slower only pass by pass (20 %, then 10 % more each time), so after a
// restart eight stalls are waited for.
class MigrationLadder {
 public:
  enum class Step { kNone, kRaiseDowntime, kAutoConverge, kPostcopy };

  MigrationLadder(Milliseconds max_downtime, Milliseconds max_downtime_limit, bool allow_postcopy)
      : downtime_(max_downtime), limit_(max_downtime_limit), allow_postcopy_(allow_postcopy) {}

  // Takes the job's present statistics and says what to do now. `left`: time to the deadline.
  Step observe(const JobStats& job, Milliseconds left);

  Milliseconds downtime() const { return downtime_; }    // the permitted one, as it is to be set
  bool auto_converge() const { return auto_converge_; }  // the next attempt begins with it
  int stalls() const { return stalls_; }

  // The migration was begun anew: what was measured no longer counts.
  void restarted();

 private:
  Step climb(const JobStats& job, Milliseconds left);

  Milliseconds downtime_;
  Milliseconds limit_;
  bool allow_postcopy_;
  bool auto_converge_ = false;
  bool postcopy_ = false;
  int stalls_ = 0;
  int throttled_stalls_ = 0;
  std::int64_t iteration_ = 0;
  std::optional<std::int64_t> best_;  // least that remained in any pass before this one
  std::int64_t lowest_ = 0;           // least that remained in this pass
  std::optional<Milliseconds> first_pass_;
};

}  // namespace rackline::migrate
