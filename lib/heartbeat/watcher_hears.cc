// SPDX-License-Identifier: Apache-2.0
// What the watcher makes of a message, and of a slot on the storage.
#include <algorithm>
#include <utility>

#include "cluster/name.h"
#include "heartbeat/watcher.h"

namespace rackline::heartbeat {

void Watcher::refuse(const KeyRing::Heard& heard, const net::Endpoint& from) {
  complaints_.add(heard.refusal, from, heard.detail);
  if (!heard.claimed) return;
  membership_.claimed(*heard.claimed,
                      "there were " + heard.refusal + (heard.detail.empty() ? "" : ", " + heard.detail) +
                          (from.length == 0 ? "" : ", from " + from.text()),
                      now());
}

// Each by its name, which whoever has a key of ours chooses: no more of them than leave room for other
// complaints, and nothing that a terminal would obey.
void Watcher::hear_stranger(const std::string& name, const net::Endpoint& from) {
  constexpr std::size_t kNamed = 16;
  const std::string shown = cluster::shown_name(name);
  if (strangers_.contains(shown) || strangers_.size() < kNamed) {
    strangers_.insert(shown);
    return complain("a heartbeat of a host that is not in the inventory, " + shown, from);
  }
  complaints_.add("heartbeats of other hosts that are not in the inventory", from, "of " + shown);
}

void Watcher::hear_beat(const Message& beat, const KeyRing::Voice& voice, const net::Endpoint& from) {
  const auto host = membership_.find(beat.name);
  if (!host) return hear_stranger(beat.name, from);
  const auto heard = membership_.beat(*host, beat, now());
  if (heard == Membership::Heard::kReplayed) return complain("heartbeats that were seen before", from);
  if (heard == Membership::Heard::kTwin) complain("two agents use the name " + beat.name, from);
  if (heard == Membership::Heard::kFresh) {
    keys_.spoke(*host, voice, beat.incarnation);
    membership_.signs_with(*host, keys_.id_of(*keys_.voice_of(*host)));
    peers_[*host].address = from;
    if (hooks_.seen) {
      record::HeartbeatSeen seen;
      seen.host = beat.name;
      seen.at_ms = now().count();
      seen.seq = static_cast<std::int64_t>(beat.seq);
      hooks_.seen(seen);
    }
  }
  Message ack;
  ack.type = Message::Type::kAck;
  ack.nonce = membership_.nonce_of(*host);
  ack.echo = beat.seq;
  ack.name = beat.name;
  // One that only looks tells the number that a beat has to bring, and no more. An ack that names no run of
  // the agent is no contact: it neither puts its self-fencing off nor says whether the host counts as off, of
  // which this look may know less than the watcher.
  if (!options_.once) {  // @rule 03-a-look-is-no-watcher: true
    ack.seq = beat.incarnation;
    ack.fenced = membership_.fenced(*host);
    ack.replaced = heard == Membership::Heard::kTwin && membership_.may_return(*host, now());
    ack.vms = static_cast<std::uint16_t>(std::min<std::size_t>(membership_.size(), UINT16_MAX));
    ack.target = tell_of_another(*host, voice);
  }
  // With the key that the beat was signed with: its agent has that one.
  MessageBytes bytes;
  socket_.send(from, {bytes.data(), keys_.encode(ack, voice, bytes)});
}

void Watcher::hear(std::span<const std::uint8_t> bytes, const net::Endpoint& from) {
  const KeyRing::Heard heard = keys_.decode(bytes, message_);
  if (!heard.refusal.empty()) return refuse(heard, from);
  if (!heard.voice) return hear_stranger(message_.name, from);
  if (message_.type == Message::Type::kBeat) return hear_beat(message_, *heard.voice, from);
  if (message_.type == Message::Type::kTold) return hear_told(message_, *heard.voice, from);
  if (message_.type == Message::Type::kWitness) return hear_witness(message_, *heard.voice, from);
}

// The answer of one that was asked, to the question that was asked last, and once. That it reaches the host
// is no more than its word: in version 1 there is nothing better, else the host itself has to say so.
void Watcher::hear_told(const Message& told, const KeyRing::Voice& voice, const net::Endpoint& from) {
  const std::string& about = voice.shared ? told.name : told.target;
  const auto host = membership_.find(about);
  if (!host || told.nonce != nonce_) return;
  Peer& peer = peers_[*host];
  const auto asked = std::find_if(peer.asked.begin(), peer.asked.end(), [&](std::size_t helper) {
    return peers_[helper].address == from && (voice.shared || helper == voice.host);
  });
  if (told.echo != peer.ask || asked == peer.asked.end())
    return complain("an answer about " + about + " that nobody was asked for", from);
  peer.asked.erase(asked);
  membership_.told(*host, voice.shared && told.reached, now());
}

// The host that was asked about says itself that it lives, and a host that reaches it has passed that on. It
// repeats the number of the question, which nobody could know before: that it lives now.
void Watcher::hear_witness(const Message& witness, const KeyRing::Voice& voice, const net::Endpoint& from) {
  if (voice.shared || witness.nonce != nonce_) return;
  Peer& peer = peers_[voice.host];
  const auto asked = std::find_if(peer.asked.begin(), peer.asked.end(),
                                  [&](std::size_t helper) { return peers_[helper].address == from; });
  if (witness.echo != peer.ask || asked == peer.asked.end())
    return complain("an answer of " + witness.name + " that nobody was asked for", from);
  peer.asked.erase(asked);
  membership_.told(voice.host, true, now());
}

// Agents have to know each other's addresses before they need them: each ack tells one, in turn.
std::string Watcher::tell_of_another(std::size_t host, const KeyRing::Voice& voice) {
  std::size_t& next = peers_[host].next_told;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const std::size_t other = next = (next + 1) % peers_.size();
    if (other == host || peers_[other].address.length == 0) continue;
    if (std::string text = keys_.introduce(voice, other, peers_[other].address.text()); !text.empty())
      return text;
  }
  return {};
}

void Watcher::hear_slot(std::size_t host, const std::vector<std::uint8_t>& bytes, Milliseconds began) {
  const KeyRing::Heard heard = keys_.decode_slot(bytes, message_);
  const std::string& name = membership_.name(host);
  if (heard.claimed || heard.reject == Reject::kForged || heard.reject == Reject::kForeign) {
    KeyRing::Heard here = heard;
    here.claimed = host;
    here.refusal = "in the slot of " + name + " on the storage: " + heard.refusal;
    return refuse(here, {});
  }
  if (heard.reject != Reject::kNone || message_.type != Message::Type::kSlot) return;
  if (message_.name != name)  // @rule 01-slot-of-another-host
    return complain(
        "the slot of " + name + " on the storage holds one of " + cluster::shown_name(message_.name), {});
  const auto slot = membership_.slot(host, message_, now(), began);
  // Of a host that is not heard over the network it is the only word on which key it has.
  if (heard.voice && (slot == Membership::SlotHeard::kFresh || !keys_.voice_of(host)))
    keys_.spoke(host, *heard.voice, message_.incarnation);
  switch (slot) {
    case Membership::SlotHeard::kReplayed:
      return complain("an old slot of " + name + " was put back on the storage: it is no sign of life", {});
    case Membership::SlotHeard::kUnproven:
      // As it was before this watcher began, it is nobody's fault.
      if (std::exchange(peers_[host].slot_read, true) && now() - started_ > options_.policy.start_grace) {
        complain("the slot of " + name +
                     " changes and does not answer this watcher's challenge: old ones are put back there, "
                     "or its agent is of an older version",
                 {});
      }
      return;
    default:
      return;
  }
}

}  // namespace rackline::heartbeat
