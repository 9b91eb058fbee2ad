// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "base/fd.h"
#include "base/time.h"

namespace rackline::act {

// Wakes the thread that runs a plan: by a descriptor rather than a condition, so that it can wait for a
// signal as well.
class Doorbell {
 public:
  Doorbell();  // throws Error(kUnreachable) when there is no descriptor left
  void ring() const;
  void silence() const;
  // Until it rings or, when `interruptible`, a stop is asked for (interrupt.h); at most for so long. Whether
  // it rings.
  bool wait(bool interruptible, std::optional<Milliseconds> at_most = {}) const;

 private:
  Fd fd_;
};

}  // namespace rackline::act
