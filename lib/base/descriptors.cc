// SPDX-License-Identifier: Apache-2.0
#include "base/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"

namespace rackline {

void hold_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;  // @rule 16-standard-descriptors: true
    // The lowest free number is this one, as those below are open.
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
      _exit(static_cast<int>(Status::kUnreachable));
  }
}

namespace {
rlimit limit_at_start{};  // max 0: not raised
}

void raise_descriptor_limit() {
  // Some libraries walk through all numbers up to the limit, which may be a thousand millions.
  constexpr rlim_t kEnough = 65'536;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min(limit.rlim_max, kEnough);
  if (limit.rlim_cur >= wanted) return;
  limit_at_start = limit;
  limit.rlim_cur = wanted;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit_at_start = {};
}

void restore_descriptor_limit() {
  if (limit_at_start.rlim_max != 0) setrlimit(RLIMIT_NOFILE, &limit_at_start);
}

}  // namespace rackline
