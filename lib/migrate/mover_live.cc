// SPDX-License-Identifier: Apache-2.0
// The acting half of Mover: the migration itself, from its start to its proof.
#include <algorithm>

#include "base/error.h"
#include "base/units.h"
#include "migrate/mover.h"
#include "virt/connection.h"

namespace rackline::migrate {

using Verdict = MoveFate::Verdict;

MoveReport Mover::migrate_live(bool adopt) {
  deadline_ = now() + allowed();
  for (;; adopt = false) {
    stop_ = Stop::kNone;
    call_error_.clear();
    if (adopt) {
      attempts_ = 1;
    } else {
      ++attempts_;
      begin_call();
    }
    MoveFate fate = conclude();
    // Our call has ended or there never was one, and still the job goes on: libvirtd has lost us, not the
    // migration.
    while (fate.verdict == Verdict::kAdopt && !past_settling()) {
      supervise(nullptr);
      fate = conclude();
    }
    if (fate.verdict != Verdict::kSource || stop_ != Stop::kRestart) return report_live(fate);
    ladder_.restarted();
  }
}

void Mover::begin_call() {
  const MigrationPolicy& policy = shared_->policy;
  say(attempts_ == 1 ? "starting" : "starting again with auto-converge");
  try {
    ask(from_,
        [host = source_, uuid = uuid(), limit = ladder_.downtime()] { host->set_max_downtime(uuid, limit); });
  } catch (const Error& error) {
    call_error_ = error.why();
    return;
  }
  MigrateRequest request{uuid(),
                         to_.peer_uri,
                         policy.bandwidth_bytes_per_second,
                         ladder_.auto_converge(),
                         policy.allow_postcopy,
                         to_.migration_uri,
                         policy.tls};
  for (const DiskCopy& copy : intent_.copies) request.disks.push_back(copy.target);
  wait::Pending<void> call(shared_->wakeup, [host = source_, request] { host->migrate(request); });
  supervise(&call);
}

// When nobody can say any more that the migration will still end by itself.
bool Mover::past_settling() const {
  const Milliseconds settle = shared_->policy.settle;
  if (stop_ != Stop::kNone) return now() >= stop_asked_ + settle;
  return now() >= deadline_ + settle + (postcopy_ ? allowed() : Milliseconds{0});
}

MoveReport Mover::report_live(const MoveFate& fate) {
  switch (fate.verdict) {
    case Verdict::kDone:
      return done();
    case Verdict::kSource: {
      MoveReport report;
      if (stop_ == Stop::kSignal) {
        report = this->report(act::Outcome::kCancelled, "by signal; " + fate.reason);
      } else if (stop_ == Stop::kDeadline) {
        report = this->report(act::Outcome::kCancelled, "not done within its deadline; " + fate.reason);
      } else {
        const std::string why = call_error_.empty() ? "the migration ended by itself" : call_error_;
        report = this->report(act::Outcome::kFailed, why + "; " + fate.reason);
      }
      report.live = true;
      if (last_job_ && last_job_->transferred_bytes + last_job_->disk_transferred_bytes > 0)
        report.transferred_bytes = last_job_->transferred_bytes + last_job_->disk_transferred_bytes;
      return report;
    }
    default:
      return unsettled(fate);
  }
}

void Mover::stop(Stop why) {
  stop_ = why;
  stop_asked_ = now();
}

// Whether the migration is to be ended. In post-copy it cannot be: the guest's memory is on both hosts.
bool Mover::stopping() {
  if (stop_ != Stop::kNone || postcopy_) return stop_ != Stop::kNone;
  if (shared_->cancelled) stop(Stop::kSignal);                            // @rule 10-stop-rolls-back
  if (stop_ == Stop::kNone && now() >= deadline_) stop(Stop::kDeadline);  // @rule 10-deadline
  return stop_ != Stop::kNone;
}

// Asked again until the job is gone: the first request may come before there is a job to abort.
void Mover::request_stop() {
  if (stop_request_ && !stop_request_->ready()) return;
  stop_request_.emplace(shared_->wakeup, [host = source_, uuid = uuid()] { host->abort_job(uuid); });
}

// A switch to post-copy that was refused has not happened: it is pre-copy still, and can be ended.
void Mover::confirm_postcopy() {
  if (!postcopy_request_ || !postcopy_request_->ready()) return;
  try {
    postcopy_request_->get();
  } catch (const Error& error) {
    postcopy_ = false;
    warn_(error.what());
  }
  postcopy_request_.reset();
}

void Mover::observe(const JobStats& job) {
  last_job_ = job;
  confirm_postcopy();
  // After its last page a job shows nothing that still has to be done.
  const bool sending = job.running && job.total_bytes > 0;
  const bool copying = job.running && job.disk_total_bytes > 0;
  say(stop_ != Stop::kNone ? "stopping"
      : postcopy_          ? "post-copy, guest at risk"
      : sending            ? "pre-copy"
      : copying            ? "copying disks"
                           : "preparing");
  if (stop_ != Stop::kNone || postcopy_) return;
  switch (ladder_.observe(job, deadline_ - now())) {
    case MigrationLadder::Step::kNone:
      return;
    case MigrationLadder::Step::kRaiseDowntime:
      warn_(intent_.move.vm + " does not converge: downtime of " + format_duration(ladder_.downtime()) +
            " permitted");
      order_.emplace(shared_->wakeup, [host = source_, uuid = uuid(), limit = ladder_.downtime()] {
        host->set_max_downtime(uuid, limit);
      });
      return;
    case MigrationLadder::Step::kAutoConverge:
      warn_(intent_.move.vm + " does not converge: begun again with its CPUs slowed down");
      stop(Stop::kRestart);
      return;
    case MigrationLadder::Step::kPostcopy:
      warn_(intent_.move.vm + " does not converge: switched to post-copy; until it is over, the loss of " +
            from_.host + " or " + to_.host + " loses the guest");
      postcopy_ = true;
      say("post-copy, guest at risk");
      postcopy_request_.emplace(shared_->wakeup,
                                [host = source_, uuid = uuid()] { host->start_postcopy(uuid); });
      return;
  }
}

// Watches the job until `call` has returned or, without a call, until the job is gone; or until the time is
// over.
void Mover::supervise(wait::Pending<void>* call) {
  const Milliseconds poll = shared_->policy.poll;
  std::optional<wait::Pending<JobStats>> question;
  Milliseconds next_question = now() + poll;
  Milliseconds next_request{0};
  bool job_gone = false;
  const auto over = [&] { return call != nullptr ? call->ready() : job_gone; };
  while (!over() && !past_settling()) {
    if (stopping() && now() >= next_request) {
      request_stop();
      next_request = now() + Milliseconds{500};
    }
    if (question && question->ready()) {
      job_gone = !learn(*question);
      question.reset();
      next_question = now() + poll;
      continue;
    }
    if (!question && now() >= next_question) {
      question.emplace(shared_->wakeup, [host = source_, uuid = uuid()] { return host->job(uuid); });
    }
    Milliseconds until = question ? now() + poll : next_question;
    const bool free_to_stop = stop_ == Stop::kNone && !postcopy_;
    if (free_to_stop) until = std::min(until, deadline_);
    shared_->wakeup->wait_for(until - now(), [&] {
      return over() || (question && question->ready()) || (free_to_stop && shared_->cancelled);
    });
  }
  if (call == nullptr) return;
  if (!call->ready()) {
    call_error_ = "it did not end in time";
    return;
  }
  try {
    call->get();
  } catch (const Error& error) {
    call_error_ = error.why();
  }
}

// What the job's statistics say; false: there is no job any more.
bool Mover::learn(wait::Pending<JobStats>& answer) {
  try {
    const JobStats job = answer.get();
    if (job.running) observe(job);
    return job.running;
  } catch (const virt::VirtError& error) {
    return error.code() != VIR_ERR_NO_DOMAIN && error.code() != VIR_ERR_OPERATION_INVALID;
  } catch (const Error&) {
    return true;  // it does not answer; the deadline decides
  }
}

// Looks until both hosts are in order, or until the time to settle is over.
MoveFate Mover::conclude() {
  const Milliseconds began = now();
  for (;;) {
    const View view = look();
    MoveFate fate = judge(intent_.move, intent_.live, view.source, view.target);
    if (fate.verdict == Verdict::kUnknown) fate.reason = view.error;
    if (fate.verdict == Verdict::kAdopt && view.source->state == VmState::kPostcopy) postcopy_ = true;
    if (!conclude_step(fate, now() - began)) return fate;
    shared_->wakeup->wait_for(shared_->policy.poll, [] { return false; });
  }
}

// What puts the hosts in order, where that is proven to be safe. When it fails, looking again tells what
// there is now.
void Mover::tidy(const MoveFate& fate) {
  try {
    if (fate.verdict == Verdict::kFinish) {
      ask(from_, [host = source_, uuid = uuid()] { host->undefine(uuid); });
    } else {
      ask(to_, [host = target_, uuid = uuid()] { host->discard_incoming(uuid); });
    }
  } catch (const Error& error) {
    warn_(error.what());
  }
}

// True: look again in a moment.
bool Mover::conclude_step(const MoveFate& fate, Milliseconds since) {
  const bool time_left = since < shared_->policy.settle;
  switch (fate.verdict) {
    case Verdict::kFinish:
      tidy(fate);
      return time_left;
    case Verdict::kLeftover:
      // libvirt removes it by itself as soon as it learns of the end; only what it forgot is removed by us.
      say("waiting for " + to_.host + " to drop its copy");
      if (since >= shared_->policy.settle / 2) tidy(fate);  // @rule 10-leftover
      return time_left;
    case Verdict::kInconsistent:
      return fate.passing && time_left;
    case Verdict::kUnknown:
      say("waiting for an answer: " + fate.reason);
      return time_left && !(shared_->cancelled && stop_ == Stop::kNone);
    default:
      return false;
  }
}

// A stopped VM: the definition is written on the target, compared, and only then taken from the source.
MoveReport Mover::move_definition() {
  say("moving the definition");
  try {
    const std::string xml = ask(from_, [host = source_, uuid = uuid()] { return host->definition(uuid); });
    ask(to_, [host = target_, xml] { host->define(xml); });
  } catch (const Error& error) {
    call_error_ = error.why();
  }
  return finish_definition();
}

MoveReport Mover::finish_definition() {
  attempts_ = 1;
  for (;;) {
    const View view = look();
    const MoveFate fate = judge(intent_.move, false, view.source, view.target);
    if (fate.verdict == Verdict::kDone) return done();
    if (fate.verdict == Verdict::kUnknown) return unsettled({Verdict::kUnknown, view.error});
    if (fate.verdict == Verdict::kSource) {
      MoveReport failed = report(act::Outcome::kFailed, call_error_ + "; " + fate.reason);
      failed.live = false;
      return failed;
    }
    if (fate.verdict != Verdict::kFinish) return unsettled(fate);
    if (const std::string why = carry_snapshots(); !why.empty()) {
      call_error_ = why;
      ask(to_, [host = target_, uuid = uuid()] { host->undefine_with_snapshots(uuid); });
      continue;
    }
    const auto describe = [&](const std::shared_ptr<Hypervisor>& host, const MigrationHost& of) {
      return ask(of, [host, uuid = uuid()] { return host->describe(uuid); });
    };
    const VmDescription there = describe(target_, to_);
    const VmDescription here = describe(source_, from_);
    const auto same_disk = [](const VmDisk& a, const VmDisk& b) {
      return a.target == b.target && a.source == b.source;
    };
    // @rule 10-definition-compared
    if (there.machine != here.machine || there.arch != here.arch || there.snapshots != here.snapshots ||
        view.source->memory_bytes != view.target->memory_bytes ||
        !std::equal(there.disks.begin(), there.disks.end(), here.disks.begin(), here.disks.end(),
                    same_disk)) {
      return unsettled(
          {Verdict::kInconsistent, "the definitions on " + from_.host + " and " + to_.host + " differ"});
    }
    ask(from_, [host = source_, uuid = uuid()] { host->undefine_with_snapshots(uuid); });
  }
}

// What libvirt knows of the snapshots is defined on the target, too; their files are where both hosts see
// them. Why the target does not take one; empty: it has them all.
std::string Mover::carry_snapshots() {
  for (const auto& snapshot : ask(from_, [host = source_, uuid = uuid()] { return host->snapshots(uuid); })) {
    try {
      ask(to_, [host = target_, uuid = uuid(), snapshot] { host->redefine(uuid, snapshot); });
    } catch (const virt::VirtError& error) {
      return to_.host + " does not take its snapshot " + snapshot.name + ": " + error.why();
    }
  }
  return {};
}

}  // namespace rackline::migrate
