// SPDX-License-Identifier: Apache-2.0
#include "failover/recovery_run.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/joined.h"
#include "cluster/disarm.h"
#include "failover/keep.h"
#include "migrate/check.h"

namespace rackline::failover {
namespace {

using What = act::Outcome;

// Hosts that do not see its disks. Where the definition's host left the inventory, any host may see them: it
// was found to be on shared storage when it was protected.
std::set<std::string> cannot_see(const Protected& vm,
                                 const std::map<std::string, migrate::MigrationHost>& hosts) {
  std::set<std::string> barred;
  const auto home = hosts.find(vm.host);
  if (home == hosts.end()) return barred;
  const migrate::VmDescription description = virt::parse_description(vm.xml);
  for (const auto& [name, host] : hosts) {
    if (name == vm.host) continue;  // whatever ties it there is there
    const auto check = migrate::check_description(home->second, host, description, false);
    if (check.answer == migrate::CheckResult::Answer::kRefuse) barred.insert(name);
  }
  return barred;
}

}  // namespace

RecoveryRun::RecoveryRun(World world, Situation situation, std::vector<Verdict> todo, bool planned,
                         Settled settled)
    : world_(world),
      situation_(std::move(situation)),
      planned_(planned),
      settled_(std::move(settled)),
      placement_(situation_.view, situation_.closed, situation_.vms, world.clock.wall(),
                 reserve::reserved_on_hosts(world.store, world.clock.wall().time_since_epoch().count())),
      looked_(world.clock.monotonic()) {
  for (auto& verdict : todo) {
    Job job;
    job.to = verdict.to;
    job.attempts = verdict.intent && !verdict.intent_is_history ? verdict.intent->attempt - 1 : 0;
    if (job.to.empty()) job.barred = cannot_see(verdict.vm, world_.hosts);
    job.verdict = std::move(verdict);
    jobs_.push_back(std::move(job));
  }
  // They will take the room, whether or not a look at their host shows them yet.
  for (const auto& [vm, host] : world_.under_way) {
    if (situation_.view.active_on(vm.uuid).empty() && !situation_.fenced(host)) placement_.assign(vm, host);
  }
}

bool RecoveryRun::go() {
  order();
  std::vector<Job*> homeless;
  for (Job& job : jobs_) {
    if (job.to.empty()) {
      homeless.push_back(&job);
    } else if (situation_.view.active_on(job.verdict.vm.uuid).empty()) {
      placement_.assign(job.verdict.vm, job.to);
    }
  }
  place(homeless);
  for (;;) {
    const bool progress = failure_ == nullptr && begin_ready();
    if (!is(Job::State::kRunning)) {
      if (failure_ != nullptr) std::rethrow_exception(failure_);
      if (!is(Job::State::kWaiting)) return true;
      if (progress) continue;
      for (Job& job : jobs_) {
        if (job.state == Job::State::kWaiting) settle(job, What::kFailed, "it waits for what waits for it");
      }
      return true;
    }
    constexpr Milliseconds kGlance{100};
    while (!workers_.wait(false, kGlance)) {
      if (!world_.urgent || !only_keeps() || !world_.urgent()) continue;
      left_ = true;
      return false;
    }
    handle_events();
  }
}

bool RecoveryRun::is(Job::State state) const {
  return std::any_of(jobs_.begin(), jobs_.end(), [state](const Job& job) { return job.state == state; });
}

bool RecoveryRun::only_keeps() const {
  return std::all_of(jobs_.begin(), jobs_.end(),
                     [](const Job& job) { return job.state == Job::State::kOver || job.verdict.keep; });
}

void RecoveryRun::handle_events() {
  for (Event& event : workers_.take()) {
    if (event.failure) failure_ = event.failure;
    handle(event);
  }
}

bool RecoveryRun::collect(bool wait) {
  for (;;) {
    if (wait && is(Job::State::kRunning)) workers_.wait(false);
    handle_events();
    if (!is(Job::State::kRunning)) break;
    if (!wait) return false;
  }
  // What the store threw is of no more use: the intent is open, and the next pass looks at it.
  return true;
}

std::vector<RecoveryRun::Start> RecoveryRun::under_way() const {
  std::vector<Start> starts;
  for (const Job& job : jobs_) {
    if (job.state == Job::State::kRunning) starts.emplace_back(job.verdict.vm, job.to);
  }
  return starts;
}

void RecoveryRun::place(const std::vector<Job*>& jobs) {
  std::vector<Job*> others;
  std::map<std::string, Placement::Answer> kept;
  for (Job* job : jobs) {
    const Verdict& verdict = job->verdict;
    if (!verdict.avoid.empty()) job->barred.insert(verdict.avoid);
    if (!verdict.prefer.empty()) {
      std::set<std::string> elsewhere;
      for (const auto& [name, host] : world_.hosts) {
        if (name != verdict.prefer) elsewhere.insert(name);
      }
      const auto answer = placement_.place({verdict.vm}, {{verdict.vm.vm, elsewhere}}).at(verdict.vm.vm);
      if (!answer.host.empty() || verdict.only_there) {
        kept[verdict.vm.vm] = answer;
        continue;
      }
    }
    others.push_back(job);
  }
  auto answers = find_place(others);
  for (auto& [vm, answer] : kept) answers[vm] = answer;
  for (Job* job : jobs) {
    const auto& answer = answers.at(job->verdict.vm.vm);
    job->to = answer.host;
    job->why = answer.reason;
    if (!job->to.empty()) continue;
    Outcome outcome;
    outcome.what = What::kRefused;
    outcome.unplaced = true;
    outcome.reason = answer.reason;
    settle(*job, outcome);
  }
}

// Hosts that were found to lack what it needs come last: they may have got it since. A plan does not hope.
std::map<std::string, Placement::Answer> RecoveryRun::find_place(const std::vector<Job*>& jobs) {
  std::vector<Protected> vms, second;
  std::map<std::string, std::set<std::string>> fit, barred;
  std::map<std::string, std::vector<std::string>> taken;  // hosts that have another VM of the name
  for (const Job* job : jobs) {
    const Protected& vm = job->verdict.vm;
    vms.push_back(vm);
    barred[vm.vm] = job->barred;
    const auto& there = taken[vm.vm] = situation_.view.name_taken_on(vm.vm, vm.uuid);
    barred[vm.vm].insert(there.begin(), there.end());  // @rule 05-restart-name-taken
    fit[vm.vm] = barred[vm.vm];
    for (const auto& [host, why] : vm.unfit) fit[vm.vm].insert(host);
  }
  auto answers = placement_.place(vms, fit);
  for (const auto& vm : vms) {
    Placement::Answer& answer = answers.at(vm.vm);
    if (!answer.host.empty()) continue;
    if (const auto& there = taken.at(vm.vm); !there.empty())
      answer.reason = "another virtual server of that name is defined on " + joined(there, " and ") + "; " +
                      answer.reason;
    if (vm.pinned) answer.reason = "it is pinned to " + vm.host + ": " + *vm.pinned;
    if (!planned_ && !vm.unfit.empty()) second.push_back(vm);
  }
  for (auto& [vm, answer] : placement_.place(second, barred)) {
    if (!answer.host.empty()) answers[vm] = answer;
  }
  return answers;
}

// True when at least one job changed its state.
bool RecoveryRun::begin_ready() {
  bool progress = false;
  for (Job& job : jobs_) {
    if (job.state != Job::State::kWaiting) continue;
    bool wait = false;
    if (interrupt::requested()) {
      settle(job, What::kFailed, "not begun, as a stop was asked for; repeat the command");
    } else if (const auto why = dependency(job, wait); !why.empty()) {
      placement_.release(job.verdict.vm);
      settle(job, What::kRefused, why);
    } else if (wait || !room_on(job.to)) {
      continue;
    } else {
      begin(job);
    }
    progress = true;
  }
  return progress;
}

void RecoveryRun::look_again() {
  if (planned_) return;
  situation_.read_marks(world_.store, world_.clock.wall());
  situation_.look(world_.cluster, world_.policy.timeout);
  looked_ = world_.clock.monotonic();
}

// Why the marks of just now forbid it.
std::string RecoveryRun::changed_mark(const Job& job) const {
  if (planned_) return {};
  const auto now = world_.clock.wall();
  if (auto why = cluster::disarmed(world_.store, now); !why.empty())  // @rule 24-disarmed-in-the-run
    return why;
  if (const auto status = cluster::host_status(world_.store, job.to, now); !status.serves())
    return cluster::why_not(status);
  if (job.verdict.intent && !job.verdict.intent_is_history) return {};
  if (job.verdict.keep) {
    const bool marked = cluster::fence_mark(world_.store, job.verdict.from) ||
                        cluster::fence_mark(world_.store, job.verdict.vm.host);
    return marked ? job.verdict.from + " was fenced meanwhile" : "";
  }
  const auto proof = cluster::fence_mark(world_.store, job.verdict.fence.host);
  // @rule 01-proof-gone: true
  const bool holds =
      proof && proof->id == job.verdict.fence.id && proof->state == cluster::FenceMark::State::kFenced;
  return holds ? "" : job.verdict.fence.host + " is not fenced any more";
}

bool RecoveryRun::begin(Job& job) {
  const Protected& vm = job.verdict.vm;
  const bool verify = job.verdict.what == Verdict::What::kVerify;
  if (!verify) {
    if (world_.clock.monotonic() - looked_ > world_.policy.fresh) look_again();  // @rule 01-look-again
    std::string why = job.verdict.keep ? keep_objection(situation_, vm) : situation_.could_run(vm);
    if (why.empty()) why = changed_mark(job);
    if (!why.empty()) {
      placement_.release(vm);
      settle(job, What::kRefused, why);
      return false;
    }
  }
  if (planned_) {
    Outcome outcome;
    outcome.what = What::kDone;
    outcome.to = job.to;
    outcome.reason = job.why;
    if (!world_.held_back.empty() && !verify) {
      outcome.what = What::kRefused;
      outcome.reason = world_.held_back + "; once it is armed: a start on " + job.to +
                       (job.why.empty() ? "" : ": " + job.why);
    }
    settle(job, outcome);
    job.runs = true;  // for those that wait for it
    return true;
  }
  StartOrder order;
  const bool open = job.verdict.intent.has_value() && !job.verdict.intent_is_history &&
                    job.attempts + 1 == job.verdict.intent->attempt;
  ++job.attempts;
  const cluster::FenceMark& fence = job.verdict.fence;
  order.intent = {journal_id(fence, vm.vm),
                  vm.vm,
                  vm.uuid,
                  job.verdict.from,
                  job.to,
                  fence.id,
                  fence.cause,
                  job.attempts};
  order.vm = vm;
  order.intent_open = open;
  order.verify_only = verify;
  job.state = Job::State::kRunning;
  const auto index = static_cast<std::size_t>(&job - jobs_.data());
  workers_.start(index, [this, index, order, host = world_.cluster.host(job.to)] {
    Event event{index, {}, nullptr};
    try {
      event.report =
          Starter(world_.policy, host, world_.store, world_.journal, world_.clock, world_.probe, *world_.lock)
              .run(order);
    } catch (...) {
      event.failure = std::current_exception();
    }
    workers_.post(std::move(event));
  });
  return true;
}

void RecoveryRun::handle(Event& event) {
  Job& job = jobs_[event.job];
  workers_.join(event.job);
  if (event.failure) {
    job.state = Job::State::kOver;  // nothing is said of it: its fate is in the journal
    return;
  }
  const StartReport& report = event.report;
  if (report.outcome == StartReport::Outcome::kFailed) return again(job, report);
  Outcome outcome;
  outcome.to = job.to;
  outcome.start = report.start;
  outcome.reason = report.reason.empty() ? job.why : report.reason;
  outcome.checked = report.checked;
  outcome.check_silent = report.check_silent;
  outcome.what = report.outcome == StartReport::Outcome::kDone    ? What::kDone
                 : report.outcome == StartReport::Outcome::kStuck ? What::kFailed
                                                                  : What::kUnknown;
  settle(job, outcome);
}

// Those that have to be with it and are about to follow it.
std::vector<RecoveryRun::Job*> RecoveryRun::waiting_companions(const Job& job) {
  std::vector<Job*> others;
  for (Job& other : jobs_) {
    if (&other == &job || other.state != Job::State::kWaiting || other.to != job.to) continue;
    const auto& group = other.verdict.vm.affinity.together;
    if (group && group == job.verdict.vm.affinity.together) others.push_back(&other);
  }
  return others;
}

// It did not start there: elsewhere, if the world still permits.
void RecoveryRun::again(Job& job, const StartReport& report) {
  placement_.release(job.verdict.vm);
  job.failures.push_back(job.to + ": " + report.reason);
  // @rule 04-starts-are-bounded: false
  const bool bounded = job.attempts >= world_.policy.attempts || job.verdict.only_there || left_;
  if (bounded || interrupt::requested() || job.verdict.what == Verdict::What::kVerify) {
    return settle(job, What::kFailed, tried(job));
  }
  if (job.barred.empty()) job.barred = cannot_see(job.verdict.vm, world_.hosts);
  job.barred.insert(job.to);
  job.state = Job::State::kWaiting;
  looked_ = Milliseconds{-1} - world_.policy.fresh - world_.policy.fresh;  // what was seen is in doubt
  if (auto others = waiting_companions(job); !others.empty()) {
    for (Job* other : others) {
      placement_.release(other->verdict.vm);
      other->barred.insert(job.to);
    }
    others.insert(others.begin(), &job);
    return place(others);
  }
  const auto answer = find_place({&job}).at(job.verdict.vm.vm);
  if (answer.host.empty())
    return settle(job, What::kFailed, tried(job) + "; and no other host: " + answer.reason);
  job.to = answer.host;
  job.why = tried(job) + "; " + answer.reason;
}

std::string RecoveryRun::tried(const Job& job) {
  std::string text = "start: " + job.verdict.vm.vm + ": ";
  for (std::size_t i = 0; i < job.failures.size(); ++i) text += (i == 0 ? "" : "; ") + job.failures[i];
  return text;
}

void RecoveryRun::settle(Job& job, What what, const std::string& reason) {
  Outcome outcome;
  outcome.what = what;
  outcome.to = job.to;
  outcome.reason = reason;
  settle(job, outcome);
}

void RecoveryRun::settle(Job& job, Outcome outcome) {
  job.state = Job::State::kOver;
  job.runs = outcome.what == What::kDone;
  outcome.attempts = job.attempts;
  outcome.planned = planned_;
  settled_(job.verdict, outcome);
}

}  // namespace rackline::failover
