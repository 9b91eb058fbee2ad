// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "migrate/check.h"
#include "migrate/fate.h"
#include "migrate/hypervisor.h"
#include "migrate/journal.h"
#include "migrate/ladder.h"
#include "migrate/move.h"
#include "store/journal.h"
#include "wait/pending.h"

namespace rackline::migrate {

// What the moves of one run have in common. Safe to use from several threads.
class MoveShared {
 public:
  using WhyClosed = std::function<std::string(const std::string& host)>;
  MoveShared(const MigrationPolicy& policy_given, const Clock& clock_given, MoveJournal* journal_given,
             WhyClosed why_closed_given)
      : policy(policy_given),
        clock(clock_given),
        journal(journal_given),
        why_closed(std::move(why_closed_given)) {}

  const MigrationPolicy policy;
  const Clock& clock;
  MoveJournal* const journal;  // none in a dry run, which changes nothing
  const WhyClosed why_closed;  // as MigrationEngine::Hooks has it
  const std::shared_ptr<wait::Wakeup> wakeup = std::make_shared<wait::Wakeup>();
  std::atomic<bool> cancelled{false};

  // Memory of targets, and each of their pools of huge pages, that is promised to moves in flight: `target`
  // says which. Checks and promises in one step, so that two moves cannot both take the last gigabyte.
  CheckResult promise_memory(const std::string& target, const std::string& move, std::int64_t needed,
                             std::int64_t free);
  void release_memory(const std::string& target, const std::string& move);
  std::int64_t releases(const std::string& target);  // how often promises were released so far

  // Answers of Hypervisor::incompatible, which do not change while a host is up and take libvirt a second the
  // first time.
  std::optional<std::optional<std::string>> known_compatibility(const std::string& key);
  void learn_compatibility(const std::string& key, const std::optional<std::string>& answer);

 private:
  struct Promises {
    std::map<std::string, std::int64_t> by_move;
    std::int64_t releases = 0;
  };
  std::mutex mutex_;
  std::map<std::string, Promises> promises_;
  std::map<std::string, std::optional<std::string>> compatibility_;
};

// Carries out one move: looks, checks, writes the intent, acts, watches, and proves by looking again. Every
// question to a host is bounded in time, and so is run().
class Mover {
 public:
  using Report = std::function<void(const MoveProgress&)>;
  using Warn = std::function<void(const std::string&)>;

  Mover(std::shared_ptr<MoveShared> shared, Move move, MigrationHost from, MigrationHost to,
        std::shared_ptr<Hypervisor> source, std::shared_ptr<Hypervisor> target, Report progress, Warn warn);

  // Never throws: what goes wrong is in the report.
  MoveReport run();

 private:
  enum class Stop { kNone, kSignal, kDeadline, kRestart };
  struct View {
    std::optional<VmFacts> source, target;
    std::string error;  // why a host could not be asked
  };
  // The answer of `work` about `host`; throws what it threw, and Error(kTimeout) when it takes too long.
  template <class F>
  auto ask(const MigrationHost& host, F work) -> std::invoke_result_t<F> {
    wait::Pending<std::invoke_result_t<F>> answer(shared_->wakeup, std::move(work));
    if (!shared_->wakeup->wait_for(shared_->policy.answer_timeout, [&] { return answer.ready(); })) {
      throw Error(Status::kTimeout, "ask", host.host, no_answer());
    }
    return answer.get();
  }
  std::string no_answer() const;
  View look();

  MoveReport carry_out();
  MoveReport begin_anew(const View& view);
  MoveReport recover(const MoveJournal::Item& item);
  std::optional<MoveReport> check(const View& view);
  std::string target_closed() const;
  std::optional<std::string> missing_on_target(const VmDescription& vm);
  std::optional<MoveReport> check_memory_of_target(const VmDescription& vm);
  std::optional<MoveReport> claim(const std::string& what, std::int64_t needed,
                                  const std::function<std::int64_t()>& free);
  std::optional<MoveReport> check_media(const std::vector<VmDisk>& media);
  std::optional<MoveReport> eject_media();
  void put_media_back(MoveReport& report);
  std::optional<MoveReport> check_copies(const std::vector<VmDisk>& disks);
  std::optional<MoveReport> make_images();
  std::string wrong_with_copies();
  void remove_images(MoveReport& report);
  std::int64_t bytes_to_copy() const;

  MoveReport migrate_live(bool adopt);
  void supervise(wait::Pending<void>* call);
  void begin_call();
  bool learn(wait::Pending<JobStats>& answer);
  void observe(const JobStats& job);
  void confirm_postcopy();
  bool past_settling() const;
  void request_stop();
  bool stopping();
  void stop(Stop why);
  Milliseconds allowed() const;
  MoveFate conclude();
  void tidy(const MoveFate& fate);
  bool conclude_step(const MoveFate& fate, Milliseconds since);
  MoveReport report_live(const MoveFate& fate);
  MoveReport move_definition();
  MoveReport finish_definition();
  std::string carry_snapshots();

  void write_intent();
  MoveReport close(MoveReport report);  // writes the result of the intent, where the outcome is known
  MoveReport report(act::Outcome outcome, std::string reason) const;
  MoveReport done();
  MoveReport unsettled(const MoveFate& fate) const;
  void say(const std::string& state);
  std::string uuid() const { return intent_.move.uuid.value_or(""); }
  Milliseconds now() const { return shared_->clock.monotonic(); }

  std::shared_ptr<MoveShared> shared_;
  MoveIntent intent_;
  MigrationHost from_, to_;
  std::shared_ptr<Hypervisor> source_, target_;
  Report progress_;
  Warn warn_;

  Milliseconds started_{0};
  Milliseconds deadline_{0};
  MigrationLadder ladder_;
  std::vector<std::string> promised_;  // what of the target was promised, as promise_memory() has it
  bool intent_open_ = false;
  bool postcopy_ = false;
  Stop stop_ = Stop::kNone;
  Milliseconds stop_asked_{0};
  std::optional<wait::Pending<void>> stop_request_;
  std::optional<wait::Pending<void>> order_;  // the last change of the running job
  std::optional<wait::Pending<void>> postcopy_request_;
  std::string call_error_;
  std::optional<JobStats> last_job_;
  int attempts_ = 0;
  std::int64_t memory_bytes_ = 0;
};

}  // namespace rackline::migrate
