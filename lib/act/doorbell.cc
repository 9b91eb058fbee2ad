// SPDX-License-Identifier: Apache-2.0
#include "act/doorbell.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/interrupt.h"

namespace rackline::act {

Doorbell::Doorbell() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw system_error(Status::kUnreachable, "wait for workers", "eventfd");
}

void Doorbell::ring() const {
  eventfd_write(fd_.get(), 1);
}

void Doorbell::silence() const {
  eventfd_t count = 0;
  eventfd_read(fd_.get(), &count);
}

bool Doorbell::wait(bool interruptible, std::optional<Milliseconds> at_most) const {
  std::array<pollfd, 2> watched{{{fd_.get(), POLLIN, 0}, {interruptible ? interrupt::fd() : -1, POLLIN, 0}}};
  const int ready = poll(watched.data(), watched.size(), at_most ? static_cast<int>(at_most->count()) : -1);
  if (ready < 0 && errno != EINTR) throw system_error(Status::kUnreachable, "wait for workers", "poll");
  return ready > 0 && (watched[0].revents & POLLIN) != 0;
}

}  // namespace rackline::act
