// SPDX-License-Identifier: Apache-2.0
#include "failover/recovery_start.h"

#include <algorithm>
#include <thread>

#include "base/error.h"

namespace rackline::failover {
namespace {

using Outcome = StartReport::Outcome;

// libvirt's own words, as one line. QEMU puts what a lock is about into the middle of a long message.
std::string words_of(const Error& error) {
  std::string words = error.why();
  std::replace(words.begin(), words.end(), '\n', ' ');
  for (const char* about_locks : {"\" lock", "state change lock", "ockspace", "virtlock", "acquire lock"}) {
    if (words.find(about_locks) == std::string::npos) continue;
    const bool of_job = std::string_view(about_locks) == "state change lock";
    return (of_job ? "another job holds it: " : "a lock on its disk is held elsewhere: ") + words;
  }
  return words;
}

// Whether the other side may still be at work on what failed.
bool uncertain(const Error& error) {
  return error.status() == Status::kTimeout || error.status() == Status::kUnreachable;
}

}  // namespace

StartReport Starter::run(const StartOrder& order) {
  StartReport report;
  begun_ = clock_.monotonic();
  deadline_ = begun_ + policy_.verify_timeout;
  Begun begun = begin(order, report);
  if (begun == Begun::kNot || (begun == Begun::kFailed && report.outcome == Outcome::kUnknown)) return report;
  if (begun != Begun::kFailed && await_running(order, begun, report)) {
    await_check(order, report);
  }
  if (report.outcome == Outcome::kFailed) clean_up(order, begun, report);  // @rule 10-failed-start
  if (report.outcome == Outcome::kUnknown) return report;
  // The place first: with the result the start is history, and nobody would correct the place any more.
  if (report.outcome != Outcome::kFailed) settle_host(store_, order.vm.vm, order.intent.to, clock_.wall());
  const char* const outcome = report.outcome == Outcome::kFailed ? "failed" : "done";
  journal_.result(order.intent.id, {outcome, order.intent.to, report.reason});
  return report;
}

std::optional<migrate::VmFacts> Starter::look(const StartOrder& order) {
  try {
    return ask(order.intent.to, policy_.timeout,
               [host = host_, vm = order.vm.vm, uuid = order.vm.uuid] { return host->look(vm, uuid); });
  } catch (const Error&) {
    return std::nullopt;
  }
}

Starter::Begun Starter::begin(const StartOrder& order, StartReport& report) {
  const std::string& to = order.intent.to;
  const auto before = look(order);
  if (!before) {
    // By this run nothing has been done there yet.
    if (order.intent_open) report.outcome = Outcome::kUnknown;
    report.reason = to + " does not answer";
    return Begun::kNot;
  }
  if (!order.intent_open)  // @rule 12-start-intent
    journal_.intent(order.intent.id, order.intent);
  if (before->present() && before->state != migrate::VmState::kShutoff) return Begun::kRunning;
  if (order.verify_only) {
    report.reason = "it has ended";
    return Begun::kFailed;
  }
  ours_ = order.intent_open || !before->present();
  try {
    ask(to, policy_.timeout, [host = host_, xml = order.vm.xml] { host->define(xml); });
  } catch (const Error& error) {
    report.reason = words_of(error);
    if (uncertain(error)) report.outcome = Outcome::kUnknown;
    return Begun::kFailed;
  }
  if (lock_.lost()) {  // @rule 01-lock-lost
    throw Error(Status::kBusy, "start", order.vm.vm, "the lock of the store was lost",
                "another failover may start it");
  }
  begun_ = clock_.monotonic();
  call_.emplace(wakeup_, [host = host_, uuid = order.vm.uuid] { host->start(uuid); });
  wakeup_->wait_for(left(), [this] { return call_->ready(); });
  return answer(report);
}

Starter::Begun Starter::answer(StartReport& report) {
  if (!call_->ready()) {
    report.reason = "the start has no answer";
    return Begun::kUncertain;
  }
  auto call = std::move(*call_);
  call_.reset();
  try {
    call.get();
    return Begun::kStarted;
  } catch (const Error& error) {
    report.reason = words_of(error);
    return uncertain(error) ? Begun::kUncertain : Begun::kFailed;
  }
}

// Whether it was seen running; else the report says what it is.
bool Starter::await_running(const StartOrder& order, Begun& begun, StartReport& report) {
  const std::string& to = order.intent.to;
  Milliseconds patience = deadline_;
  if (begun == Begun::kUncertain) patience = clock_.monotonic() + policy_.settle;
  bool seen = false;
  for (;;) {
    const auto now = look(order);
    seen = now.has_value();
    if (seen && now->state == migrate::VmState::kRunning) {
      report.reason.clear();
      if (begun != Begun::kRunning) report.start = clock_.monotonic() - begun_;
      return true;
    }
    const bool off = seen && (!now->present() || now->state == migrate::VmState::kShutoff);
    if (off && begun == Begun::kFailed) return false;
    if (off && begun != Begun::kUncertain) {
      report.reason = "it ended at once";
      return false;
    }
    if (clock_.monotonic() >= patience) {
      // Off, and nothing of ours is under way there: clean_up() makes sure that nothing comes of it any more.
      if (off && !call_) return false;  // @rule 01-start-without-answer: true
      break;
    }
    // A call that hung has an answer now: off is to be seen after it.
    if (begun == Begun::kUncertain && call_ && call_->ready()) {
      begun = answer(report);
      continue;
    }
    std::this_thread::sleep_for(policy_.poll);
  }
  report.outcome = begun == Begun::kUncertain || !seen ? Outcome::kUnknown : Outcome::kStuck;
  if (report.outcome == Outcome::kStuck) {
    report.reason = "it is on " + to + " and does not run: it is paused, or its guest has crashed";
  } else if (!seen) {
    report.reason = to + " does not answer any more" + (report.reason.empty() ? "" : ": " + report.reason);
  }
  if (report.outcome == Outcome::kUnknown) call_person(order, report);
  return false;
}

// A connection that gets no answer is tried anew soon, as the guest may just bring its network up; a page may
// take longer. That it cannot be asked is no answer: what was started runs.
probe::Answer Starter::ask_check(const probe::Check& check) const try {
  const Milliseconds most{std::holds_alternative<probe::Http>(check) ? 5000 : 1000};
  return probe_(check, std::clamp(left(), Milliseconds{1}, most));
} catch (const Error& error) {
  return {false, error.what()};
}

void Starter::await_check(const StartOrder& order, StartReport& report) {
  report.outcome = Outcome::kDone;
  const auto check = order.vm.check ? parse_check(*order.vm.check) : std::nullopt;
  if (!check) return;
  std::string why;
  while (!report.checked && left() > Milliseconds{0}) {
    const auto answer = ask_check(*check);
    report.checked = answer.ok;
    why = answer.why;
    if (!report.checked)
      std::this_thread::sleep_for(std::min(policy_.poll, std::max(left(), Milliseconds{0})));
  }
  if (report.checked) return;
  const auto now = look(order);
  if (now && (!now->present() || now->state == migrate::VmState::kShutoff)) {
    report.outcome = Outcome::kFailed;
    report.reason = "it ended soon after its start";
    return;
  }
  report.check_silent = true;
  report.reason =
      "its check " + *order.vm.check + " did not answer in time" + (why.empty() ? "" : ": " + why);
}

void Starter::clean_up(const StartOrder& order, Begun begun, StartReport& report) {
  // A start that went on without us may still be under way, whatever a later one was told. What has no
  // definition cannot be started by it any more.
  const bool doubt = (order.intent_open && !order.verify_only) ||  // @rule 01-earlier-start
                     begun == Begun::kUncertain;
  const auto unknown = [&] {
    report.outcome = Outcome::kUnknown;
    call_person(order, report);
  };
  const auto now = look(order);
  // Whether it runs there is not known, whatever the start itself said.
  if (!now) return unknown();
  if (now->present() && !ours_ && doubt) return unknown();
  if (!now->present()) return;
  if (!ours_) return;  // @rule 16-definition-not-ours
  if (now->state != migrate::VmState::kShutoff) {
    report.outcome = Outcome::kStuck;
    report.reason += "; it is on " + order.intent.to + " all the same";
    return;
  }
  try {
    ask(order.intent.to, policy_.timeout, [host = host_, uuid = order.vm.uuid] { host->undefine(uuid); });
  } catch (const Error& error) {
    report.reason += std::string("; its definition is left there: ") + words_of(error);
    if (doubt) return unknown();
  }
  if (!doubt) return;
  if (const auto after = look(order); !after || after->present()) unknown();  // @rule 01-definition-read-back
}

void Starter::call_person(const StartOrder& order, StartReport& report) {
  const std::string& to = order.intent.to;
  report.reason = "a start on " + to + " has not come to an end (" + report.reason +
                  "), and it may still run there: it is started nowhere else until " + to + " is fenced";
}

}  // namespace rackline::failover
