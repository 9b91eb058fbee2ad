// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/fd.h"
#include "base/time.h"

namespace rackline::store {

// Waits for the lock of an open file in the kernel's queue, which serves in the order of arrival and hands
// over at once: 64 that ask again and again would wait for the luckiest, and burn a CPU. As flock(2) knows no
// time limit, it waits on a thread of its own. False: not within that time, or a stop was asked for; the
// thread then gives the lock back when it gets it.
bool wait_for_lock(const std::shared_ptr<Fd>& fd, Milliseconds patience);

}  // namespace rackline::store
