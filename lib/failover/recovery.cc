// SPDX-License-Identifier: Apache-2.0
#include "failover/recovery.h"

#include <algorithm>
#include <utility>

#include "base/clocks.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "migrate/records.h"

namespace rackline::failover {
namespace {

using What = act::Outcome;

}  // namespace

Recovery::Recovery(RecoveryPolicy policy, const std::vector<record::Host>& inventory,
                   RecoveryCluster& cluster, store::Store& store, const Clock& clock, Probe probe,
                   Hooks hooks)
    : policy_(policy),
      hosts_(migrate::migration_hosts(inventory)),
      cluster_(cluster),
      store_(store),
      clock_(clock),
      probe_(std::move(probe)),
      hooks_(std::move(hooks)),
      journal_(start_journal(store, clock)) {
  for (const auto& host : inventory) inventory_.push_back(host.host);
  if (!hooks_.call_person) hooks_.call_person = hooks_.warn;
}

// Why the record is no proof; empty when it is one.
std::string Recovery::objection(const record::HostFenced& fenced,
                                const std::optional<cluster::FenceMark>& mark) const {
  const std::string& host = fenced.host;
  if (fenced.planned.value_or(false))  // @rule 01-only-planned
    return "the fencing of " + host + " was only planned";
  if (!fenced.verified) return "that " + host + " is off was not verified";  // @rule 01-not-verified
  const bool by_word = fenced.method == "manual" || fenced.method == "self";
  // @rule 01-not-read-back-off
  if (fenced.power_after != "off" && !by_word) return host + " was not read back as off";
  if (!hosts_.contains(host)) return host + " is not in the inventory";
  if (!mark) return host + " has no mark of a fencing: the record is an old one, or another cluster's";
  if (mark->state != cluster::FenceMark::State::kFenced)  // @rule 01-on-its-way-back
    return host + " is on its way back";
  if (mark->id != fenced.id)  // @rule 01-another-fencing
    return host + " was fenced anew since, as " + mark->id;
  return {};
}

void Recovery::accept(const record::HostFenced& fenced, Milliseconds read_at) {
  // Read once: it may be cleared at any time.
  const auto present = cluster::fence_mark(store_, fenced.host);
  if (const auto why = objection(fenced, present); !why.empty()) return refuse(fenced, why);
  std::erase_if(fences_, [&fenced](const cluster::FenceMark& mark) { return mark.host == fenced.host; });
  fences_.push_back(*present);
  accepted_[fenced.id] = read_at;
  // A repeated record is answered anew.
  std::erase_if(told_, [&fenced](const auto& told) { return told.first.first == fenced.id; });
  std::erase_if(failed_, [&fenced](const auto& failed) { return failed.first.first == fenced.id; });
  pass();
}

void Recovery::resume() {
  fences_.clear();
  for (const auto& mark : cluster::fence_marks(store_)) {
    if (mark.state == cluster::FenceMark::State::kFenced) fences_.push_back(mark);
  }
  std::stable_sort(fences_.begin(), fences_.end(),
                   [](const cluster::FenceMark& a, const cluster::FenceMark& b) { return a.time < b.time; });
  for (const auto& mark : fences_) accepted_.emplace(mark.id, clock_.monotonic());
  pass();
}

void Recovery::contradict(const fence::LifeSign& life) {
  hooks_.call_person(life.host + " is fenced" + (life.fence.empty() ? "" : " (" + life.fence + ")") +
                     " and shows life: nothing is started while that fence stands; look at its power now");
  contradicted_[life.host].insert(life.fence);
}

void Recovery::settle() {
  if (!policy_.dry_run && !journal_.open().empty()) pass();
}

bool Recovery::pending() const {
  return waiting_ || std::any_of(told_.begin(), told_.end(), [this](const auto& told) {
           const What what = told.second.what;
           return what == What::kRefused || what == What::kUnknown ||
                  (what == What::kFailed && failed_.contains(told.first) &&
                   failed_.at(told.first).rounds < kRounds);
         });
}

bool Recovery::may_try(const Key& key) const {
  const auto failed = failed_.find(key);
  return failed == failed_.end() ||
         (failed->second.rounds < kRounds && clock_.monotonic() >= failed->second.next);
}

bool Recovery::keep(const View* seen) {
  keeping_ = true;
  if (policy_.dry_run) {
    work(situation(seen), nullptr);
    return true;
  }
  auto lock = turn(false);
  if (lock == nullptr) return false;
  work(situation(seen), std::move(lock));
  journal_.prune();
  return true;
}

// Those of the dead hosts, and those that are nobody's.
std::vector<Verdict> Recovery::judge_all(const Situation& situation, bool planned) {
  auto verdicts = judge(situation);
  // @rule 01-under-way
  std::erase_if(verdicts, [&](const Verdict& verdict) { return under_way(verdict, situation); });
  if (!keeping_) return verdicts;
  // One that a fence has restarted, and that has ended since, is not that fence's any more.
  std::erase_if(verdicts, [&situation](const Verdict& verdict) {
    return verdict.what == Verdict::What::kAlready && is_nobodys(situation, verdict.vm);
  });
  std::set<std::string> judged;
  for (const auto& verdict : verdicts) judged.insert(verdict.vm.vm);
  auto notes = keep_notes(store_);
  const auto now = clock_.wall();
  const bool storm = is_storm(situation);
  for (const auto& vm : situation.vms) {
    if (judged.contains(vm.vm) || situation.intents.contains(vm.vm)) continue;
    KeepNote& note = notes[vm.vm];
    note.vm = vm.vm;
    const bool nobodys = is_nobodys(situation, vm);
    if (nobodys != note.since.has_value()) {
      note.since = nobodys ? std::optional(now) : std::nullopt;
      note.storm = nobodys && storm;
      note.failed = 0;
      // Somebody else's note is newer: next time.
      if (!planned && !put(store_, note)) continue;
    }
    if (nobodys) verdicts.push_back(judge_keep(situation, vm, note, {}, now));
  }
  return verdicts;
}

void Recovery::remember_start(const Verdict& verdict, const Outcome& outcome) {
  auto notes = keep_notes(store_);
  KeepNote& note = notes[verdict.vm.vm];
  note.vm = verdict.vm.vm;
  note.starts.push_back(clock_.wall());
  note.failed = outcome.what == What::kFailed ? note.failed + 1 : 0;
  note.failure = outcome.what == What::kFailed ? outcome.reason : "";
  constexpr std::size_t kKept = 16;
  if (note.starts.size() > kKept) note.starts.erase(note.starts.begin());
  if (!put(store_, note))
    throw Error(Status::kBusy, "store", verdict.vm.vm, "somebody else has just changed it");
}

// It lives elsewhere by now: two definitions would be two places.
void Recovery::remove_old_copy(const Verdict& verdict, const std::string& to) {
  if (verdict.from == to || !hosts_.contains(verdict.from)) return;
  try {
    ask(verdict.from, policy_.timeout, [host = cluster_.host(verdict.from), uuid = verdict.vm.uuid] {
      host->undefine(uuid);  // refuses one that is active
    });
  } catch (const Error& error) {
    hooks_.warn(verdict.vm.vm + ": its old definition is left on " + verdict.from + ": " + error.what());
  }
}

void Recovery::retry(const View* seen) {
  if (seen != nullptr) keeping_ = true;
  pass(seen);
}

void Recovery::pass(const View* seen) {
  if (policy_.dry_run) return work(situation(seen), nullptr);
  waiting_ = true;
  auto lock = turn(true);
  if (lock == nullptr)
    throw Error(Status::kBusy, "restart", "virtual servers", "another failover is at work");
  // A pass can take minutes, in which somebody may have fenced or cleared a host.
  work(situation(seen), std::move(lock));
  waiting_ = false;
  journal_.prune();
}

// A host that is marked is proven to be off, whoever read the proof and has died since.
void Recovery::adopt_fences(const Situation& now) {
  for (const auto& [host, mark] : now.marks) {
    const bool known = std::any_of(fences_.begin(), fences_.end(),
                                   [&](const cluster::FenceMark& fence) { return fence.id == mark.id; });
    if (known || !now.fenced(host)) continue;
    fences_.push_back(mark);
    accepted_.emplace(mark.id, clock_.monotonic());
  }
  std::stable_sort(fences_.begin(), fences_.end(),
                   [](const cluster::FenceMark& a, const cluster::FenceMark& b) { return a.time < b.time; });
}

Situation Recovery::situation(const View* seen) {
  Situation now;
  now.inventory = inventory_;
  now.contradicted = contradicted_;
  now.read_marks(store_, clock_.wall());
  contradicted_ = now.contradicted;
  std::erase_if(fences_, [&now](const cluster::FenceMark& fence) {
    return !now.fenced(fence.host) || now.marks.at(fence.host).id != fence.id;
  });
  if (keeping_) adopt_fences(now);
  now.fences = fences_;
  std::vector<std::string> torn;
  now.vms = protected_vms(store_, &torn);
  std::vector<store::Unread> broken;
  for (const auto& intent : open_starts(journal_, &broken)) now.intents[intent.vm] = intent;
  for (const auto& entry : broken) {
    now.unreadable.insert(vm_of_journal_id(entry.id));
    torn.push_back(entry.why);
  }
  for (const auto& what : torn) {
    if (complained_.insert(what).second) hooks_.warn(what);
  }
  now.done = [this](const std::string& id) -> std::optional<std::string> {
    try {
      const auto item = journal_.find(id);
      if (!item || !item->result || item->result->outcome != "done") return std::nullopt;
      return item->result->to;
    } catch (const Error&) {
      return std::nullopt;  // torn: it is among the unreadable ones, and holds up no other
    }
  };
  if (seen != nullptr && fits(now, *seen)) {
    now.view = *seen;
    std::erase_if(now.view.hosts, [&now](const auto& host) { return now.fenced(host.first); });
    std::erase_if(now.view.alive, [&now](const std::string& host) { return !now.fenced(host); });
  } else {
    now.look(cluster_, policy_.timeout);
  }
  for (const auto& host : now.view.alive) {
    if (!alive_.contains(host))
      hooks_.call_person(
          host +
          " is fenced and shows life, as its libvirtd answers: nothing is started; look at its power now");
  }
  alive_ = now.view.alive;
  if (hooks_.looked && !interrupt::requested()) hooks_.looked(now.view);
  return now;
}

// A start on a host that was fenced since is over, whatever became of it.
void Recovery::close_history(const std::vector<Verdict>& verdicts) {
  for (const auto& verdict : verdicts) {
    if (verdict.intent_is_history && verdict.intent)
      journal_.result(verdict.intent->id, {"failed", verdict.intent->to, "its host was fenced"});
  }
}

// What is not our work any more, or rests on another fence by now, is not waited for.
void Recovery::forget_all_but(const std::vector<Verdict>& verdicts) {
  std::set<Key> keys;
  for (const auto& verdict : verdicts) keys.insert({verdict.fence.id, verdict.vm.vm});
  std::erase_if(told_, [&keys](const auto& told) {
    const Outcome& last = told.second;
    return (last.what == What::kUnknown || (last.what == What::kRefused && !last.unplaced)) &&
           !keys.contains(told.first);
  });
}

// Hosts do not answer at one instant: one that moved meanwhile, from a host that had not answered yet to one
// that had, was seen on neither. So what is lost has to be lost twice. True when that was looked at.
bool Recovery::look_twice(Situation& situation, std::vector<Verdict>& verdicts, bool planned) {
  const auto lost = [](const Verdict& verdict) {
    return verdict.lost && verdict.what == Verdict::What::kStart;
  };
  if (std::none_of(verdicts.begin(), verdicts.end(), lost)) return false;  // @rule 01-lost-twice: true
  std::set<std::string> before;
  for (const auto& verdict : verdicts) {
    if (lost(verdict)) before.insert(verdict.vm.vm);
  }
  situation.look(cluster_, policy_.timeout);
  verdicts = judge_all(situation, planned);
  for (auto& verdict : verdicts) {
    if (!lost(verdict) || before.contains(verdict.vm.vm)) continue;
    verdict.what = Verdict::What::kRefused;
    verdict.reason = "it was seen a moment ago, and is not any more: it is being moved";
  }
  return true;
}

// What became of one that was to be started, in whichever pass that was.
void Recovery::settled(const Verdict& verdict, const Outcome& outcome, bool planned) {
  changed_ = changed_ || outcome.what == What::kDone;
  if (verdict.keep && !planned && outcome.attempts > 0) {
    remember_start(verdict, outcome);
    if (outcome.what == What::kDone) remove_old_copy(verdict, outcome.to);
  }
  report(verdict, outcome);
}

// What was just seen to run goes into the store where that is news: the place of one that was moved, and that
// it was seen after a host went into maintenance, which it then cannot be on when that host is silent.
void Recovery::remember_places(const Situation& now) {
  constexpr int kMost = 500;  // writes of one pass; a proof that comes in must not wait long for them
  // Whether this look says more of some mark than the one before.
  const auto news = [&now](std::chrono::sys_seconds before) {
    return std::any_of(now.maintenance.begin(), now.maintenance.end(), [&](const auto& marked) {
      const auto since = marked.second.time + kClocksDiffer;
      return !marked.second.empty && before < since && now.view.time >= since;
    });
  };
  int written = 0;
  for (Protected vm : now.vms) {
    if (written >= kMost || interrupt::requested() || (hooks_.urgent && hooks_.urgent())) return;
    const auto active = now.view.active_on(vm.uuid);
    if (!vm.running || active.size() != 1 || now.view.time <= vm.seen) continue;
    const std::string& host = active.front();
    const bool moved = host != vm.host;
    if ((!moved && !news(vm.seen)) || now.view.state_on(host, vm.uuid) != "running") continue;
    // Where the other place is silent without a reason, it may run there as well.
    // @rule 01-seen-in-two-places: true
    const bool known = now.view.answered(vm.host) || now.maintenance.contains(vm.host);
    if (!known || now.marks.contains(host) || now.intents.contains(vm.vm)) continue;
    vm.host = host;
    vm.seen = now.view.time;
    written += put(store_, vm) ? 1 : 0;  // somebody else's word is newer: next time
  }
}

void Recovery::work(Situation situation, std::shared_ptr<store::Lock> lock) {
  const bool planned = lock == nullptr;
  // A plan is made all the same, and says of each start what holds it back.
  const std::string held_back = planned ? std::exchange(situation.disarmed, {}) : std::string();
  // A look that a stop has cut short says nothing of the hosts.
  if (interrupt::requested()) return;
  auto verdicts = judge_all(situation, planned);
  if (look_twice(situation, verdicts, planned) && interrupt::requested()) return;
  forget_all_but(verdicts);
  if (!planned) close_history(verdicts);
  std::vector<Verdict> todo;
  for (auto& verdict : verdicts) {
    Outcome outcome;
    outcome.to = verdict.to;
    outcome.reason = verdict.reason;
    outcome.planned = planned;
    switch (verdict.what) {
      case Verdict::What::kStart:
      case Verdict::What::kVerify:
        if (may_try({verdict.fence.id, verdict.vm.vm})) todo.push_back(std::move(verdict));
        continue;
      case Verdict::What::kAlready:
        outcome.what = What::kAlready;
        if (!planned && !situation.view.active_on(verdict.vm.uuid).empty())
          settle_host(store_, verdict.vm.vm, verdict.to, situation.view.time);
        break;
      case Verdict::What::kUnknown:
        outcome.what = What::kUnknown;
        break;
      case Verdict::What::kTwice:
        hooks_.warn(verdict.vm.vm + ": " + verdict.reason);
        twice_ = true;
        outcome.needs_person = true;
        [[fallthrough]];
      case Verdict::What::kRefused:
        outcome.what = What::kRefused;
        break;
    }
    report(verdict, outcome);
  }
  if (keeping_ && !planned && todo.empty()) remember_places(situation);
  changed_ = false;
  std::vector<RecoveryRun::Start> before;
  for (const auto& run : left_) {
    for (auto& start : run->under_way()) before.push_back(std::move(start));
  }
  auto run = std::make_unique<RecoveryRun>(
      RecoveryRun::World{policy_, hosts_, cluster_, store_, journal_, clock_, probe_, lock.get(),
                         hooks_.urgent, std::move(before), held_back},
      std::move(situation), std::move(todo), planned,
      [this, planned](const Verdict& verdict, const Outcome& outcome) {
        settled(verdict, outcome, planned);
      });
  if (!run->go()) {
    left_.push_back(std::move(run));
    lock_ = std::move(lock);
    return;
  }
  if (!changed_) return;
  const std::string weakness = run->weakness();
  if (!weakness.empty() && weakness != weakness_) hooks_.warn(weakness);
  weakness_ = weakness;
}

}  // namespace rackline::failover
