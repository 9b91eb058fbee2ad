// SPDX-License-Identifier: Apache-2.0
#include "virt/pool.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/interrupt.h"

namespace rackline::virt {

HostPool::HostPool(std::vector<Target> targets, const ConnectOptions& options) {
  workers_.reserve(targets.size());
  for (Target& target : targets) workers_.push_back(std::make_unique<HostWorker>(std::move(target), options));
}

HostPool::~HostPool() {
  const auto deadline = SteadyClock::now() + Milliseconds{250};
  for (const auto& worker : workers_) worker->stop();
  for (const auto& worker : workers_) worker->wait_for_end(deadline);
}

Fd HostPool::make_bell() {
  Fd bell(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell) throw system_error(Status::kUnreachable, "ask the hosts", "eventfd");
  return bell;
}

void HostPool::ring(const Fd& bell) {
  const std::uint64_t one = 1;
  if (write(bell.get(), &one, sizeof one) < 0) return;  // only a full counter, and then it rings already
}

bool HostPool::wait_for_bell(const Fd& bell, SteadyClock::time_point deadline) {
  for (;;) {
    if (interrupt::requested()) return false;
    // Rounded up: a wait that ends a little early would come back as a busy loop.
    const auto left = std::chrono::ceil<Milliseconds>(deadline - SteadyClock::now()).count();
    if (left <= 0) return true;
    std::array<pollfd, 2> watched{{{bell.get(), POLLIN, 0}, {interrupt::fd(), POLLIN, 0}}};
    const int timeout = static_cast<int>(std::min<Milliseconds::rep>(left, 3'600'000));
    if (poll(watched.data(), watched.size(), timeout) < 0 && errno != EINTR) {
      throw system_error(Status::kUnreachable, "wait for the hosts", "poll");
    }
    if ((watched[0].revents & POLLIN) == 0) continue;
    std::uint64_t count = 0;
    if (read(bell.get(), &count, sizeof count) < 0) continue;
    return true;
  }
}

Error as_error(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& error) {
    return {Status::kNo, "ask the host", "", std::string("unexpected: ") + error.what()};
  }
}

}  // namespace rackline::virt
