// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "virt/connection.h"

namespace rackline::virt {

struct Target {
  std::string host;  // its name in the inventory
  std::string uri;
};

namespace detail {
struct Lane;
struct Job;
}  // namespace detail

// A job that was submitted to a HostWorker.
class Ticket {
 public:
  explicit Ticket(std::shared_ptr<detail::Job> job) : job_(std::move(job)) {}
  // The caller no longer waits. True when the job had not begun: it never will. False: it runs or has run,
  // and whatever it does is done on its own.
  bool drop();

 private:
  std::shared_ptr<detail::Job> job_;
};

// One host, one thread, one connection. Functions that are submitted run on that thread one after the other,
// with the connection open; it is opened again after it broke.
//
// A libvirt call cannot be cancelled, so a caller waits with a deadline and a thread that hangs is left
// alone: it is never joined, not even by the destructor. A later job gets a new thread and a new connection
// (a VM whose monitor hangs blocks only the calls that were begun before libvirtd saw it), more rarely the
// more threads of this host still hang: at once, after 3 s, 15 s, 63 s, and at most every 10 minutes. Until
// then it queues behind the hanging one, which usually comes back when the host thaws.
//
// Since hung threads stay, a program that used one must end without running static destructors under them:
// std::_Exit or quick_exit after its streams are flushed.
class HostWorker {
 public:
  using Work = std::function<void(Connection&)>;
  // Called on the worker's thread after the work: null, or what the work (or opening the connection) threw.
  using Done = std::function<void(std::exception_ptr)>;

  HostWorker(Target target, ConnectOptions options);
  // Lets the threads go: an idle one closes its connection. Jobs that have not begun are dropped. Does not
  // wait.
  ~HostWorker();
  HostWorker(const HostWorker&) = delete;
  HostWorker& operator=(const HostWorker&) = delete;

  const Target& target() const { return target_; }

  // Neither function may refer to anything that could be gone before the call returns, hours later perhaps:
  // capture by value or shared_ptr. `done` is not called for a job that was dropped before it began.
  Ticket submit(Work work, Done done);

  // Submits and waits. Throws what `work` threw, VirtError(kUnreachable) when the host refuses,
  // Error(kTimeout) when there is no answer in time; a job that had not begun by then never begins.
  template <class F>
  auto run(F work, Milliseconds timeout) -> std::invoke_result_t<F, Connection&> {
    using Result = std::invoke_result_t<F, Connection&>;
    auto promise = std::make_shared<std::promise<Result>>();
    std::future<Result> future = promise->get_future();
    Ticket ticket = submit(
        [promise, work = std::move(work)](Connection& connection) mutable {
          if constexpr (std::is_void_v<Result>) {
            work(connection);
            promise->set_value();
          } else {
            promise->set_value(work(connection));
          }
        },
        [promise](std::exception_ptr failure) {
          if (failure) promise->set_exception(std::move(failure));
        });
    if (future.wait_for(timeout) != std::future_status::ready) {
      ticket.drop();
      throw no_answer(timeout);
    }
    return future.get();
  }

  // The error for a host that did not answer within `timeout`.
  Error no_answer(Milliseconds timeout) const;

  // An end in good order, for libvirtd logs an error for each client that goes without a word: stop() tells
  // the thread to close its connection and to end as soon as it is idle, wait_for_end() waits for that until
  // `deadline`, but not for a thread that is still at work. No job may be submitted after.
  void stop();
  void wait_for_end(std::chrono::steady_clock::time_point deadline);

 private:
  std::shared_ptr<detail::Lane> lane_for_job();

  Target target_;
  ConnectOptions options_;
  std::shared_ptr<detail::Lane> lane_;
  std::vector<std::weak_ptr<detail::Lane>> abandoned_;  // expire as their threads end
};

}  // namespace rackline::virt
