// SPDX-License-Identifier: Apache-2.0
#include "store/file_turn.h"

#include <sys/file.h>

#include <cerrno>

#include "wait/pending.h"

namespace rackline::store {
namespace {

// The wait has no time limit in the kernel, so it is on a thread of its own, which outlives it if need be and
// gives back, by closing the file, what comes too late.
bool wait_for_lock(const std::shared_ptr<Fd>& file, Milliseconds patience) {
  if (flock(file->get(), LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK) return false;
  const auto wakeup = std::make_shared<wait::Wakeup>();
  wait::Pending<bool> waiting(wakeup, [file] {
    int rc = 0;
    while ((rc = flock(file->get(), LOCK_EX)) != 0 && errno == EINTR) {
    }
    return rc == 0;
  });
  return wakeup->wait_for(patience, [&] { return waiting.ready(); }) && waiting.get();
}

}  // namespace

std::optional<FileTurn> FileTurn::take(Fd file, Milliseconds patience) {
  auto shared = std::make_shared<Fd>(std::move(file));
  if (!wait_for_lock(shared, patience)) return std::nullopt;
  return FileTurn(std::move(shared));
}

// Not by closing alone: a thread that waited may not have let go of the file yet.
FileTurn::~FileTurn() {
  if (file_) flock(file_->get(), LOCK_UN);
}

}  // namespace rackline::store
