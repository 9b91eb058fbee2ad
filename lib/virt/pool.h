// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/time.h"
#include "virt/worker.h"

namespace rackline::virt {

// What one host is asked; see HostWorker::submit for what `work` may refer to.
template <class T>
struct Question {
  std::size_t host;  // index into the pool's targets
  std::function<T(Connection&)> work;
  Milliseconds timeout;
  // May be empty. Asked on the caller's thread when `timeout` is over: how much of it the work has spent
  // waiting for something else than the host. So much longer it may take, once.
  std::function<Milliseconds()> paused = {};
};

// One of the two is set: kUnreachable and kTimeout are the usual errors.
template <class T>
struct Answer {
  std::size_t host;
  std::optional<T> value;
  std::optional<Error> error;
  Milliseconds elapsed{0};
};

// A worker for each of many hosts. Asked all at once; the slowest delays only itself.
class HostPool {
 public:
  HostPool(std::vector<Target> targets, const ConnectOptions& options);
  // Gives idle connections a quarter of a second, all together, to be closed in good order.
  ~HostPool();
  HostPool(const HostPool&) = delete;
  HostPool& operator=(const HostPool&) = delete;

  std::size_t size() const { return workers_.size(); }
  HostWorker& worker(std::size_t host) { return *workers_[host]; }

  // Asks, and calls `each` on this thread with every answer as it comes, or with the timeout of who gives
  // none. False when a stop was asked for (interrupt.h) before all had answered.
  template <class T, class Each>
  bool ask(std::vector<Question<T>> questions, Each each);

 private:
  using SteadyClock = std::chrono::steady_clock;

  // Where the workers' threads put answers: outlives the call that made it, for those that come too late.
  template <class T>
  struct Mailbox {
    std::mutex mutex;
    std::vector<std::pair<std::size_t, Answer<T>>> answers;  // by index of the question
    Fd bell;
  };

  static Fd make_bell();
  static void ring(const Fd& bell);
  // Waits for the bell until `deadline`; false when a stop was asked for.
  static bool wait_for_bell(const Fd& bell, SteadyClock::time_point deadline);

  std::vector<std::unique_ptr<HostWorker>> workers_;
};

// What `failure` holds as an Error; what is none of ours becomes one of kNo.
Error as_error(const std::exception_ptr& failure);

template <class T, class Each>
bool HostPool::ask(std::vector<Question<T>> questions, Each each) {
  struct Asked {
    std::optional<Ticket> ticket;  // empty: answered
    SteadyClock::time_point deadline;
  };
  const auto started = SteadyClock::now();
  const auto elapsed = [started] {
    return std::chrono::duration_cast<Milliseconds>(SteadyClock::now() - started);
  };
  auto mailbox = std::make_shared<Mailbox<T>>();
  mailbox->bell = make_bell();
  std::vector<Asked> asked(questions.size());

  for (std::size_t i = 0; i < questions.size(); ++i) {
    auto value = std::make_shared<std::optional<T>>();
    asked[i].deadline = started + questions[i].timeout;
    asked[i].ticket = workers_[questions[i].host]->submit(
        [value, work = std::move(questions[i].work)](Connection& connection) { *value = work(connection); },
        [value, mailbox, i, host = questions[i].host](const std::exception_ptr& failure) {
          Answer<T> answer{host, std::move(*value), std::nullopt};
          if (failure) answer.error = as_error(failure);
          const std::lock_guard lock(mailbox->mutex);
          mailbox->answers.emplace_back(i, std::move(answer));
          ring(mailbox->bell);
        });
  }

  std::size_t left = questions.size();
  const auto finish = [&](std::size_t i, Answer<T> answer) {
    answer.elapsed = elapsed();
    asked[i].ticket.reset();
    --left;
    each(std::move(answer));
  };
  while (left > 0) {
    std::vector<std::pair<std::size_t, Answer<T>>> arrived;
    {
      const std::lock_guard lock(mailbox->mutex);
      arrived.swap(mailbox->answers);
    }
    for (auto& [i, answer] : arrived) {
      if (asked[i].ticket) finish(i, std::move(answer));
    }
    const auto now = SteadyClock::now();
    auto next = SteadyClock::time_point::max();
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (!asked[i].ticket) continue;
      if (asked[i].deadline > now) {
        next = std::min(next, asked[i].deadline);
        continue;
      }
      if (questions[i].paused) {
        asked[i].deadline += std::exchange(questions[i].paused, nullptr)();
        if (asked[i].deadline > now) {
          next = std::min(next, asked[i].deadline);
          continue;
        }
      }
      asked[i].ticket->drop();
      const std::size_t host = questions[i].host;
      finish(i, {host, std::nullopt, workers_[host]->no_answer(questions[i].timeout)});
    }
    if (left == 0) break;
    if (!wait_for_bell(mailbox->bell, next)) {
      for (auto& a : asked) {
        if (a.ticket) a.ticket->drop();
      }
      return false;
    }
  }
  return true;
}

}  // namespace rackline::virt
