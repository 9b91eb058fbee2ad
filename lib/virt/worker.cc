// SPDX-License-Identifier: Apache-2.0
#include "virt/worker.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/units.h"
#include "wait/thread.h"

namespace rackline::virt {

using SteadyClock = std::chrono::steady_clock;

namespace detail {

struct Job {
  enum class State { kWaiting, kDropped, kBegun, kForsaken };  // kForsaken: begun, and nobody waits any more

  HostWorker::Work work;
  HostWorker::Done done;
  std::atomic<State> state{State::kWaiting};

  bool change(State from, State to) { return state.compare_exchange_strong(from, to); }
};

// A thread, its queue and what the two sides know of each other. Owned by both: the thread may outlive the
// worker.
struct Lane {
  Target target;
  ConnectOptions options;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Job>> queue;
  bool stop = false;
  bool ended = false;
  std::shared_ptr<Job> running;
  SteadyClock::time_point running_since;
};

}  // namespace detail

namespace {

using detail::Job;
using detail::Lane;

void run_job(Job& job, const Lane& lane, std::optional<Connection>& connection) {
  std::exception_ptr failure;
  try {
    if (connection && !connection->alive()) connection.reset();
    if (!connection) connection = Connection::open(lane.target.uri, lane.options);
    job.work(*connection);
  } catch (...) {
    failure = std::current_exception();
  }
  if (connection && !connection->alive()) connection.reset();
  job.done(failure);
}

void run_lane(const std::shared_ptr<Lane>& lane) {
  std::optional<Connection> connection;
  std::unique_lock lock(lane->mutex);
  for (;;) {
    lane->changed.wait(lock, [&] { return lane->stop || !lane->queue.empty(); });
    if (lane->stop) break;
    std::shared_ptr<Job> job = std::move(lane->queue.front());
    lane->queue.pop_front();
    if (!job->change(Job::State::kWaiting, Job::State::kBegun)) continue;
    lane->running = job;
    lane->running_since = SteadyClock::now();
    lock.unlock();
    run_job(*job, *lane, connection);
    lock.lock();
    lane->running.reset();
  }
  lock.unlock();
  connection.reset();
  lock.lock();
  lane->ended = true;
  lane->changed.notify_all();
}

void start_thread(std::shared_ptr<Lane> lane) {
  wait::quiet_thread([lane = std::move(lane)] { run_lane(lane); }).detach();
}

// The thread ends with the job that it has now; those that wait never begin.
void retire_locked(Lane& lane) {
  for (const auto& job : lane.queue) job->change(Job::State::kWaiting, Job::State::kDropped);
  lane.queue.clear();
  lane.stop = true;
  lane.changed.notify_all();
}

void retire(Lane& lane) {
  const std::lock_guard lock(lane.mutex);
  retire_locked(lane);
}

// How long a thread must hang before it is replaced, when `hanging` others of the same host hang already.
std::chrono::seconds replacement_delay(std::size_t hanging) {
  constexpr std::chrono::seconds kLongest{600};
  if (hanging >= 5) return kLongest;
  return std::min(kLongest, std::chrono::seconds{(1LL << (2 * hanging)) - 1});
}

}  // namespace

bool Ticket::drop() {
  if (job_->change(Job::State::kWaiting, Job::State::kDropped)) return true;
  job_->change(Job::State::kBegun, Job::State::kForsaken);
  return false;
}

HostWorker::HostWorker(Target target, ConnectOptions options)
    : target_(std::move(target)), options_(options) {}

HostWorker::~HostWorker() {
  stop();
}

void HostWorker::stop() {
  if (lane_ != nullptr) retire(*lane_);
}

void HostWorker::wait_for_end(SteadyClock::time_point deadline) {
  if (lane_ == nullptr) return;
  std::unique_lock lock(lane_->mutex);
  lane_->changed.wait_until(lock, deadline, [&] { return lane_->ended || lane_->running != nullptr; });
}

Ticket HostWorker::submit(Work work, Done done) {
  auto job = std::make_shared<Job>();
  job->work = std::move(work);
  job->done = std::move(done);
  const std::shared_ptr<Lane> lane = lane_for_job();
  {
    const std::lock_guard lock(lane->mutex);
    // Behind a thread that hangs for days the jobs of those who gave up would pile up, with all that they
    // hold.
    std::erase_if(lane->queue, [](const auto& waiting) { return waiting->state == Job::State::kDropped; });
    lane->queue.push_back(job);
    lane->changed.notify_all();
  }
  return Ticket(std::move(job));
}

std::shared_ptr<Lane> HostWorker::lane_for_job() {
  std::erase_if(abandoned_, [](const auto& lane) { return lane.expired(); });
  if (lane_ != nullptr) {
    const std::lock_guard lock(lane_->mutex);
    const bool hangs = lane_->running != nullptr && lane_->running->state == Job::State::kForsaken;
    if (!hangs || SteadyClock::now() - lane_->running_since < replacement_delay(abandoned_.size()))
      return lane_;
    retire_locked(*lane_);
    abandoned_.push_back(lane_);
  }
  lane_ = std::make_shared<Lane>();
  lane_->target = target_;
  lane_->options = options_;
  start_thread(lane_);
  return lane_;
}

Error HostWorker::no_answer(Milliseconds timeout) const {
  return {Status::kTimeout, "ask libvirtd", target_.host, "no answer within " + format_duration(timeout)};
}

}  // namespace rackline::virt
