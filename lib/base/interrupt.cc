// SPDX-License-Identifier: Apache-2.0
#include "base/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "base/error.h"

namespace rackline::interrupt {
namespace {

std::atomic<int> asked_by{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");
int event_fd = -1;
std::atomic<const char*> why{nullptr};

void notify() {
  const std::uint64_t one = 1;
  // Nothing can be done about a failure, and none is possible on an eventfd that only ever counts to two.
  if (event_fd >= 0 && write(event_fd, &one, sizeof one) < 0) return;
}

void on_signal(int number) {
  const int saved = errno;
  int none = 0;
  if (!asked_by.compare_exchange_strong(none, number)) _exit(128 + number);
  notify();
  errno = saved;
}

}  // namespace

void install() {
  event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd < 0) throw system_error(Status::kUnreachable, "watch for signals", "eventfd");
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGINT, SIGTERM}) {
    struct sigaction present = {};
    sigaction(number, nullptr, &present);
    // A background job of a non-interactive shell starts with SIGINT ignored, and wants it to stay so.
    if (present.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);
  }
}

void request(int number, const char* text) {
  int none = 0;
  if (!asked_by.compare_exchange_strong(none, number)) return;
  why = text;
  notify();
}

const char* reason() {
  return why.load();
}

bool requested() {
  return asked_by.load() != 0;
}

int signal() {
  return asked_by.load();
}

int fd() {
  return event_fd;
}

Woken wait_until(const Clock& clock, Milliseconds deadline, bool watch_stdout) {
  for (;;) {
    if (requested()) return Woken::kInterrupt;
    const auto left = deadline - clock.monotonic();
    if (left <= Milliseconds{0}) return Woken::kTime;
    std::array<pollfd, 2> watched{{{event_fd, POLLIN, 0}, {watch_stdout ? STDOUT_FILENO : -1, 0, 0}}};
    const auto bounded = std::min<Milliseconds::rep>(left.count(), 3'600'000);
    if (poll(watched.data(), watched.size(), static_cast<int>(bounded)) < 0 && errno != EINTR) {
      throw system_error(Status::kUnreachable, "wait", "poll");
    }
    if ((watched[1].revents & POLLERR) != 0) return Woken::kReaderGone;
  }
}

}  // namespace rackline::interrupt
