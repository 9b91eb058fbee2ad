// SPDX-License-Identifier: Apache-2.0
#include "fence/engine.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/id.h"
#include "base/units.h"
#include "cluster/disarm.h"

namespace rackline::fence {
namespace {

using Outcome = FenceReport::Outcome;

constexpr int kMarkAttempts = 3;
constexpr Milliseconds kAgain{200};

bool has_switch(const bmc::FenceLevels& levels) {
  return std::any_of(levels.begin(), levels.end(),
                     [](const bmc::FenceLevel& level) { return !level.front().self(); });
}

}  // namespace

FenceEngine::FenceEngine(FencePolicy policy, World world, Finished finished)
    : policy_(policy),
      world_(std::move(world)),
      finished_(std::move(finished)),
      journal_(world_.store, world_.time.clock),
      lock_(world_.store),
      wishes_(world_.store, world_.time.clock),
      queue_(policy, world_.time, world_.stopping, [this](const FenceReport& report) { finish(report); }) {}

void FenceEngine::wait() {
  queue_.close();
  queue_.wait();
}

std::map<Outcome, int> FenceEngine::outcomes() {
  const std::lock_guard lock(mutex_);
  return outcomes_;
}

// A clock that is ahead must not spare its host for hours to come.
void FenceEngine::alive(const std::string& host, std::chrono::sys_seconds time) {
  signs_.add(host, std::min(time, world_.time.clock.wall()));
}

void FenceEngine::contradicted(const LifeSign& sign) {
  alive(sign.host, sign.time);
  const std::lock_guard guard(guard_);
  auto& heard = contradicted_[sign.host];
  if (sign.fence.empty()) {
    heard.unnamed = world_.time.clock.wall();
  } else {
    heard.fences.insert(sign.fence);
  }
}

bool FenceEngine::is_contradicted(const cluster::FenceMark& mark) {
  const std::lock_guard guard(guard_);
  const auto found = contradicted_.find(mark.host);
  if (found == contradicted_.end()) return false;
  // A person who vouches for it afterwards makes another mark. Whoever made it may have another clock, so
  // times decide only where the record does not name the fence.
  const auto& heard = found->second;
  return heard.fences.contains(mark.id) ||  // @rule 21-heard-by-id
         (heard.unnamed && *heard.unnamed >= mark.time);
}

// A host stays in hand between the rounds: it is to be off as well as those that are fenced.
void FenceEngine::finish(const FenceReport& report) {
  if (!report.retry) {
    {
      const std::lock_guard guard(guard_);
      in_hand_.erase(report.host);
    }
    const std::lock_guard lock(mutex_);
    ++outcomes_[report.outcome];
  }
  finished_(report);
}

void FenceEngine::request(const FenceRequest& request) {
  FenceReport base;
  base.id = random_id();
  base.cause = request.cause();
  base.host = request.host();
  base.planned = policy_.dry_run;
  const auto methods = world_.methods.find(base.host);
  if (methods == world_.methods.end()) {
    return queue_.tell(with(base, Outcome::kRefused, "there is no host of that name in the inventory"));
  }
  // Judged when it is read and not when its turn comes: that the host is up again would be told from now on,
  // so the record grows no older.
  const auto ruling = rule_on(request, policy_, world_.time.clock.wall());
  if (ruling.verdict == FenceRuling::Verdict::kLeave)
    return queue_.tell(with(base, Outcome::kLeft, ruling.reason));
  if (ruling.contradicts) {
    // Whoever is mistaken, the watcher or somebody in between: what was asked before is not carried out on
    // the strength of such evidence either.
    alive(base.host, request.state.time);
    base.needs_person = true;
  }
  if (ruling.verdict == FenceRuling::Verdict::kRefuse)
    return queue_.tell(with(base, Outcome::kRefused, ruling.reason));
  if (signs_.after(base.host, request.state.time) ||                        // @rule 21-older-verdict
      signs_.is_answered(base.host, request.state.id, request.state.time))  // @rule 21-told-again
    return queue_.tell(withdrawn(base));
  const bmc::Life life = signs_.since_verdict(base.host, request.state.id, request.state.time);
  if (policy_.dry_run) {
    return queue_.submit({base, [this](const FenceReport& report) { return look(report); }, life});
  }
  const auto run = [this, request, life](const FenceReport& report) { return fence(request, report, life); };
  queue_.submit({base, run, life, has_switch(methods->second)});
}

template <class Work>
auto FenceEngine::patiently(Milliseconds until, const std::function<bool()>& given_up, const Work& work) {
  for (;;) {
    try {
      return work();
    } catch (const Error& error) {
      if (error.status() != Status::kBusy || world_.time.clock.monotonic() >= until || given_up()) throw;
    }
    world_.time.sleep(kAgain);
  }
}

void FenceEngine::warn_once(const std::string& text) {
  const std::lock_guard guard(mutex_);
  if (world_.warn && warned_.insert(text).second) world_.warn(text);
}

// A person who wants a host gets in between as soon as nobody waits for the answer to a command: at once with
// that host, and with others unless they have been told to switch off, for the lock is that of all of them.
// What will not be tried again is not cut short for another host.
bool FenceEngine::yields(const FenceReport& report, bool told) {
  if (wishes_.of(report.host)) return true;
  return !told && policy_.retry_for > Milliseconds{0} && wishes_.any();
}

// Whoever holds it may be at work on another host, or be a person who switches one on.
FenceLock::Hold FenceEngine::take_lock(Milliseconds until, const std::function<bool()>& given_up) {
  for (;;) {
    // While a person waits for it, nobody here takes it again, nor joins those who hold it.
    auto lock = wishes_.any() ? FenceLock::Hold(nullptr) : lock_.try_acquire();
    if (lock || world_.time.clock.monotonic() >= until || given_up()) return lock;
    world_.time.sleep(kAgain);
  }
}

FenceReport FenceEngine::fence(const FenceRequest& request, FenceReport report, const bmc::Life& life) {
  if (world_.stopping()) return with(report, Outcome::kRefused, "interrupted before it was begun");
  auto until = world_.time.clock.monotonic() + policy_.lock_patience;
  // Of the last round that is awaited with patience, there may be no next one.
  if (report.round == 1) until = std::max(until, request.read_at + policy_.max_age);
  Round round{request, report, life, until};
  round.given_up = [&] {
    return life() > 0 ||  // @rule 21-while-the-lock-is-awaited
           world_.stopping() || (round.lock != nullptr && round.lock->lost());
  };
  FenceReport result;
  try {
    result = fence_once(round);
  } catch (const std::exception& error) {
    round.lock = nullptr;
    // What was done is told, and what is on disk of it stays open: the next round or run reads the power.
    if (life() == 0) return failed(report, error.what());
    result = withdrawn(report);
  }
  round.lock = nullptr;
  if (round.opened) close(result);
  return result;
}

// What a person has announced, who may do so at any time: that he works on the cluster or on this host.
FenceEngine::Objection FenceEngine::announced(const std::string& host) {
  const auto now = world_.time.clock.wall();
  if (auto why = cluster::disarmed(world_.store, now); !why.empty())  // @rule 24-disarmed-fence
    return {Objecting::kDisarmed, why};
  const auto planned = cluster::maintenance_mark(world_.store, host);
  if (planned && planned->holds(now))  // @rule 01-maintenance
    return {Objecting::kMaintenance, "it is in maintenance: " + planned->reason};
  return {};
}

// Why nobody may be told anything now: asked when a round begins and right before each command, for the store
// may have given the lock to somebody else, or a person announced something, since it was asked last.
std::string FenceEngine::forbidden(Round& round) {
  auto& objection = round.objection;
  if (round.lock->lost()) {
    objection = {Objecting::kTrouble, "the lock of the store was lost, another may hold it now"};
    return objection.why;
  }
  try {
    objection = patiently(round.patience_until, round.given_up, [&] { return announced(round.report.host); });
  } catch (const Error& error) {
    objection = {Objecting::kTrouble, error.what()};
  }
  return objection.why;
}

// Before the first command, or before the mark of a host that was off already.
std::string FenceEngine::begin_once(Round& round) {
  if (round.opened) return {};
  if (auto why = forbidden(round); !why.empty()) return why;
  auto& objection = round.objection;
  try {
    objection = {Objecting::kLimit,
                 patiently(round.patience_until, round.given_up, [&] { return begin(round.report); })};
    round.opened = objection.why.empty();
  } catch (const std::exception& error) {
    objection = {Objecting::kTrouble, error.what()};
  }
  return objection.why;
}

// What an objection makes of the round. Disarmed, the host is asked for again and again: the person may arm
// the cluster and leave it dead.
FenceReport FenceEngine::held_back(const Round& round) {
  const auto& [by, why] = round.objection;
  if (by == Objecting::kTrouble)
    return round.life() > 0 ? withdrawn(round.report) : failed(round.report, why);
  auto report = refused(round.report, why);
  report.disarmed = by == Objecting::kDisarmed;
  report.needs_person = by != Objecting::kMaintenance || report.power.attempts > 0;
  return report;
}

FenceReport FenceEngine::fence_once(Round& round) {
  auto& report = round.report;
  const auto& life = round.life;
  const auto lock = take_lock(round.patience_until, round.given_up);
  round.lock = &lock;
  if (life() > 0) return withdrawn(report);
  if (!lock) return without_lock(report, world_.stopping());
  if (!forbidden(round).empty()) return held_back(round);
  const auto mark = patiently(round.patience_until, round.given_up,
                              [&] { return cluster::fence_mark(world_.store, report.host); });
  if (mark) {
    if (auto result = confirmed_by_hand(round, *mark)) return *result;
  }
  const bmc::PowerRules rules{[&] { return forbidden(round); },
                              [&](bool told) { return yields(report, told); }};
  report.power = bmc::PowerDriver(world_.power, world_.time)
                     .off(
                         world_.methods.at(report.host), world_.time.clock.monotonic() + policy_.deadline,
                         [&] { return begin_once(round); }, self_fence(round.request), life, rules);
  const bool off_since = report.power.untouched && mark && mark->state == cluster::FenceMark::State::kFenced;
  if (off_since && is_contradicted(*mark)) {  // @rule 21-contradicted
    report.needs_person = true;
    return with(report, Outcome::kRefused,
                "its power reads off, and it has shown life since it was marked as fenced: find out which "
                "machine its fence method switches");
  }
  if (off_since) {
    report.already = true;
    report.id = mark->id;
    return with(report, Outcome::kFenced, "");
  }
  if (report.power.proven) report.power.objection = begin_once(round);
  if (!report.power.objection.empty()) return held_back(round);
  if (report.power.withdrawn && !report.power.proven) return withdrawn(report);
  if (!report.power.proven) return failed(report, report.power.why);
  return conclude(round, mark);
}

// It is proven to be off: marks it.
FenceReport FenceEngine::conclude(Round& round, const std::optional<cluster::FenceMark>& mark) {
  auto& report = round.report;
  if (mark) {
    report.power.evidence += mark->state == cluster::FenceMark::State::kReturning
                                 ? "; it had been fenced before and was returning"
                                 : "; it had been fenced before and was on again";
  }
  // The switch says off and the host says that it lives: one of them speaks of another machine.
  const bmc::Life since = [&] {
    return round.life() - report.power.signs;  // @rule 21-before-the-mark: 0
  };
  if (since() > 0) return withdrawn(report);
  patiently(
      world_.time.clock.monotonic() + policy_.max_age, [&] { return since() > 0 || round.lock->lost(); },
      [&] { set_mark(report); });
  return with(std::move(report), Outcome::kFenced, "");
}

// Somebody may pull the plug of a host whose controller does not answer, while its fencing is repeated.
std::optional<FenceReport> FenceEngine::confirmed_by_hand(const Round& round,
                                                          const cluster::FenceMark& mark) {
  if (round.report.round == 1 || mark.state != cluster::FenceMark::State::kFenced ||
      mark.method != "manual" || mark.time < round.request.state.time)
    return std::nullopt;
  FenceReport report = round.report;
  report.id = mark.id;
  report.already = true;
  report.power.proven = true;
  report.power.method = mark.method;
  report.power.evidence = "confirmed by a person while it was tried again and again";
  return with(std::move(report), Outcome::kFenced, "");
}

// What stays open, because the store cannot be written, is settled by the next run: it reads the power, and
// it finds the mark where there is one.
void FenceEngine::close(const FenceReport& report) {
  const char* outcome = report.outcome == Outcome::kFenced      ? "fenced"
                        : report.outcome == Outcome::kWithdrawn ? "withdrawn"
                                                                : "failed";
  try {
    patiently(
        world_.time.clock.monotonic() + policy_.max_age, [] { return false; },
        [&] { journal_.end(report.id, report.host, outcome); });
  } catch (const Error&) {
  }
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
  std::set<std::string> gone = in_hand_;  // @rule 02-hosts-in-hand: {}
  // A mark that cannot be read counts, of a host that is ours: it may be fenced.
  cluster::BrokenMarks broken;
  for (const auto& mark : cluster::fence_marks(world_.store, &broken)) {
    if (world_.methods.contains(mark.host)) gone.insert(mark.host);
  }
  for (const auto& mark : broken) {
    if (world_.methods.contains(mark.host)) gone.insert(mark.host);  // @rule 02-torn-mark
    warn_once(mark.what());
  }
  gone.insert(report.host);
  if (too_many(gone.size(), world_.methods.size()) && !policy_.force) {  // @rule 02-half-of-the-hosts
    return "with it " + std::to_string(gone.size()) + " of " + std::to_string(world_.methods.size()) +
           " hosts would be fenced, which is more than half (--force)";
  }
  if (journal_.fenced_within(report.host, policy_.loop_window) >= policy_.loop_limit) {  // @rule 04-loop
    return "it was fenced " + std::to_string(policy_.loop_limit) + " times within " +
           format_duration(policy_.loop_window) + ": find out why it dies (--loop-window)";
  }
  // We hold the lock: what is open for this host belongs to a run that was killed, and is overtaken by this
  // one.
  std::vector<store::Unread> unreadable;
  const auto opened = journal_.open(&unreadable);
  for (const auto& entry : unreadable) warn_once(entry.why);
  for (const auto& open : opened) {
    if (open.host == report.host) journal_.end(open.id, open.host, "superseded");
  }
  journal_.begin(report.id, report.host, report.cause);
  in_hand_.insert(report.host);
  return {};
}

bmc::SelfFence FenceEngine::self_fence(const FenceRequest& request) {
  bmc::SelfFence self;
  self.objection = self_fence_objection(request, policy_);
  self.at = self_fenced_at(request, policy_);
  self.cancelled = [this] { return world_.stopping() ? "interrupted while waiting" : ""; };
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

// A dry run: the power as it is, and what holds a real run back.
FenceReport FenceEngine::look(FenceReport report) {
  const auto reading =
      bmc::PowerDriver(world_.power, world_.time).read(world_.methods.at(report.host), policy_.deadline);
  report.power.method = reading.method;
  report.power.before = report.power.after = reading.power;
  if (const auto objection = announced(report.host); !objection.why.empty()) {
    return with(report, Outcome::kRefused,
                objection.why + "; without that it would be fenced: its power " +
                    (reading.power == bmc::Power::kUnknown ? "cannot be read: " + reading.why
                                                           : std::string("reads ") + name_of(reading.power)));
  }
  if (reading.power == bmc::Power::kUnknown) return with(report, Outcome::kFailed, reading.why);
  report.power.evidence = std::string("a dry run: it is ") + name_of(reading.power);
  return with(report, Outcome::kFenced, "");
}

}  // namespace rackline::fence
