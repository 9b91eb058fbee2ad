// SPDX-License-Identifier: Apache-2.0
// What is heard of the hosts.
#include "heartbeat/membership.h"

#include <algorithm>

namespace rackline::heartbeat {
namespace {

constexpr std::size_t kIncarnations = 4096;

}  // namespace

Membership::Membership(const WatchPolicy& policy, const std::vector<std::string>& hosts, std::uint64_t nonce,
                       Milliseconds now)
    : policy_(policy), patient_(policy.detector), nonce_(nonce), started_(now), hosts_(hosts.size()) {
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    hosts_[i].name = hosts[i];
    index_.emplace(hosts[i], i);
  }
}

std::optional<std::size_t> Membership::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

Membership::Heard Membership::beat(std::size_t index, const Message& beat, Milliseconds now) {
  Host& host = hosts_[index];
  // What is signed with the shared key, which others may have, counts here as well: a contradiction stops
  // starts and kills nothing, and to overlook the one that is true would let a server run twice.
  if (host.off) host.off->beat(beat.nonce, now);
  if (beat.nonce != nonce_of(index)) return Heard::kUnproven;  // @rule 01-first-word-has-to-answer
  if (beat.anew) forget(host);
  switch (age_of(host, beat.incarnation)) {
    case Age::kOld:
      host.twin_seen = now;
      return Heard::kTwin;
    case Age::kPresent:
      if (beat.seq <= host.net_seq) return Heard::kReplayed;  // @rule 01-replayed
      break;
    case Age::kNew:
      replace(host, beat.incarnation);
  }
  host.net_seq = beat.seq;
  if (now - host.noted_at >= policy_.detector.dead) {
    host.seq_before = host.seq_noted;
    host.seq_noted = beat.seq;
    host.noted_at = now;
  }
  host.net.heard(now, policy_.detector);
  host.beat = beat;
  host.key_id = beat.key_id;
  host.doubtful = beat.doubtful;
  // Fence would count upon it.
  if (beat.doubtful) host.beat.self_fence_ms = 0;  // @rule 03-shared-key-promises-nothing
  host.slot_leaving = false;
  host.peers_told = host.peers_reached = 0;
  host.peers_asked_at.reset();
  return Heard::kFresh;
}

Membership::Age Membership::age_of(const Host& host, std::uint64_t incarnation) {
  if (host.incarnation == incarnation) return Age::kPresent;
  return host.replaced.contains(incarnation) ? Age::kOld : Age::kNew;
}

void Membership::replace(Host& host, std::uint64_t incarnation) {
  if (host.incarnation != 0) host.replaced.insert(host.incarnation);
  if (host.incarnation != 0 && doubt_began_) rebooted_ = true;
  host.incarnation = incarnation;
  host.net_seq = host.slot_seq = host.seq_noted = host.seq_before = 0;
  // What the one before said of its leave does not count for this one.
  host.slot_leaving = host.beat.leaving = false;
  if (host.replaced.size() >= kIncarnations) wants_nonce_ = true;
}

// Else a number that is too high, or a life that is over, would make it silent.
void Membership::forget(Host& host) {
  host.replaced.clear();
  host.incarnation = host.net_seq = host.slot_seq = host.seq_noted = host.seq_before = 0;
  host.slot_leaving = host.beat.leaving = false;
  host.twin_seen.reset();
}

void Membership::renew(std::uint64_t nonce) {
  nonce_ = nonce;
  wants_nonce_ = false;
  // Of the present one nothing is forgotten: it goes on with a higher seq.
  for (Host& host : hosts_) {
    host.replaced.clear();
    // Whether its agent knows the new nonce is not known before its next beat: see Agent::cut_off().
    host.beat.self_fence_ms = 0;
  }
}

Membership::SlotHeard Membership::slot(std::size_t index, const Message& slot, Milliseconds now,
                                       std::optional<Milliseconds> began) {
  const SlotHeard heard = hear_slot(hosts_[index], slot, now);
  if (auto& off = hosts_[index].off) {
    const bool fresh = heard == SlotHeard::kFresh;
    off->slot(began.value_or(now), fresh, fresh && answers(slot, off->nonce()), now);
  }
  return heard;
}

Membership::SlotHeard Membership::hear_slot(Host& host, const Message& slot, Milliseconds now) {
  const bool same = host.slot_known && host.seen_incarnation == slot.incarnation && host.seen_seq == slot.seq;
  if (!host.slot_known) host.slot_changed = started_;
  host.slot_known = true;
  host.seen_incarnation = slot.incarnation;
  host.seen_seq = slot.seq;
  if (same) return SlotHeard::kSame;
  // Its agent may know one of the two only: the other one stands in the challenge, or is told by acks.
  const bool proven = answers(slot, nonce_) || (host.off && answers(slot, host.off->nonce()));
  if (slot.anew && proven) forget(host);
  const Age age = age_of(host, slot.incarnation);
  if (age == Age::kOld) return SlotHeard::kReplayed;
  if (!proven) {
    return host.slot_proven && age == Age::kPresent ? SlotHeard::kReplayed : SlotHeard::kUnproven;
  }
  if (age == Age::kPresent && slot.seq <= host.slot_seq) return SlotHeard::kReplayed;  // @rule 01-old-slots
  // Version 1 does not tell.
  if (age == Age::kPresent && slot.echo != 0 && slot.echo < host.seq_before)  // @rule 01-slots-kept-back
    return SlotHeard::kOvertaken;
  if (age == Age::kNew) replace(host, slot.incarnation);
  host.slot_seq = slot.seq;
  host.slot_changed = now;
  host.slot_proven = true;
  if (!host.net.ever()) host.key_id = slot.key_id;
  host.doubtful = slot.doubtful;
  host.slot_leaving = slot.leaving;
  return SlotHeard::kFresh;
}

void Membership::storage_works(bool works, Milliseconds now) {
  if (works && !storage_works_) storage_readable_ = now;
  storage_works_ = works;
}

void Membership::libvirt(std::size_t index, LibvirtAnswer answer, Milliseconds now,
                         std::optional<Milliseconds> asked) {
  Host& host = hosts_[index];
  host.libvirt = answer;
  host.libvirt_told = now;
  const bool lives = answer == LibvirtAnswer::kAnswers || answer == LibvirtAnswer::kRefused;
  if (host.off && asked && lives) host.off->libvirt(*asked, now);
  if (answer != LibvirtAnswer::kAnswers) return;
  host.libvirt_ever = true;
  host.libvirt_lived = now;
}

void Membership::told(std::size_t index, bool reached, Milliseconds now) {
  Host& host = hosts_[index];
  if (!host.peers_asked_at) return;
  ++host.peers_told;
  if (!reached) return;
  ++host.peers_reached;
  if (host.off) host.off->reached(*host.peers_asked_at, now);
}

void Membership::set_maintenance(const std::set<std::string, std::less<>>& hosts) {
  for (Host& host : hosts_) host.maintenance = hosts.contains(host.name);
}

void Membership::set_fenced(const std::set<std::string, std::less<>>& hosts) {
  for (Host& host : hosts_) host.fenced = hosts.contains(host.name);
}

void Membership::set_off(const std::map<std::string, std::string, std::less<>>& fences, std::uint64_t nonce,
                         Milliseconds began, Milliseconds now) {
  for (Host& host : hosts_) {
    const auto mark = fences.find(host.name);
    const bool same = host.off && mark != fences.end() && host.off->fence() == mark->second;
    if (same) {
      host.off->still_marked(began);
      continue;
    }
    if (!host.off && mark == fences.end()) continue;
    host.off.reset();
    if (mark != fences.end()) host.off.emplace(mark->second, nonce, now);
    // The nonce that its agent knows is not the one that is expected of it now: see Agent::cut_off().
    host.beat.self_fence_ms = 0;
  }
}

std::uint64_t Membership::nonce_of(std::size_t index) const {
  const Host& host = hosts_[index];
  return host.off ? host.off->nonce() : nonce_;
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> Membership::slot_seen(std::size_t index) const {
  const Host& host = hosts_[index];
  if (!host.slot_known) return std::nullopt;
  return std::pair(host.seen_incarnation, host.seen_seq);
}

}  // namespace rackline::heartbeat
