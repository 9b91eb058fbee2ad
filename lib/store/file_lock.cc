// SPDX-License-Identifier: Apache-2.0
#include "store/file_lock.h"

#include <sys/file.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/interrupt.h"

namespace rackline::store {

bool wait_for_lock(const std::shared_ptr<Fd>& fd, Milliseconds patience) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool held = false;
  };
  const auto shared = std::make_shared<Shared>();
  std::thread([shared, fd] {
    while (flock(fd->get(), LOCK_EX) != 0) {
      if (errno != EINTR) return;
    }
    const std::lock_guard guard(shared->mutex);
    shared->held = true;
    shared->changed.notify_all();
  }).detach();
  constexpr Milliseconds kLook{100};
  const auto deadline = system_clock().monotonic() + patience;
  std::unique_lock guard(shared->mutex);
  while (!shared->held) {
    if (system_clock().monotonic() >= deadline || interrupt::requested()) return false;
    shared->changed.wait_for(guard, kLook);
  }
  return true;
}

}  // namespace rackline::store
