// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "heartbeat/agent_keys.h"
#include "heartbeat/key_ring.h"
#include "heartbeat/membership.h"

namespace rackline::heartbeat {

// Agents and a watcher with their keys, in simulated time and without a network: what one says is in the same
// moment what the other hears.
class KeyedCluster {
 public:
  static constexpr std::uint64_t kNonce = 77;

  explicit KeyedCluster(int number) {
    for (int i = 1; i <= number; ++i) names.push_back("h" + std::to_string(i));
    policy.storage = true;
  }

  struct Life {
    std::optional<AgentKeys> keys;
    std::uint64_t incarnation = 0, seq = 0, slot_seq = 0;
    bool net = true, slots = true, leaving = false, libvirt_ok = true;
  };

  void start_watcher(const std::string& text, bool accept_shared = false) {
    ring.emplace(text, "c", names, accept_shared);
    membership.emplace(policy, names, kNonce, now);
    membership->challenged(now);
    run(std::chrono::seconds{2});
    for (auto& t : membership->snapshot(now)) seen.push_back(std::move(t));
  }
  void start_agent(const std::string& host, const std::string& text) {
    Life& life = lives[host];
    life.keys.emplace(text, host, "c");
    life.incarnation = ++incarnations;
    life.seq = life.slot_seq = 0;
  }

  Message beat_of(const std::string& host) {
    Life& life = lives[host];
    Message beat;
    beat.name = host;
    beat.incarnation = life.incarnation;
    beat.seq = ++life.seq;
    beat.nonce = kNonce;
    beat.libvirt_ok = life.libvirt_ok;
    beat.storage_ok = true;
    beat.leaving = life.leaving;
    return beat;
  }
  Message slot_of(const std::string& host) {
    Life& life = lives[host];
    Message slot = beat_of(host);
    --life.seq;
    slot.type = Message::Type::kSlot;
    slot.echo = life.seq;
    slot.seq = ++life.slot_seq;
    slot.leaving = life.leaving;
    return slot;
  }
  static std::vector<std::uint8_t> bytes_of(const Message& message, Signer& signer) {
    MessageBytes bytes;
    const std::size_t length = signer.encode(message, bytes);
    return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)};
  }

  // As Watcher does.
  KeyRing::Heard hear(const std::vector<std::uint8_t>& bytes) {
    Message message;
    const auto heard = ring->decode(bytes, message);
    if (heard.claimed) membership->claimed(*heard.claimed, heard.refusal, now);
    if (!heard.voice || message.type != Message::Type::kBeat) return heard;
    const auto host = membership->find(message.name);
    if (host && membership->beat(*host, message, now) == Membership::Heard::kFresh)
      ring->spoke(*host, *heard.voice, message.incarnation);
    return heard;
  }
  KeyRing::Heard read_slot(const std::string& host, const std::vector<std::uint8_t>& bytes) {
    Message message;
    const auto heard = ring->decode_slot(bytes, message);
    const auto index = *membership->find(host);
    if (heard.voice && message.type == Message::Type::kSlot && message.name == host &&
        membership->slot(index, message, now) == Membership::SlotHeard::kFresh)
      ring->spoke(index, *heard.voice, message.incarnation);
    return heard;
  }

  void step() {
    now += Milliseconds{100};
    membership->storage_works(true, now);
    if (now % std::chrono::seconds{1} == Milliseconds{0}) {
      for (auto& [host, life] : lives) {
        if (!life.keys) continue;
        for (Signer& signer : life.keys->signers()) {
          const Message beat = beat_of(host);
          if (life.net) hear(bytes_of(beat, signer));
        }
        if (life.slots) read_slot(host, life.keys->slot(slot_of(host)));
      }
    }
    if (each_step) each_step();
    auto round = membership->tick(now);
    for (const auto& wish : round.wishes) {
      if (wish.peers) membership->told(wish.host, false, now);
    }
    for (auto& t : round.transitions) seen.push_back(std::move(t));
  }
  void run(Milliseconds time) {
    for (const auto until = now + time; now < until;) step();
  }
  HostVerdict of(const std::string& host) const { return membership->verdict(*membership->find(host)); }
  std::string last_reason() const {
    return seen.empty() ? std::string() : seen.back().record.reason.value_or("");
  }

  WatchPolicy policy;
  std::vector<std::string> names;
  Milliseconds now{0};
  std::optional<KeyRing> ring;
  std::optional<Membership> membership;
  std::map<std::string, Life> lives;
  std::vector<Transition> seen;
  std::uint64_t incarnations = 0;
  std::function<void()> each_step;
};

}  // namespace rackline::heartbeat
