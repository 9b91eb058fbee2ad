// SPDX-License-Identifier: Apache-2.0
#include "cluster/drain.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/fd.h"
#include "record/kinds_capacity.h"
#include "record/kinds_migration.h"
#include "record/kinds_planning.h"
#include "record/reader.h"

namespace rackline::cluster {
namespace {

using Outcome = DrainReport::Outcome;

constexpr Milliseconds kAgain{2000};  // before asking a migrate that is at work again
constexpr int kBusyRounds = 900;

int status_of(Status status) {
  return static_cast<int>(status);
}

// Calls `take` with the reader at each record of a program's output.
void each_record(const std::string& text, const std::string& source,
                 const std::function<void(record::Reader&)>& take) {
  const Fd file(memfd_create("records", MFD_CLOEXEC));
  if (!file) throw system_error(Status::kUnreachable, "keep the output of", source);
  for (std::size_t done = 0; done < text.size();) {
    const auto wrote = write(file.get(), text.data() + done, text.size() - done);
    if (wrote < 0) throw system_error(Status::kUnreachable, "keep the output of", source);
    done += static_cast<std::size_t>(wrote);
  }
  lseek(file.get(), 0, SEEK_SET);
  record::Reader reader(file.get(), source, record::Policy::kSkip, {});
  while (reader.next()) take(reader);
}

struct Seen {
  bool up = false;
  std::vector<std::string> vms;  // on the host, running or not
};

Seen seen_on(const std::string& host, const std::string& facts) {
  Seen seen;
  each_record(facts, "capwatch", [&](record::Reader& reader) {
    if (record::HostSample sample; reader.is<record::HostSample>()) {
      if (reader.read(sample) && sample.host == host) seen.up = sample.state == "up";
    } else if (record::VmSample vm; reader.is<record::VmSample>()) {
      if (reader.read(vm) && vm.host == host) seen.vms.push_back(vm.vm);
    }
  });
  std::sort(seen.vms.begin(), seen.vms.end());
  return seen;
}

// The last line of what a program said, for a reason.
std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const auto start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

std::string first_reason(const std::string& plan) {
  std::string reason;
  each_record(plan, "capplan", [&](record::Reader& reader) {
    record::VmUnplaced unplaced;
    if (reason.empty() && reader.is<record::VmUnplaced>() && reader.read(unplaced))
      reason = unplaced.vm + ": " + unplaced.reason;
  });
  return reason;
}

// Why a plan does not empty the host.
std::string why_stuck(const std::string& plan, const std::string& err) {
  auto reason = first_reason(plan);
  if (reason.empty()) reason = last_line(err);
  return reason.empty() ? "nothing more can be moved" : reason;
}

}  // namespace

const char* name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
      return "done";
    case Outcome::kAlready:
      return "already";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kInterrupted:
      return "interrupted";
    case Outcome::kUnreachable:
    case Outcome::kFailed:
      break;
  }
  return "failed";
}

std::string Drain::look(const std::string& window) {
  auto ran = world_.run({"capwatch", "--window", window}, "");
  if (ran.status != 0) throw Error(Status::kUnreachable, "see the hosts", "capwatch", last_line(ran.err));
  return std::move(ran.out);
}

Drain::Ran Drain::plan(const DrainRequest& request, const std::string& facts) {
  std::vector<std::string> argv{"capplan"};
  if (request.force) argv.emplace_back("--force");
  argv.insert(argv.end(), {"evacuate", request.host});
  return world_.run(argv, facts);
}

// Why the host may not be drained; empty when it may.
std::string Drain::objection(const std::string& host) const {
  const auto now = world_.clock.wall();
  const auto own = host_status(world_.store, host, now);
  // Unknown without a verdict of heartbeat: a mark of it cannot be read, and would be in the way afterwards.
  const bool broken = own.state == HostState::kUnknown && own.verdict.empty();
  if (own.state == HostState::kFenced || own.state == HostState::kReturning || broken) return why_not(own);
  const auto others = host_statuses(world_.store, now);
  const bool last = std::none_of(world_.hosts.begin(), world_.hosts.end(), [&](const std::string& other) {
    return other != host && !others.contains(other);
  });
  return last ? "no other host serves: there is nowhere to go" : "";
}

DrainReport Drain::run(const DrainRequest& request) {
  if (std::find(world_.hosts.begin(), world_.hosts.end(), request.host) == world_.hosts.end())
    throw Error(Status::kUsage, "drain", request.host, "it is not in the inventory");
  DrainReport report;
  report.outcome = Outcome::kRefused;
  report.reason = objection(request.host);
  if (!report.reason.empty()) return report;
  if (request.dry_run) return plan_only(request);
  const auto lock = world_.store.try_lock("drain");
  if (!lock) throw Error(Status::kBusy, "drain", request.host, "another drain is at work");
  // Looked at again under the lock: another drain may have taken the last host that served.
  report.reason = objection(request.host);
  if (!report.reason.empty()) return report;
  return empty_it(request);
}

DrainReport Drain::plan_only(const DrainRequest& request) {
  DrainReport report;
  const auto facts = look();
  report.left = seen_on(request.host, facts).vms;
  const auto planned = plan(request, facts);
  each_record(planned.out, "capplan", [&](record::Reader& reader) { world_.pass(reader); });
  report.outcome = planned.status == 0                             ? Outcome::kDone
                   : planned.status == status_of(Status::kRefused) ? Outcome::kRefused
                                                                   : Outcome::kFailed;
  if (planned.status != 0) report.reason = why_stuck(planned.out, planned.err);
  return report;
}

// Marks the host, or takes over what this request says of one that is marked already. True when it is in
// maintenance.
bool Drain::begin(const DrainRequest& request) {
  const auto now = world_.clock.wall();
  const auto change = [&](auto mark) {
    if (!request.reason.empty()) mark.reason = request.reason;
    if (request.until) mark.until = request.until;
    mark.by = request.by;
    put(world_.store, mark);
  };
  if (const auto mark = maintenance_mark(world_.store, request.host); mark && mark->holds(now)) {
    if (!request.reason.empty() || request.until) change(*mark);
    return true;
  }
  const auto mark = drain_mark(world_.store, request.host);
  change(mark && mark->holds(now) ? *mark : DrainMark{.host = request.host, .reason = "", .time = now});
  return false;
}

// Why the host is not to be emptied any more; empty while it is.
std::string Drain::taken_back(const std::string& host, bool in_maintenance) const {
  const auto now = world_.clock.wall();
  const auto gone = [&](const auto& mark) -> std::string {
    if (!mark) return "it was taken back meanwhile (rackline undrain)";
    return mark->holds(now) ? "" : "its --until has come: it serves again";
  };
  return in_maintenance ? gone(maintenance_mark(world_.store, host)) : gone(drain_mark(world_.store, host));
}

// The host is empty. False when the drain was taken back.
bool Drain::end_in_maintenance(const DrainRequest& request) {
  const auto mark = drain_mark(world_.store, request.host);
  if (!mark || !mark->holds(world_.clock.wall())) return false;
  put(world_.store,
      MaintenanceMark{mark->host, mark->reason, world_.clock.wall(), mark->by, mark->until, true});
  remove_drain(world_.store, request.host);
  return true;
}

DrainReport Drain::empty_it(const DrainRequest& request) {
  DrainReport report;
  // Nothing is marked before it is known that the host can be emptied at all.
  if (!seen_on(request.host, look("0")).up) {
    report.outcome = Outcome::kUnreachable;
    report.reason = "it does not answer";
    return report;
  }
  const bool was_draining = drain_mark(world_.store, request.host).has_value();
  const bool was_in_maintenance = begin(request);
  const auto finish = [&](Outcome outcome, std::string reason) {
    report.outcome = outcome;
    report.reason = std::move(reason);
    return report;
  };
  const auto count = [&](const Ran& moved) {
    each_record(moved.out, "migrate", [&](record::Reader& reader) {
      record::VmMoved result;
      if (!reader.is<record::VmMoved>()) return;
      world_.pass(reader);
      if (!reader.read(result) || result.from != request.host) return;
      if (result.outcome != "done" && result.outcome != "already") return;
      ++report.moved;
      std::erase(report.left, result.vm);
    });
  };
  // What a drain that was killed has begun gets its result, or nobody else could move that VM any more.
  if (was_draining || was_in_maintenance) count(world_.run({"migrate", "--resume"}, ""));
  for (int busy = 0;;) {
    if (world_.stopping()) return finish(Outcome::kInterrupted, "repeat the command to go on");
    const auto facts = look();
    const auto seen = seen_on(request.host, facts);
    report.left = seen.vms;
    // Of a host that does not answer nothing is seen, which is not the same as that it is empty.
    if (!seen.up) return finish(Outcome::kFailed, "it does not answer any more; it stays draining");
    if (const auto over = taken_back(request.host, was_in_maintenance); !over.empty())
      return finish(Outcome::kInterrupted, over);
    if (seen.vms.empty()) {
      if (auto mark = maintenance_mark(world_.store, request.host); mark && !mark->empty) {
        mark->empty = true;
        put(world_.store, *mark);
      }
      if (!was_in_maintenance && !end_in_maintenance(request))
        return finish(Outcome::kInterrupted, taken_back(request.host, false));
      return finish(was_in_maintenance && report.moved == 0 ? Outcome::kAlready : Outcome::kDone, "");
    }
    const auto planned = plan(request, facts);
    if (planned.status == status_of(Status::kRefused)) {
      // Nothing is half done: what this run has marked and not begun, it takes back.
      if (report.moved == 0 && !was_draining && !was_in_maintenance) remove_drain(world_.store, request.host);
      return finish(Outcome::kRefused, last_line(planned.err));
    }
    if (world_.stopping()) continue;
    const auto moved = world_.run({"migrate"}, planned.out);
    if (moved.status == status_of(Status::kBusy) && ++busy <= kBusyRounds) {
      world_.sleep(kAgain);  // one that a killed drain has left behind, or a plan of somebody else
      continue;
    }
    ++report.rounds;
    const auto before = report.moved;
    count(moved);
    // A migrate that was stopped need not have moved any.
    if (report.moved > before || world_.stopping()) continue;
    report.left = seen_on(request.host, look()).vms;
    if (report.left.empty()) continue;
    return finish(Outcome::kFailed, why_stuck(planned.out, moved.err.empty() ? planned.err : moved.err));
  }
}

}  // namespace rackline::cluster
