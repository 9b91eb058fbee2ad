// SPDX-License-Identifier: Apache-2.0
// What follows from all that was heard, and from silence.
#include <algorithm>

#include "base/id.h"
#include "base/joined.h"
#include "base/units.h"
#include "heartbeat/membership.h"

namespace rackline::heartbeat {
namespace {

constexpr Milliseconds kLateRemembered{10'000};
constexpr Milliseconds kTwinRemembered{30'000};
constexpr Milliseconds kDoubtAgain{10'000};  // hosts fall silent one after the other: not one call for each
// Of one that lives: storage that takes its time is none that fails.
constexpr Milliseconds kStorageStands{3'000};

// Verdicts that silence alone does not take back.
bool firm(HostVerdict verdict) {
  return verdict == HostVerdict::kDown || verdict == HostVerdict::kIsolated ||
         verdict == HostVerdict::kPartitioned;
}

}  // namespace

void Membership::was_late(Milliseconds by, Milliseconds now) {
  for (Host& host : hosts_) {
    host.net.forgive(by);  // @rule 01-watcher-late
    if (host.off) host.off->forgive(by);
    host.slot_changed += by;  // @rule 01-watcher-late
    for (auto* time : {&host.libvirt_asked, &host.libvirt_told, &host.libvirt_lived, &host.peers_asked_at,
                       &host.slot_unreadable}) {
      if (*time) **time += by;
    }
  }
  started_ += by;
  storage_readable_ += by;
  if (by >= late_) {
    late_ = std::min(by, kLateRemembered);
    late_at_ = now;
  }
}

bool Membership::net_alive(const Host& host, Milliseconds now) const {
  return host.net.ever() && !host.net.suspicious(now, patient_);
}

// Over the network, in the way in which it is watched.
bool Membership::alive(const Host& host, Milliseconds now) const {
  if (!agentless(host)) return net_alive(host, now);
  return host.libvirt_lived && now - *host.libvirt_lived < 2 * patient_.dead;
}

Membership::Store Membership::store_of(const Host& host, Milliseconds now) const {
  if (!policy_.storage) return Store::kNone;
  if (!storage_works_) return Store::kUnknown;
  // Silence counts from when it could have been broken.
  // @rule 01-slot-unreadable: {}
  const Milliseconds unreadable = host.slot_unreadable.value_or(Milliseconds::min());
  // @rule 01-slot-unreadable
  if (host.slot_unreadable && now - unreadable < patient_.dead) return Store::kUnknown;
  if (!host.slot_known) return Store::kNever;
  if (!challenged_ && !host.net.ever()) return Store::kUnknown;
  // What stood there before is neither life nor silence, until it could have been answered.
  if (!host.slot_proven && now - challenged_.value_or(started_) < patient_.dead) return Store::kUnknown;
  const Milliseconds since = std::max({host.slot_changed, storage_readable_, unreadable});
  return now - since >= patient_.dead ? Store::kSilent : Store::kAlive;
}

Membership::Judgement Membership::judge(const Host& host, Milliseconds now) const {
  if (host.off && host.off->contradicted()) {  // @rule 21-life-after-fence
    return {HostVerdict::kFenceContradicted,
            "it is marked as fenced (" + host.off->fence() + "), and " + host.off->how() +
                (host.doubtful ? "; its agent beats with the shared key, " + key_id_text(host.key_id) +
                                     ", so that may be somebody else's word"
                               : "")};
  }
  Judgement judgement = judge_believed(host, now);
  // A sign of life that is signed with a key which too many have is a doubt: reason enough to declare nobody
  // dead, and not enough for anything else that it says. Somebody else may say it: that a host has no
  // hypervisor any more, is isolated or takes its leave has its consequences, too. When all that speaks for
  // the host is silent, and libvirtd as well, it is dead like any other.
  // @rule 01-shared-key-is-no-life
  if (host.doubtful && !host.maintenance && judgement.verdict != HostVerdict::kDown) {
    judgement.reason = "its agent beats with the shared key, " + key_id_text(host.key_id) +
                       ": give it its own (heartbeat key --host " + host.name + ")" +
                       (judgement.reason.empty() ? "" : "; ") + judgement.reason;
    judgement.verdict = HostVerdict::kSuspect;
  }
  if (host.claimed_at && now - *host.claimed_at < 2 * patient_.dead && !judgement.reason.empty())
    judgement.reason += "; " + host.claim;  // @rule 01-claims-are-told
  return judgement;
}

Membership::Judgement Membership::judge_believed(const Host& host, Milliseconds now) const {
  if (host.maintenance) return {HostVerdict::kMaintenance, "a person has announced it"};
  const bool heard = net_alive(host, now);
  const bool leaving = host.net.ever() ? host.beat.leaving : false;
  if (leaving || (host.slot_leaving && !heard))
    return {HostVerdict::kMaintenance, "its agent was stopped in order"};
  if (!heard) return agentless(host) ? judge_agentless(host, now) : judge_silent(host, now);
  if (host.twin_seen && now - *host.twin_seen < kTwinRemembered) {
    return {HostVerdict::kSuspect, "two agents use its name"};
  }
  if (!host.beat.libvirt_ok)
    return {HostVerdict::kHypervisorDown, "its agent lives, and gets no answer of libvirtd"};
  if (policy_.storage && host.slot_known && !host.beat.storage_ok) {
    return {HostVerdict::kSuspect, "its agent lives, and cannot write to the storage"};
  }
  if (store_of(host, now) == Store::kSilent && now - host.slot_changed >= kStorageStands) {
    return {HostVerdict::kSuspect, "its agent lives, and nothing that it writes arrives on the storage"};
  }
  if (flapping(host, now)) {
    return {HostVerdict::kSuspect,
            "it comes and goes: " + format_duration(policy_.flap_hold) + " of calm are awaited"};
  }
  return {HostVerdict::kUp, {}};
}

// It may have died before the watcher began, or be alive and cut off: nothing tells the two apart.
Membership::Judgement Membership::never_heard(const Host& host) const {
  std::string reason = "never heard of since the watcher began";
  if (host.fenced) return {HostVerdict::kSuspect, reason + ", and marked as fenced"};
  if (!host.last_contact.empty()) reason += "; last heard of at " + host.last_contact;
  return {HostVerdict::kUnknown, reason};
}

Membership::Judgement Membership::judge_agentless(const Host& host, Milliseconds now) const {
  if (host.libvirt == LibvirtAnswer::kRefused)
    return {HostVerdict::kHypervisorDown, "the host refuses connections to libvirtd; it has no agent"};
  if (!host.libvirt_lived) return never_heard(host);
  const Milliseconds silence = now - *host.libvirt_lived;
  if (silence < 2 * patient_.dead) {
    if (host.libvirt != LibvirtAnswer::kTimeout) return {HostVerdict::kUp, {}};
    return {HostVerdict::kSuspect, "libvirtd does not answer; it has no agent"};
  }
  if (host.libvirt != LibvirtAnswer::kTimeout)
    return {HostVerdict::kSuspect,
            "too many hosts are silent for its libvirtd to have been asked; it has no agent"};
  if (host.connects) {  // @rule 01-kernel-answers
    return {HostVerdict::kHypervisorDown,
            "its kernel takes connections, and libvirtd does not answer; it has no agent"};
  }
  if (doubting_)  // @rule 02-agentless-doubts
    return {HostVerdict::kSuspect, "silent, but so are too many others"};
  return {HostVerdict::kDown,
          "libvirtd has not answered for " + format_duration(silence) + "; it has no agent"};
}

std::optional<LibvirtAnswer> Membership::libvirt_now(const Host& host, Milliseconds now) const {
  if (!host.libvirt_told || *host.libvirt_told <= silent_since(host, now)) return std::nullopt;
  return host.libvirt;
}

bool Membership::waiting_for_answers(const Host& host, Milliseconds now) const {
  const bool peers =
      host.peers_asked_at && host.peers_told == 0 && now - *host.peers_asked_at < policy_.answer;
  return peers || !libvirt_now(host, now);
}

// Its agent was heard of once, and is not any more.
Membership::Judgement Membership::judge_silent(const Host& host, Milliseconds now) const {
  const Milliseconds silence = host.net.ever() ? host.net.silence(now) : now - started_;
  const std::string since = "no heartbeat for " + format_duration(silence);
  const bool dead = host.net.ever() ? host.net.dead(now, patient_) : silence >= policy_.start_grace;
  if (!dead) return {HostVerdict::kSuspect, since};
  if (host.peers_reached > 0)  // @rule 02-partitioned
    return {HostVerdict::kPartitioned,
            since + ", and " + std::to_string(host.peers_reached) + " other hosts reach it"};
  const auto libvirt = libvirt_now(host, now);
  if (libvirt == LibvirtAnswer::kAnswers)  // @rule 01-libvirtd-answers
    return {HostVerdict::kSuspect, since + ", but libvirtd answers: its agent has failed, or is blocked"};
  const Store store = store_of(host, now);
  if (store == Store::kAlive) {  // @rule 02-isolated
    // Only a beat on the storage that is clearly younger than the last one over the network tells the two
    // apart.
    const bool younger = silence - (now - host.slot_changed) >= policy_.detector.suspect;
    if (younger) return {HostVerdict::kIsolated, since + " over the network, and it writes to the storage"};
    return {HostVerdict::kSuspect, since};
  }
  if (libvirt == LibvirtAnswer::kRefused)
    return {HostVerdict::kHypervisorDown,
            since + "; its kernel answers, and neither agent nor libvirtd runs"};
  if (store == Store::kUnknown)  // @rule 01-storage-unknown
    return {HostVerdict::kSuspect, since + "; the watcher itself cannot use the storage, so it cannot know"};
  if (waiting_for_answers(host, now)) return {HostVerdict::kSuspect, since};  // @rule 01-answers-awaited
  if (doubting_) return {HostVerdict::kSuspect, since + ", but too many others are silent as well"};
  if (may_be_booting(host, now))
    return {HostVerdict::kSuspect, since + ", as others that were started anew since: it may be booting"};
  std::string reason = since;
  if (store == Store::kSilent) reason += ", nor on the storage";
  if (host.peers_told > 0) reason += "; " + std::to_string(host.peers_told) + " other hosts do not reach it";
  return {HostVerdict::kDown, reason};
}

bool Membership::flapping(const Host& host, Milliseconds now) const {
  return host.suspicions.size() >= static_cast<std::size_t>(policy_.flaps) &&  // @rule 04-flapping: false
         now - host.silent_at < policy_.flap_hold;
}

void Membership::wish(Host& host, std::size_t index, Milliseconds now, Round& round) {
  // Agents are believed without questions; the silent ones and those without agent are asked again and again.
  if (host.maintenance || net_alive(host, now)) return;
  // When the watcher begins, agents have the time of a beat to make themselves heard.
  if (!host.net.ever() && now - started_ < policy_.detector.interval) return;
  const Milliseconds again =
      std::max(agentless(host) || firm(host.verdict) ? patient_.dead : patient_.suspect, policy_.answer);
  Wish wish{index, false, false, false};
  if (host.libvirt_asked && (!host.libvirt_told || *host.libvirt_told < *host.libvirt_asked) &&
      now - *host.libvirt_asked >= policy_.answer) {
    host.libvirt = LibvirtAnswer::kTimeout;
    host.libvirt_told = now;
    wish.connect = agentless(host);
  }
  if (!host.libvirt_asked || now - *host.libvirt_asked >= again) {
    host.libvirt_asked = now;
    wish.libvirt = true;
  }
  if (host.net.ever() && (!host.peers_asked_at || now - *host.peers_asked_at >= again)) {
    host.peers_asked_at = now;
    host.peers_told = host.peers_reached = 0;
    wish.peers = true;
  }
  if (wish.libvirt || wish.peers || wish.connect) round.wishes.push_back(wish);
}

void Membership::doubt(Milliseconds now, Round& round) {
  watched_ = 0;
  bool news = false;
  std::vector<std::string_view> silent;
  for (Host& host : hosts_) {
    const bool counts = !host.maintenance && !host.fenced && host.verdict != HostVerdict::kMaintenance;
    watched_ += counts ? 1 : 0;
    if (!counts || alive(host, now)) {
      host.doubted = false;
      continue;
    }
    news = news || !host.doubted;
    silent.push_back(host.name);
  }
  silent_ = static_cast<std::int64_t>(silent.size());
  const bool doubting = silent_ * 2 > watched_;
  // Whoever falls silent later is named, too: nobody else calls a person for it.
  if (doubting && begun_ && (!doubting_ || (news && now - doubt_told_ >= kDoubtAgain))) {
    for (Host& host : hosts_) host.doubted = host.doubted || !alive(host, now);
    doubt_told_ = now;
    record::WatcherSuspect doubt;
    doubt.reason = std::to_string(silent_) + " of " + std::to_string(watched_) + " hosts are silent (" +
                   joined_some(silent) +
                   "): that is likelier to be the watcher's own fault, and nobody is "
                   "declared dead; look at "
                   "its network, and at the hosts";
    doubt.hosts_silent = silent_;
    doubt.hosts_watched = watched_;
    round.doubt = std::move(doubt);  // @rule 02-watcher-escalates
  }
  // That nobody has been heard yet when the watcher begins is no storm.
  if (doubting && begun_ && (!doubting_ || !doubt_began_)) {
    doubt_began_ = now;
    doubt_ended_.reset();
    rebooted_ = false;
  }
  if (!doubting && doubting_) doubt_ended_ = now;
  doubting_ = doubting;  // @rule 02-watcher-doubts
}

// Hosts whose power failed together do not come back together. One that is switched off in the middle of its
// boot was not healed but hurt, and its servers are started where there may be no room for all of them. A
// fault of the network alone gives nobody more time: the agents are then the same as before.
bool Membership::may_be_booting(const Host& host, Milliseconds now) const {
  return rebooted_ && doubt_ended_ &&
         silent_since(host, now) <= *doubt_ended_ &&  // @rule 02-booting-after-a-storm: false
         now - *doubt_ended_ < policy_.storm_grace;
}

void Membership::change(Host& host, Judgement judgement, Milliseconds now, Round& round) {
  const bool was_up = host.verdict == HostVerdict::kUp;
  const bool is_well =
      judgement.verdict == HostVerdict::kUp || judgement.verdict == HostVerdict::kMaintenance;
  if (!is_well && host.incident.empty()) host.incident = random_id();
  if (was_up && !is_well && !net_alive(host, now)) {
    host.suspicions.push_back(now);
    while (now - host.suspicions.front() > policy_.flap_window) host.suspicions.pop_front();
  }
  host.verdict = judgement.verdict;
  host.reason = std::move(judgement.reason);
  round.transitions.push_back({host.verdict, record_of(host, now)});
  if (is_well) host.incident.clear();
}

Membership::Round Membership::tick(Milliseconds now) {
  Round round;
  if (now - late_at_ > kLateRemembered) late_ = Milliseconds{0};
  patient_ = policy_.detector;
  patient_.suspect += late_;
  patient_.dead += late_;
  doubt(now, round);
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    Host& host = hosts_[i];
    wish(host, i, now, round);
    if (!begun_) continue;
    if (!net_alive(host, now)) host.silent_at = now;
    Judgement judgement = judge(host, now);
    if (judgement.verdict == host.verdict) continue;
    // Whoever waits for it to have fenced itself has to know that it answers.
    // @rule 01-answers-again: false
    const bool answers = !agentless(host) && libvirt_now(host, now) == LibvirtAnswer::kAnswers;
    if (judgement.verdict == HostVerdict::kSuspect && firm(host.verdict) && !net_alive(host, now) && !answers)
      continue;
    change(host, std::move(judgement), now, round);
  }
  return round;
}

bool Membership::settled(Milliseconds now) const {
  if (now - started_ >= policy_.start_grace + policy_.answer) return true;
  return std::all_of(hosts_.begin(), hosts_.end(), [&](const Host& host) {
    const HostVerdict verdict = judge(host, now).verdict;
    if (verdict == HostVerdict::kMaintenance) return true;
    // Its slot is about to answer the challenge, or to show that it does not.
    const bool unanswered = storage_works_ && host.slot_known && !host.slot_proven;
    return verdict == HostVerdict::kUp && !(unanswered && store_of(host, now) == Store::kUnknown);
  });
}

std::vector<Transition> Membership::snapshot(Milliseconds now) {
  Round round = tick(now);
  begun_ = true;
  for (Host& host : hosts_) change(host, judge(host, now), now, round);
  for (Transition& transition : round.transitions) transition.record.snapshot = true;
  return std::move(round.transitions);
}

std::vector<std::size_t> Membership::peers_of(std::size_t host, std::size_t count) const {
  std::vector<std::size_t> peers;
  // Beginning after the host, so that not the same few are asked about every one.
  for (std::size_t step = 1; step < hosts_.size() && peers.size() < count; ++step) {
    const std::size_t i = (host + step) % hosts_.size();
    if (hosts_[i].verdict == HostVerdict::kUp && hosts_[i].net.ever()) peers.push_back(i);
  }
  return peers;
}

}  // namespace rackline::heartbeat
