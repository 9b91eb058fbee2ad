// SPDX-License-Identifier: Apache-2.0
#include "failover/recovery_verdict.h"

#include <algorithm>

#include "base/clocks.h"
#include "base/error.h"
#include "base/joined.h"
#include "base/time.h"
#include "cluster/disarm.h"

namespace rackline::failover {
namespace {

using What = Verdict::What;

class Judge {
 public:
  Judge(const Situation& situation, const Protected& vm)
      : s_(situation), vm_(vm), active_(situation.view.active_on(vm.uuid)) {
    verdict_.vm = vm;
    verdict_.from = vm.host;
  }

  std::optional<Verdict> operator()() {
    const auto open = s_.intents.find(vm_.vm);
    if (open != s_.intents.end()) verdict_.intent = open->second;
    const auto fence = find_fence();
    if (fence) verdict_.fence = *fence;
    if (verdict_.intent && !verdict_.intent_is_history) return judge_intent();
    if (!fence) return judge_restarted();
    if (active_.size() > 1) return twice();
    if (active_.size() == 1) {
      // It ran on when its host died: it was moved after it was last looked at, or another run started it.
      verdict_.to = active_.front();
      const std::string state = s_.view.state_on(verdict_.to, vm_.uuid);
      if (state == "running") return result(What::kAlready, "it runs there");  // @rule 01-on-its-way: true
      // One that was on its way there when its host died looks so, and will be gone in a moment.
      return result(What::kRefused, "it is active on " + verdict_.to + " and does not run: it is " + state);
    }
    if (!vm_.running) return std::nullopt;
    if (!unseen_.empty()) {  // @rule 01-maintenance-silent
      return result(What::kRefused, "no host that answers has it, and " + unseen_ +
                                        ", which is in maintenance, does not answer: it may run there");
    }
    return start("");
  }

 private:
  // On whose proof it may be started, if on any.
  std::optional<cluster::FenceMark> find_fence() {
    if (verdict_.intent) {
      const Intent& intent = *verdict_.intent;
      verdict_.from = intent.from;
      // Nothing is started on a host that has a mark, so the start came first, and the power went after it.
      verdict_.intent_is_history = s_.marks.contains(intent.to);
      cluster::FenceMark fence;
      fence.host = intent.from;
      fence.id = intent.fence;
      fence.cause = intent.cause;
      if (!verdict_.intent_is_history) return fence;
      verdict_.from = vm_.host;
      if (s_.fenced(vm_.host)) return s_.marks.at(vm_.host);
      verdict_.from = intent.to;
      return s_.marks.at(intent.to);
    }
    for (const auto& fence : s_.fences) {
      if (fence.host == vm_.host && s_.fenced(vm_.host)) return fence;
    }
    // Moved since it was last looked at: the host where it was known to be answers and knows nothing of it
    // any more, and neither does anybody else, so that it was on the host that died. Of a host that is silent
    // in maintenance nobody can say so: it is on the one or was on the other, and a person has to know.
    auto silent = s_.to_ask_in_maintenance();
    std::erase_if(silent, [this](const std::string& host) { return s_.view.answered(host); });
    const bool home_is_silent = std::find(silent.begin(), silent.end(), vm_.host) != silent.end();
    const bool lost = (s_.view.answered(vm_.host) || home_is_silent) && s_.view.placed_on(vm_.uuid).empty();
    // It was not on one that was dead already when it was seen elsewhere.
    const auto died = std::find_if(s_.fences.rbegin(), s_.fences.rend(), [this](const auto& fence) {
      return fence.time + kClocksDiffer >= vm_.seen;  // @rule 01-seen-elsewhere-since: true
    });
    if (!lost || died == s_.fences.rend()) return std::nullopt;
    if (!silent.empty()) unseen_ = home_is_silent ? vm_.host : silent.back();
    verdict_.lost = true;
    verdict_.from = died->host;
    return *died;
  }

  // The target of the intent is looked at first and alone says what became of it.
  Verdict judge_intent() {
    const std::string& to = verdict_.intent->to;
    verdict_.to = to;
    if (active_.size() > 1) return twice();
    if (active_.size() == 1) {
      verdict_.to = active_.front();
      if (to == verdict_.to || s_.view.answered(to)) return result(What::kVerify, "");
    }
    if (!s_.view.answered(to)) {
      return result(What::kUnknown, "a start on " + to + " was begun and has no result, and " + to +
                                        " does not answer; fence it, or wait for it");
    }
    return start(to);
  }

  // Not on a fenced host (any more): a fence of this run may have brought it where it is.
  std::optional<Verdict> judge_restarted() {
    for (const auto& fence : s_.fences) {
      const auto to = s_.done(journal_id(fence, vm_.vm));
      if (!to) continue;
      verdict_.fence = fence;
      verdict_.from = fence.host;
      if (active_.size() > 1) return twice();
      const bool runs = active_.size() == 1;
      // It died with that host, and is the work of another fence.
      if (!runs && s_.marks.contains(*to)) continue;
      verdict_.to = runs ? active_.front() : *to;
      return result(What::kAlready, runs ? "it runs there" : "it was restarted there and has ended since");
    }
    return std::nullopt;
  }

  Verdict start(const std::string& to) {
    verdict_.to = to;
    const std::string why = s_.could_run(vm_);
    return why.empty() ? result(What::kStart, "") : result(What::kRefused, why);
  }
  Verdict twice() {
    return result(What::kTwice, "it is active on " + joined(active_, " and ") +
                                    ": nothing is touched; stop one of them before they destroy its disks");
  }
  Verdict result(What what, std::string reason) {
    verdict_.what = what;
    verdict_.reason = std::move(reason);
    return verdict_;
  }

  const Situation& s_;
  const Protected& vm_;
  std::vector<std::string> active_;
  std::string unseen_;  // a host where one that is lost could be
  Verdict verdict_;
};

}  // namespace

bool Situation::fenced(const std::string& host) const {
  const auto mark = marks.find(host);
  return mark != marks.end() && mark->second.state == cluster::FenceMark::State::kFenced;
}

void Situation::read_marks(store::Store& store, std::chrono::sys_seconds now) {
  time = now;
  marks.clear();
  maintenance.clear();
  // One that cannot be read makes its host unknown, see host_statuses(); it is no reason to leave the others.
  cluster::BrokenMarks broken;
  for (const auto& mark : cluster::fence_marks(store, &broken)) marks[mark.host] = mark;
  for (const auto& mark : cluster::maintenance_marks(store, &broken)) {
    if (mark.holds(now)) maintenance[mark.host] = mark;
  }
  closed = cluster::host_statuses(store, now);
  for (const auto& mark : cluster::health_marks(store, &broken)) {
    const auto fence = marks.find(mark.host);
    if (mark.valid(now) && fence != marks.end() && mark.contradicts(fence->second))
      contradicted[mark.host].insert(fence->second.id);
  }
  disarmed = cluster::disarmed(store, now);  // @rule 24-disarmed-plan
  // A host that was cleared is not fenced any more, and may live. One that was fenced anew, by a person who
  // has pulled its plug, has a proof of its own.
  for (auto& [host, named] : contradicted) {
    if (fenced(host) && named.erase("") > 0) named.insert(marks.at(host).id);
  }
  std::erase_if(contradicted, [this](const auto& life) {
    return !fenced(life.first) || !life.second.contains(marks.at(life.first).id);
  });
}

void Situation::look(RecoveryCluster& cluster, Milliseconds timeout) {
  constexpr Milliseconds kInMaintenance{1000};
  // A host that lives answers at once; one that is off must not delay what waits for its death.
  constexpr Milliseconds kFenced{500};
  std::vector<std::string> off;
  for (const auto& host : inventory) {
    if (fenced(host)) off.push_back(host);
  }
  auto views = cluster.look_at_once({{to_ask(), timeout},
                                     {to_ask_in_maintenance(), std::min(timeout, kInMaintenance)},
                                     {off, std::min(timeout, kFenced)}});
  view = std::move(views[0]);
  view.time = time;
  view.hosts.merge(views[1].hosts);
  for (const auto& [host, seen] : views[2].hosts) {
    // One that has fenced itself lives on, without its servers.
    const bool itself = marks.at(host).method == "self";
    const bool runs = std::any_of(seen.vms.begin(), seen.vms.end(),
                                  [](const record::VmSample& vm) { return vm.state != "shutoff"; });
    if (seen.answered && (!itself || runs)) view.alive.insert(host);
  }
}

std::vector<std::string> Situation::to_ask() const {
  std::vector<std::string> hosts;
  for (const auto& host : inventory) {
    if (!fenced(host) && !maintenance.contains(host)) hosts.push_back(host);
  }
  return hosts;
}

std::vector<std::string> Situation::to_ask_in_maintenance() const {
  std::vector<std::string> hosts;
  for (const auto& host : inventory) {
    if (!fenced(host) && maintenance.contains(host)) hosts.push_back(host);  // @rule 01-maintenance-answers
  }
  return hosts;
}

std::string Situation::could_run(const Protected& vm) const {
  if (!disarmed.empty()) return disarmed;
  if (!view.alive.empty()) {  // @rule 21-fenced-host-answers
    return *view.alive.begin() +
           " is fenced and shows life, as its libvirtd answers, so its servers may run: nothing is started "
           "before a person has looked at its power";
  }
  if (unreadable.contains(vm.vm)) return "what the journal says of an earlier start of it cannot be read";
  if (!contradicted.empty()) {  // @rule 21-contradicted-starts-nothing
    return contradicted.begin()->first +
           " is fenced and shows life, so its servers may run: nothing is started before a person has looked "
           "at its power";
  }
  for (const auto& host : to_ask()) {
    if (view.answered(host)) continue;  // @rule 01-silent-unfenced: true
    return host +
           " does not answer and is not fenced, so it could run there; fence it, or, when it is surely off: "
           "fence --confirm-manual " +
           host + " | failover";
  }
  if (auto why = could_be_in_maintenance(vm); !why.empty()) return why;  // @rule 01-moved-before-maintenance
  if (const auto active = view.active_on(vm.uuid); !active.empty())
    return "it is active on " + joined(active, " and ");
  if (const auto others = view.namesake_on(vm.vm, vm.uuid); !others.empty()) {  // @rule 01-defined-anew
    return "another virtual server of that name, with another UUID, is active on " + joined(others, " and ") +
           ": if it was defined anew, failover protect " + vm.vm;
  }
  return {};
}

std::string Situation::could_be_in_maintenance(const Protected& vm) const {
  for (const auto& host : to_ask_in_maintenance()) {
    if (view.answered(host)) continue;
    const auto& mark = maintenance.at(host);
    const bool seen_since = vm.seen >= mark.time + kClocksDiffer;
    // From its mark on nothing is placed there.
    if (vm.host != host && (mark.empty || seen_since)) continue;
    return host + ", in maintenance since " + format_time(mark.time) +
           ", does not answer, and it was seen on " + vm.host + " for the last time at " +
           format_time(vm.seen) + ": it may have been moved to " + host + " before; switch " + host +
           " on, or, when it is surely off: fence --confirm-manual " + host + " | failover";
  }
  return {};
}

std::vector<Verdict> judge(const Situation& situation) {
  std::vector<Verdict> verdicts;
  for (const auto& vm : situation.vms) {
    if (auto verdict = Judge(situation, vm)()) verdicts.push_back(std::move(*verdict));
  }
  return verdicts;
}

}  // namespace rackline::failover
