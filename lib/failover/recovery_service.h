// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>

#include "base/error.h"
#include "failover/recovery.h"

namespace rackline::failover {

// Recovery as a service on a stream of proofs that has no end. A store that is locked, read-only or away for
// a while is waited for and told: a proof that has come in is never told a second time, so that it must not
// get lost, and whoever heals a cluster must not end of a trouble that ends by itself.
class RecoveryService {
 public:
  using Warn = std::function<void(const std::string&)>;
  // `recovery` must outlive it.
  RecoveryService(Recovery& recovery, Warn warn) : recovery_(recovery), warn_(std::move(warn)) {}

  // What earlier runs left open.
  void begin();
  // A proof, read at `read_at` (monotonic): all that follows from it, now or as soon as it can be done.
  void take(const record::HostFenced& fenced, Milliseconds read_at);
  // No record came within patience(): what is left to do is tried again, and what should run is looked for,
  // by a look of Recovery::glance() where there is one.
  void idle(const View* seen = nullptr);
  Milliseconds patience() const;
  // No more comes: now or never. Throws what forbids it.
  void end();
  // Does the work. False when the store, or another failover, did not let it, which is told once.
  bool patiently(const std::function<void()>& work);
  // Something waits for the store or for another failover.
  bool waiting() const { return !waiting_.empty() || !settled_ || recovery_.waiting(); }

 private:
  void work_off();

  Recovery& recovery_;
  Warn warn_;
  std::deque<std::pair<record::HostFenced, Milliseconds>> waiting_;  // not accepted yet
  bool settled_ = false;
  std::string told_;  // the trouble
};

}  // namespace rackline::failover
