// SPDX-License-Identifier: Apache-2.0
#include "ha/fence_engine.h"

#include <csignal>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/id.h"
#include "base/units.h"

namespace rackline::ha {
namespace {

using Outcome = FenceReport::Outcome;

constexpr int kMarkAttempts = 3;

FenceReport with(FenceReport report, Outcome outcome, std::string reason) {
  report.outcome = outcome;
  report.reason = std::move(reason);
  return report;
}

// It is not known to be off, and nothing that a program could still do will change that.
FenceReport failed(FenceReport report, std::string reason) {
  report.needs_person = true;
  return with(std::move(report), Outcome::kFailed, std::move(reason));
}

FenceReport without_lock(FenceReport report, bool stopping) {
  if (stopping) return with(std::move(report), Outcome::kRefused, "interrupted before it was begun");
  report.needs_person = true;
  return with(std::move(report), Outcome::kBusy, "another fence is at work and does not let go of the lock");
}

// Signals are the main thread's: they have to interrupt its read.
class WithoutSignals {
 public:
  WithoutSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~WithoutSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  WithoutSignals(const WithoutSignals&) = delete;
  WithoutSignals& operator=(const WithoutSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

FenceLock::Hold FenceLock::acquire() {
  const std::lock_guard guard(mutex_);
  if (holders_ == 0) lock_ = store_.lock("fence", clock_, clock_.monotonic() + patience_);
  if (!lock_) return Hold(nullptr);
  ++holders_;
  return Hold(this);
}

void FenceLock::release() {
  const std::lock_guard guard(mutex_);
  if (--holders_ == 0) lock_.reset();
}

FenceEngine::FenceEngine(FencePolicy policy, World world, Finished finished)
    : policy_(policy),
      world_(std::move(world)),
      finished_(std::move(finished)),
      journal_(world_.store, world_.time.clock),
      lock_(world_.store, world_.time.clock, policy.lock_patience) {}

FenceEngine::~FenceEngine() {
  wait_until_idle();
}

void FenceEngine::wait_until_idle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return working_ == 0; });
}

void FenceEngine::wait() {
  wait_until_idle();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

std::map<Outcome, int> FenceEngine::outcomes() {
  const std::lock_guard lock(mutex_);
  return outcomes_;
}

void FenceEngine::alive(const std::string& host) {
  const std::lock_guard lock(mutex_);
  ++signs_[host];
}

int FenceEngine::signs_of_life(const std::string& host) {
  const std::lock_guard lock(mutex_);
  return signs_[host];
}

void FenceEngine::submit(const std::string& host, FenceReport base, Task task) {
  const std::lock_guard lock(mutex_);
  auto& queue = queues_[host];
  queue.emplace_back(std::move(base), std::move(task));
  if (queue.size() > 1) return;
  ++working_;
  const WithoutSignals none;
  std::thread([this, host] { work(host); }).detach();  // wait() is its end
}

void FenceEngine::work(const std::string& host) {
  for (;;) {
    std::unique_lock lock(mutex_);
    auto& queue = queues_[host];
    const auto [base, task] = queue.front();
    lock.unlock();
    const auto started = world_.time.clock.monotonic();
    FenceReport report = base;
    try {
      report = task();
    } catch (const std::exception& error) {
      report = failed(base, error.what());
    }
    report.elapsed = world_.time.clock.monotonic() - started;
    {
      const std::lock_guard guard(guard_);
      in_hand_.erase(host);
    }
    std::exception_ptr failure;
    try {
      finish(report);
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

void FenceEngine::finish(const FenceReport& report) {
  {
    const std::lock_guard lock(mutex_);
    ++outcomes_[report.outcome];
  }
  const std::lock_guard output(output_);
  finished_(report);
}

void FenceEngine::request(const FenceRequest& request) {
  FenceReport base;
  base.id = random_id();
  base.cause = request.cause();
  base.host = request.host();
  base.planned = policy_.dry_run;
  const int signs = signs_of_life(request.host());
  submit(request.host(), base, [this, request, base, signs] { return fence(request, base, signs); });
}

FenceReport FenceEngine::fence(const FenceRequest& request, FenceReport report, int signs) {
  const auto& clock = world_.time.clock;
  const auto methods = world_.methods.find(report.host);
  if (methods == world_.methods.end()) {
    return with(report, Outcome::kRefused, "there is no host of that name in the inventory");
  }
  const auto ruling = rule_on(request, policy_, clock.wall());
  if (ruling.verdict == FenceRuling::Verdict::kLeave) return with(report, Outcome::kLeft, ruling.reason);
  if (ruling.verdict == FenceRuling::Verdict::kRefuse) return with(report, Outcome::kRefused, ruling.reason);
  if (policy_.dry_run) return look(report);
  if (world_.stopping()) return with(report, Outcome::kRefused, "interrupted before it was begun");

  // Whoever holds it may be at work on another host, or be a person who switches one on: that this one died
  // will not be said again.
  auto lock = lock_.acquire();
  while (!lock && clock.monotonic() < request.read_at + policy_.max_age && !world_.stopping() &&
         signs_of_life(report.host) == signs) {
    lock = lock_.acquire();
  }
  if (signs_of_life(report.host) != signs) {
    return with(report, Outcome::kRefused, "it is up again since the record was written");
  }
  if (!lock) return without_lock(report, world_.stopping());
  if (const auto planned = cluster::maintenance_mark(world_.store, report.host);
      planned && planned->holds(world_.time.clock.wall())) {
    return with(report, Outcome::kRefused, "it is in maintenance: " + planned->reason);
  }
  const auto mark = cluster::fence_mark(world_.store, report.host);
  bool opened = false;
  const auto begin_once = [&] {
    if (opened) return std::string();
    auto objection = begin(report);
    opened = objection.empty();
    return objection;
  };
  report.power =
      PowerDriver(world_.power, world_.time)
          .off(methods->second, clock.monotonic() + policy_.deadline, begin_once, self_fence(request, signs));
  const bool off_since = report.power.untouched && mark && mark->state == cluster::FenceMark::State::kFenced;
  if (off_since) {
    report.already = true;
    report.id = mark->id;
    return with(report, Outcome::kFenced, "");
  }
  if (report.power.proven) report.power.objection = begin_once();
  if (!report.power.objection.empty()) {
    report.needs_person = true;
    return with(report, Outcome::kRefused, report.power.objection);
  }
  if (!report.power.proven) {
    if (opened) journal_.end(report.id, report.host, "failed");
    return failed(report, report.power.why);
  }
  if (mark) {
    report.power.evidence += mark->state == cluster::FenceMark::State::kReturning
                                 ? "; it had been fenced before and was returning"
                                 : "; it had been fenced before and was on again";
  }
  set_mark(report);
  journal_.end(report.id, report.host, "fenced");
  return with(std::move(report), Outcome::kFenced, "");
}

void FenceEngine::set_mark(const FenceReport& report) {
  for (int i = 0; i < kMarkAttempts; ++i) {
    const auto present = cluster::fence_mark(world_.store, report.host);
    cluster::FenceMark mark{report.host, report.id, report.cause, report.power.method,
                            world_.time.clock.wall()};
    mark.version = present ? present->version : 0;
    if (put(world_.store, mark)) return;
  }
  throw Error(Status::kBusy, "mark as fenced", report.host, "somebody else keeps changing its mark");
}

// Called once the power was read and before the first command: what forbids to go on, or nothing, and then
// the intent is on disk.
std::string FenceEngine::begin(const FenceReport& report) {
  const std::lock_guard guard(guard_);
  std::set<std::string> gone = in_hand_;
  for (const auto& mark : cluster::fence_marks(world_.store)) {
    if (world_.methods.contains(mark.host)) gone.insert(mark.host);
  }
  gone.insert(report.host);
  if (too_many(gone.size(), world_.methods.size()) && !policy_.force) {
    return "with it " + std::to_string(gone.size()) + " of " + std::to_string(world_.methods.size()) +
           " hosts would be fenced, which is more than half (--force)";
  }
  if (journal_.fenced_within(report.host, policy_.loop_window) >= policy_.loop_limit) {
    return "it was fenced " + std::to_string(policy_.loop_limit) + " times within " +
           format_duration(policy_.loop_window) + ": find out why it dies (--loop-window)";
  }
  // We hold the lock: what is open for this host belongs to a run that was killed, and is overtaken by this
  // one.
  for (const auto& open : journal_.open()) {
    if (open.host == report.host) journal_.end(open.id, open.host, "superseded");
  }
  journal_.begin(report.id, report.host, report.cause);
  in_hand_.insert(report.host);
  return {};
}

SelfFence FenceEngine::self_fence(const FenceRequest& request, int signs) {
  SelfFence self;
  self.objection = self_fence_objection(request, policy_);
  self.at = self_fenced_at(request, policy_);
  self.cancelled = [this, host = request.host(), signs]() -> std::string {
    if (signs_of_life(host) != signs) return "it is up again";
    return world_.stopping() ? "interrupted while waiting" : "";
  };
  if (self.objection.empty()) {
    self.evidence =
        "not read back: its agent stops its virtual servers after " +
        format_duration(Milliseconds{*request.state.self_fence_ms}) +
        " without both channels, and it was silent for " + format_duration(policy_.takeover) +
        (request.state.watchdog.value_or(false) ? "; a hardware watchdog resets it if its agent hangs"
                                                : "; no hardware watchdog");
  }
  return self;
}

// A dry run: the power as it is.
FenceReport FenceEngine::look(FenceReport report) {
  const auto reading =
      PowerDriver(world_.power, world_.time).read(world_.methods.at(report.host), policy_.deadline);
  report.power.method = reading.method;
  report.power.before = report.power.after = reading.power;
  if (reading.power == Power::kUnknown) return with(report, Outcome::kFailed, reading.why);
  report.power.evidence = std::string("a dry run: it is ") + name_of(reading.power);
  return with(report, Outcome::kFenced, "");
}

void FenceEngine::settle() {
  if (policy_.dry_run || journal_.open().empty()) return;
  const auto lock = lock_.acquire();
  // Whoever holds it is alive, and what is open is its own.
  if (!lock) throw Error(Status::kBusy, "settle what is open", "the journal", "another fence is at work");
  for (const auto& open : journal_.open()) {
    FenceReport base;
    base.id = open.id;
    base.cause = open.cause;
    base.host = open.host;
    submit(open.host, base, [this, base, open] { return settle_one(base, open); });
  }
}

FenceReport FenceEngine::settle_one(FenceReport report, const FenceJournal::Open& open) {
  const auto lock = lock_.acquire();
  if (!lock) return without_lock(report, world_.stopping());
  const auto methods = world_.methods.find(report.host);
  if (methods == world_.methods.end()) {
    journal_.end(report.id, report.host, "failed");
    return failed(report, "interrupted, and it is not in the inventory any more");
  }
  // Twice, as always when something is to be proven.
  PowerDriver driver(world_.power, world_.time);
  auto reading = driver.read(methods->second, policy_.deadline / 2);
  if (reading.power == Power::kOff) reading = driver.read(methods->second, policy_.deadline / 2);
  report.power.method = reading.method;
  report.power.after = reading.power;
  const auto mark = cluster::fence_mark(world_.store, report.host);
  if (reading.power == Power::kOff) {
    report.power.proven = true;
    report.power.evidence =
        reading.method + ": an interrupted run had begun to switch it off; read off twice since";
    // A later fencing has its own proof, and its virtual servers were started because of that one.
    const bool marked = mark && mark->state == cluster::FenceMark::State::kFenced &&
                        (mark->id == open.id || mark->time > open.begun);
    if (marked) report.id = mark->id;
    if (!marked) set_mark(report);
    report.already = marked;
    journal_.end(open.id, open.host, "fenced");
    return with(report, Outcome::kFenced, "");
  }
  if (reading.power == Power::kOn) {
    journal_.end(open.id, open.host, "failed");
    return failed(report, "interrupted, and it is on: fence it anew if it is still down");
  }
  return failed(report,
                "interrupted, and its power cannot be read (" + reading.why + "): repeat fence --resume");
}

}  // namespace rackline::ha
