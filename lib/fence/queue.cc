// SPDX-License-Identifier: Apache-2.0
#include "fence/queue.h"

#include <algorithm>
#include <utility>

#include "base/id.h"
#include "base/units.h"
#include "wait/thread.h"

namespace rackline::fence {
namespace {

using Outcome = FenceReport::Outcome;

constexpr Milliseconds kBetweenLooks{200};

bool is_failure(const FenceReport& report) {
  return report.outcome == Outcome::kFailed || report.outcome == Outcome::kBusy;
}

FenceReport given_up(FenceReport report, const std::string& why) {
  report.needs_person = true;
  report.retry.reset();
  report.reason += "; " + why;
  return report;
}

}  // namespace

FenceQueue::FenceQueue(const FencePolicy& policy, bmc::FenceTime time, std::function<bool()> stopping,
                       Finished finished)
    : policy_(policy),
      time_(std::move(time)),
      stopping_(std::move(stopping)),
      finished_(std::move(finished)) {}

FenceQueue::~FenceQueue() {
  close();
  wait_until_idle();
}

void FenceQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

void FenceQueue::wait_until_idle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return working_ == 0; });
}

void FenceQueue::wait() {
  wait_until_idle();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void FenceQueue::submit(Task task) {
  const std::lock_guard lock(mutex_);
  const std::string host = task.base.host;
  auto& queue = queues_[host];
  queue.push_back(std::move(task));
  if (queue.size() > 1) return;
  ++working_;
  wait::quiet_thread([this, host] { work(host); }).detach();  // wait_until_idle() is its end
}

void FenceQueue::work(const std::string& host) {
  for (;;) {
    std::unique_lock lock(mutex_);
    auto& queue = queues_[host];
    const Task task = queue.front();
    lock.unlock();
    std::exception_ptr failure;
    try {
      if (const auto report = carry_out(task)) tell(*report);
    } catch (...) {
      failure = std::current_exception();  // a full disk under stdout: wait() is where somebody can tell
    }
    lock.lock();
    if (failure) failure_ = failure;
    queue.pop_front();
    if (!queue.empty()) continue;
    --working_;
    idle_.notify_all();
    return;
  }
}

void FenceQueue::tell(const FenceReport& report) {
  const std::lock_guard output(output_);
  finished_(report);
}

FenceReport FenceQueue::run_once(const Task& task, int round) {
  FenceReport base = task.base;
  base.round = round;
  if (round > 1) base.id = random_id();
  try {
    return task.run(base);
  } catch (const std::exception& error) {
    return failed(base, error.what());
  }
}

// The last word on the host; nullopt when a newer request has the last word.
std::optional<FenceReport> FenceQueue::carry_out(const Task& task) {
  const auto& clock = time_.clock;
  auto started = clock.monotonic();
  bool told_disarmed = false;
  Milliseconds pause = policy_.retry_first;
  for (int round = 1;; ++round) {
    auto report = run_once(task, round);
    report.elapsed = clock.monotonic() - started;
    if (!report.disarmed && (!task.repeated || !is_failure(report))) return report;
    if (report.disarmed) {  // nothing was tried: neither a round nor time for trying has passed
      round = 0;
      report.round = 1;  // whoever is called at a first word is called at this one
      pause = policy_.retry_first;
      started = clock.monotonic();
    }
    if (!report.disarmed && report.elapsed + pause > policy_.retry_for) {  // @rule 04-rounds-are-bounded
      if (round == 1) return report;
      return given_up(report, "it was tried " + std::to_string(round) + " times within " +
                                  format_duration(report.elapsed) + " (--retry-for)");
    }
    auto woken = over(task);
    if (woken == Woken::kClosed || woken == Woken::kStop) return report;
    report.retry = woken == Woken::kNewer ? Milliseconds{0} : pause;
    if (woken != Woken::kLife && !(report.disarmed && told_disarmed)) tell(report);
    told_disarmed = report.disarmed;
    if (!woken) woken = wait_for(task, pause);
    report.elapsed = clock.monotonic() - started;
    switch (*woken) {
      case Woken::kTime:
        break;
      case Woken::kLife:
        report.retry.reset();
        return withdrawn(report);
      case Woken::kNewer:
        return std::nullopt;
      case Woken::kStop:
        return given_up(report, "interrupted before it was tried again");
      case Woken::kClosed:
        // Not tried once more at once: the last that was heard of it may be old by now, and that it came up
        // in the meantime, nobody would tell.
        return given_up(report, "it is not tried again: nobody watches any more whether it is up");
    }
    pause = std::min(pause * 2, policy_.retry_longest);
  }
}

// Why no further round is to begin; nullopt: it may.
std::optional<FenceQueue::Woken> FenceQueue::over(const Task& task) {
  if (task.life() > 0) return Woken::kLife;  // @rule 21-before-the-next-round
  if (stopping_()) return Woken::kStop;
  const std::lock_guard lock(mutex_);
  if (queues_[task.base.host].size() > 1) return Woken::kNewer;
  if (closed_) return Woken::kClosed;
  return std::nullopt;
}

FenceQueue::Woken FenceQueue::wait_for(const Task& task, Milliseconds pause) {
  const auto& clock = time_.clock;
  const auto due = clock.monotonic() + pause;
  for (;;) {
    if (const auto reason = over(task)) return *reason;
    const auto now = clock.monotonic();
    if (now >= due) return Woken::kTime;
    time_.sleep(std::min(kBetweenLooks, due - now));
  }
}

}  // namespace rackline::fence
