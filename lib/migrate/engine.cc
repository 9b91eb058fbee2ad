// SPDX-License-Identifier: Apache-2.0
#include "migrate/engine.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <variant>

#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "migrate/journal.h"
#include "migrate/mover.h"
#include "migrate/schedule.h"

namespace rackline::migrate {
namespace {

struct Event {
  std::size_t move = 0;
  std::variant<MoveReport, MoveProgress, std::string> what;  // the string is a warning
};

// What movers tell the thread that runs the engine; readable on a descriptor, so that it can wait for
// signals, too.
class Events {
 public:
  Events() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_) throw system_error(Status::kUnreachable, "wait for migrations", "eventfd");
  }
  void post(Event event) {
    const std::lock_guard guard(mutex_);
    queue_.push_back(std::move(event));
    eventfd_write(fd_.get(), 1);
  }
  std::deque<Event> take() {
    const std::lock_guard guard(mutex_);
    eventfd_t count = 0;
    eventfd_read(fd_.get(), &count);
    return std::exchange(queue_, {});
  }
  // Until there is an event or, when `interruptible`, a stop is asked for.
  void wait(bool interruptible) const {
    std::array<pollfd, 2> watched{
        {{fd_.get(), POLLIN, 0}, {interruptible ? interrupt::fd() : -1, POLLIN, 0}}};
    if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
      throw system_error(Status::kUnreachable, "wait for migrations", "poll");
    }
  }

 private:
  Fd fd_;
  std::mutex mutex_;
  std::deque<Event> queue_;
};

// One run of a plan.
class Run {
 public:
  Run(std::shared_ptr<MoveShared> shared, const std::map<std::string, MigrationHost>& hosts,
      std::map<std::string, std::shared_ptr<Hypervisor>> open, const MigrationEngine::Hooks& hooks,
      std::vector<Move> moves)
      : shared_(std::move(shared)),
        hosts_(hosts),
        open_(std::move(open)),
        hooks_(hooks),
        schedule_(std::move(moves), hosts, shared_->policy) {}

  ~Run() {
    shared_->cancelled = true;
    shared_->wakeup->notify();
    for (auto& [move, thread] : threads_) thread.join();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  MigrationEngine::Summary go() {
    while (!schedule_.over() || !threads_.empty()) {
      if (interrupt::requested() && !shared_->cancelled) cancel();
      start_ready();
      if (threads_.empty()) continue;
      events_.wait(!shared_->cancelled);
      for (Event& event : events_.take()) handle(event);
    }
    return summary_;
  }

  void settle(std::size_t move, const MoveReport& report) {
    switch (report.outcome) {
      case MoveOutcome::kDone:
        ++summary_.done;
        break;
      case MoveOutcome::kAlready:
        ++summary_.already;
        break;
      case MoveOutcome::kRefused:
        ++summary_.refused;
        break;
      case MoveOutcome::kFailed:
        ++summary_.failed;
        break;
      case MoveOutcome::kCancelled:
        ++summary_.cancelled;
        break;
      case MoveOutcome::kUnknown:
        ++summary_.unknown;
        break;
    }
    summary_.inconsistent |= report.inconsistent;
    hooks_.finished(schedule_.move(move), report);
  }

  void refuse(std::size_t move, const std::string& reason) {
    finish(move, reported(MoveOutcome::kRefused, reason));
  }

 private:
  MoveReport reported(MoveOutcome outcome, const std::string& reason) const {
    MoveReport report;
    report.outcome = outcome;
    report.reason = reason;
    report.planned = shared_->policy.dry_run;
    return report;
  }

  void finish(std::size_t move, const MoveReport& report) {
    schedule_.finish(move, report.outcome == MoveOutcome::kDone || report.outcome == MoveOutcome::kAlready);
    settle(move, report);
    for (const auto& dependant : schedule_.refused()) {
      settle(dependant.move, reported(MoveOutcome::kRefused, dependant.reason));
    }
  }

  void cancel() {
    shared_->cancelled = true;
    shared_->wakeup->notify();
    for (const std::size_t move : schedule_.give_up())
      settle(move, reported(MoveOutcome::kCancelled, "not begun"));
  }

  void start_ready() {
    for (const std::size_t index : schedule_.begin()) {
      const Move& move = schedule_.move(index);
      Mover mover(
          shared_, move, hosts_.at(move.from), hosts_.at(move.to), open_.at(move.from), open_.at(move.to),
          [this, index](const MoveProgress& progress) {
            events_.post({index, progress});
          },
          [this, index](const std::string& warning) {
            events_.post({index, warning});
          });
      threads_.emplace(index, std::thread([this, index, mover = std::move(mover)]() mutable {
                         events_.post({index, mover.run()});
                       }));
    }
  }

  void handle(Event& event) {
    if (const auto* progress = std::get_if<MoveProgress>(&event.what)) {
      hooks_.progress(schedule_.move(event.move), *progress);
    } else if (const auto* warning = std::get_if<std::string>(&event.what)) {
      hooks_.warn(*warning);
    } else {
      threads_.at(event.move).join();
      threads_.erase(event.move);
      finish(event.move, std::get<MoveReport>(event.what));
    }
  }

  std::shared_ptr<MoveShared> shared_;
  const std::map<std::string, MigrationHost>& hosts_;
  std::map<std::string, std::shared_ptr<Hypervisor>> open_;
  const MigrationEngine::Hooks& hooks_;
  MigrationSchedule schedule_;
  Events events_;
  std::map<std::size_t, std::thread> threads_;
  MigrationEngine::Summary summary_;
};

using Hypervisors = std::map<std::string, std::shared_ptr<Hypervisor>>;

}  // namespace

MigrationEngine::MigrationEngine(MigrationPolicy policy, std::map<std::string, MigrationHost> hosts,
                                 HypervisorFactory open, store::Journal& journal, const Clock& clock,
                                 Hooks hooks)
    : policy_(policy),
      hosts_(std::move(hosts)),
      open_(std::move(open)),
      journal_(journal),
      clock_(clock),
      hooks_(std::move(hooks)) {}

std::vector<Move> MigrationEngine::open_moves() {
  std::vector<Move> moves;
  for (const auto& item : journal_.open()) {
    moves.push_back(intent_of(item).move);
    moves.back().stage = 1;
  }
  return moves;
}

// Moves that are wrong whatever the world says, with the reason.
std::map<std::size_t, std::string> MigrationEngine::objections(const std::vector<Move>& moves) {
  std::map<std::size_t, std::string> wrong;
  std::set<std::string> ids;
  std::set<std::pair<std::int64_t, std::string>> vms;
  std::map<std::string, std::string> unresolved;  // VM to the id of its open intent
  for (const auto& item : journal_.open()) unresolved[intent_of(item).move.vm] = item.id;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    const Move& move = moves[i];
    if (!ids.insert(move.id).second) {
      throw Error(Status::kUsage, "read the plan", "id " + move.id, "two decisions have it");
    }
    const auto open = unresolved.find(move.vm);
    if (hosts_.count(move.from) == 0) {
      wrong[i] = "host " + move.from + " is not in the inventory";
    } else if (hosts_.count(move.to) == 0) {
      wrong[i] = "host " + move.to + " is not in the inventory";
    } else if (move.from == move.to) {
      wrong[i] = "its source is its target";
    } else if (!vms.emplace(move.stage, move.vm).second) {
      wrong[i] = "another move of the same stage has the same VM";
    } else if (open != unresolved.end() && open->second != move.id) {
      wrong[i] = "an earlier move of it (" + open->second + ") has no result; run migrate --resume first";
    }
  }
  return wrong;
}

MigrationEngine::Summary MigrationEngine::run(const std::vector<Move>& moves) {
  const auto wrong = objections(moves);
  auto shared =
      std::make_shared<MoveShared>(policy_, clock_, policy_.dry_run ? nullptr : &journal_, hooks_.why_closed);
  auto open = std::make_shared<Hypervisors>();
  for (std::size_t i = 0; i < moves.size(); ++i) {
    if (wrong.count(i) != 0) continue;
    for (const auto& name : {moves[i].from, moves[i].to}) {
      if (open->count(name) != 0) continue;
      const auto host = open_(hosts_.at(name));
      open->emplace(name, host);
      // All hosts at once and ahead of the moves; what fails here fails again where it is needed and is told
      // there.
      const wait::Pending<void> ahead(shared->wakeup, [host] { host->connect(); });
    }
  }
  Summary summary;
  {
    Run run(shared, hosts_, *open, hooks_, moves);
    for (const auto& [move, reason] : wrong) run.refuse(move, reason);
    summary = run.go();
  }
  // Closing a connection waits for the host; one that hangs is left behind.
  const wait::Pending<void> closing(shared->wakeup,
                                    [closed = std::exchange(open, nullptr)]() mutable { closed.reset(); });
  shared->wakeup->wait_for(Milliseconds{1000}, [&] { return closing.ready(); });
  return summary;
}

}  // namespace rackline::migrate
