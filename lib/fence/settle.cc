// SPDX-License-Identifier: Apache-2.0
// What became of the fencings that a killed run left open.
#include "base/error.h"
#include "fence/engine.h"

namespace rackline::fence {

using Outcome = FenceReport::Outcome;

void FenceEngine::settle() {
  if (policy_.dry_run) return;
  std::vector<store::Unread> unreadable;
  const bool none = journal_.open(&unreadable).empty();
  for (const auto& entry : unreadable) warn_once(entry.why);
  if (none) return;
  const auto lock = take_lock(world_.time.clock.monotonic() + policy_.lock_patience, world_.stopping);
  // Whoever holds it is alive, and what is open is its own.
  if (!lock) throw Error(Status::kBusy, "settle what is open", "the journal", "another fence is at work");
  for (const auto& open : journal_.open()) {
    FenceReport base;
    base.id = open.id;
    base.cause = open.cause;
    base.host = open.host;
    const bmc::Life life = signs_.since_now(open.host);
    const auto run = [this, open, life](FenceReport report) {
      try {
        return settle_one(report, open, life);
      } catch (const std::exception& error) {
        return failed(report, error.what());  // with what was read
      }
    };
    queue_.submit({base, run, life});
  }
}

FenceReport FenceEngine::settle_one(FenceReport& report, const FenceJournal::Open& open,
                                    const bmc::Life& life) {
  report.id = open.id;  // also when it is looked at again
  const auto lock = take_lock(world_.time.clock.monotonic() + policy_.lock_patience, world_.stopping);
  if (!lock) return without_lock(report, world_.stopping());
  const auto methods = world_.methods.find(report.host);
  if (methods == world_.methods.end()) {
    journal_.end(report.id, report.host, "failed");
    return failed(report, "interrupted, and it is not in the inventory any more");
  }
  // Twice, as always when something is to be proven.
  bmc::PowerDriver driver(world_.power, world_.time);
  auto reading = driver.read(methods->second, policy_.deadline / 2);
  if (reading.power == bmc::Power::kOff) reading = driver.read(methods->second, policy_.deadline / 2);
  report.power.method = reading.method;
  report.power.after = reading.power;
  const auto mark = cluster::fence_mark(world_.store, report.host);
  // A later fencing has its own proof, and its VMs were started because of that one.
  const bool marked = mark && mark->state == cluster::FenceMark::State::kFenced &&
                      (mark->id == open.id || mark->time > open.begun);
  // The watcher's first word on it may come while its power is read.
  if (life() > 0 && !marked) {  // @rule 21-left-open
    journal_.end(open.id, open.host, "withdrawn");
    return withdrawn(report);
  }
  // A person may have shut it down in order, and may be inside it.
  const auto objection = announced(report.host);
  if (!marked && !objection.why.empty()) {  // @rule 01-maintenance-settled, 24-disarmed-settled
    // What stays open is looked at again when the cluster is armed.
    report.disarmed = objection.by == Objecting::kDisarmed;
    if (!report.disarmed) journal_.end(open.id, open.host, "failed");
    return with(report, Outcome::kRefused, "interrupted, and " + objection.why);
  }
  if (reading.power == bmc::Power::kOff) {  // @rule 12-fence-world-first: true
    report.power.proven = true;
    report.power.evidence =
        reading.method + ": an interrupted run had begun to switch it off; read off twice since";
    if (marked) report.id = mark->id;
    if (!marked) set_mark(report);
    report.already = marked;
    journal_.end(open.id, open.host, "fenced");
    return with(report, Outcome::kFenced, "");
  }
  if (reading.power == bmc::Power::kOn) {  // @rule 12-fence-stays-open: true
    journal_.end(open.id, open.host, "failed");
    return failed(report, "interrupted, and it is on: fence it anew if it is still down");
  }
  return failed(report,
                "interrupted, and its power cannot be read (" + reading.why + "): repeat fence --resume");
}

}  // namespace rackline::fence
