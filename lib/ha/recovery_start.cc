// SPDX-License-Identifier: Apache-2.0
#include "ha/recovery_start.h"

#include <algorithm>
#include <thread>

#include "base/error.h"
#include "store/document.h"

namespace rackline::ha {
namespace {

using store::Json;
using Outcome = StartReport::Outcome;

std::string result_document(const StartOrder& order, const StartReport& report) {
  const Json document = {{"outcome", report.outcome == Outcome::kFailed ? "failed" : "done"},
                         {"to", order.intent.to},
                         {"reason", report.reason}};
  return store::dump(document);
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
  const Begun begun = begin(order, report);
  if (begun == Begun::kNot || (begun == Begun::kFailed && report.outcome == Outcome::kUnknown)) return report;
  if (begun != Begun::kFailed && await_running(order, begun, report)) {
    await_check(order, report);
  }
  if (report.outcome == Outcome::kFailed) clean_up(order, report);
  if (report.outcome == Outcome::kUnknown) return report;
  // The place first: with the result the start is history, and nobody would correct the place any more.
  if (report.outcome != Outcome::kFailed) settle_host(store_, order.vm.vm, order.intent.to);
  journal_.result(order.intent.id, result_document(order, report));
  return report;
}

std::optional<virt::VmFacts> Starter::look(const StartOrder& order) {
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
  if (!order.intent_open) journal_.intent(order.intent.id, document_of(order.intent));
  if (before->present() && before->state != virt::VmState::kShutoff) return Begun::kRunning;
  if (order.verify_only) {
    report.reason = "it has ended on " + to;
    return Begun::kFailed;
  }
  ours_ = order.intent_open || !before->present();
  try {
    ask(to, policy_.timeout, [host = host_, xml = order.vm.xml] { host->define(xml); });
  } catch (const Error& error) {
    report.reason = error.what();
    if (uncertain(error)) report.outcome = Outcome::kUnknown;
    return Begun::kFailed;
  }
  if (lock_.lost()) {
    throw Error(Status::kBusy, "start", order.vm.vm, "the lock of the store was lost",
                "another failover may start it");
  }
  begun_ = clock_.monotonic();
  try {
    ask(to, left(), [host = host_, uuid = order.vm.uuid] { host->start(uuid); });
  } catch (const Error& error) {
    report.reason = error.what();
    return uncertain(error) ? Begun::kUncertain : Begun::kFailed;
  }
  return Begun::kStarted;
}

// Whether it was seen running; else the report says what it is.
bool Starter::await_running(const StartOrder& order, Begun begun, StartReport& report) {
  const std::string& to = order.intent.to;
  Milliseconds patience = deadline_;
  if (begun == Begun::kUncertain) patience = clock_.monotonic() + policy_.settle;
  bool seen = false;
  for (;;) {
    const auto now = look(order);
    seen = now.has_value();
    if (seen && now->state == virt::VmState::kRunning) {
      report.reason.clear();
      if (begun != Begun::kRunning) report.start = clock_.monotonic() - begun_;
      return true;
    }
    const bool off = seen && (!now->present() || now->state == virt::VmState::kShutoff);
    if (off && begun != Begun::kUncertain) {
      report.reason = "it ended at once on " + to;
      return false;
    }
    if (clock_.monotonic() >= patience) break;
    std::this_thread::sleep_for(policy_.poll);
  }
  report.outcome = begun == Begun::kUncertain || !seen ? Outcome::kUnknown : Outcome::kStuck;
  if (report.outcome == Outcome::kStuck) {
    report.reason = "it is on " + to + " and does not run: it is paused, or its guest has crashed";
  } else if (report.reason.empty()) {
    report.reason = to + " does not answer any more";
  }
  return false;
}

void Starter::await_check(const StartOrder& order, StartReport& report) {
  report.outcome = Outcome::kDone;
  const auto check = order.vm.check ? parse_check(*order.vm.check) : std::nullopt;
  if (!check) return;
  while (!report.checked && left() > Milliseconds{0}) {
    report.checked = probe_(*check, std::clamp(left(), Milliseconds{1}, Milliseconds{1000}));
    if (!report.checked)
      std::this_thread::sleep_for(std::min(policy_.poll, std::max(left(), Milliseconds{0})));
  }
  if (report.checked) return;
  const auto now = look(order);
  if (now && (!now->present() || now->state == virt::VmState::kShutoff)) {
    report.outcome = Outcome::kFailed;
    report.reason = "it ended on " + order.intent.to + " soon after its start";
    return;
  }
  report.check_silent = true;
  report.reason = "its check " + *order.vm.check + " did not answer in time";
}

void Starter::clean_up(const StartOrder& order, StartReport& report) {
  const auto now = look(order);
  if (!now) {
    // Whether it runs there is not known, whatever the start itself said.
    report.outcome = Outcome::kUnknown;
    return;
  }
  if (!now->present() || !ours_) return;
  if (now->state != virt::VmState::kShutoff) {
    report.outcome = Outcome::kStuck;
    report.reason += "; it is on " + order.intent.to + " all the same";
    return;
  }
  try {
    ask(order.intent.to, policy_.timeout, [host = host_, uuid = order.vm.uuid] { host->undefine(uuid); });
  } catch (const Error& error) {
    report.reason += std::string("; its definition is left there: ") + error.what();
  }
}

}  // namespace rackline::ha
