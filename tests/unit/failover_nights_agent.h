// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "failover_nights_world.h"
#include "heartbeat/message.h"

namespace rackline::failover::nights {

struct SlotOnStorage {
  heartbeat::Message message;
  bool written = false;
};

// heartbeat beat on one machine, in simulated time: what it tells and counts is what lib/heartbeat/agent.cc
// does with its sockets and threads.
class AgentModel {
 public:
  static constexpr Milliseconds kInterval{1000}, kSelfFence{30'000}, kDeadline{3000}, kBite{10'000};
  // Answers with an ack, or nothing.
  using Network = std::function<std::optional<heartbeat::Message>(const heartbeat::Message& beat)>;

  AgentModel(World& world, std::string host, bool fenced_by_self)
      : world_(world), host_(std::move(host)), fenced_by_self_(fenced_by_self) {
    next_ = world_.dice.time(0, 999);
  }

  SlotOnStorage slot;
  std::vector<std::string> others;
  int self_fenced = 0;

  void step(const Network& watcher, std::uint64_t challenge) {
    Machine& m = world_.machines.at(host_);
    if (!m.power || m.hung) started_.reset();
    if (!m.power || now() < m.booted) fed_.reset();
    // Where others rely on the agent alone, a hardware watchdog sees to it that it works.
    if (fenced_by_self_ && fed_ && now() - *fed_ >= kBite) {
      fed_.reset();
      world_.cut_power(m, "its watchdog");
      world_.give_power(m);
    }
    if (!world_.works(m)) return;
    if (!started_) begin();
    if (now() < next_) return;
    next_ = std::max(next_ + kInterval, now());
    if (now() - last_turn_ > 2 * kInterval && last_contact() >= woken_) woken_ = now();
    last_turn_ = now();
    beat(m, watcher, false);
    write_slot(m, challenge);
    ask_neighbours(m);
    guard(m);
    fed_ = now();
  }

 private:
  Milliseconds now() const { return world_.now(); }
  std::uint64_t number() { return static_cast<std::uint64_t>(world_.dice.pick(1, 2'000'000'000)); }

  void begin() {
    started_ = woken_ = last_turn_ = now();
    incarnation_ = number();
    seq_ = nonce_ = 0;
    acked_ = shown_ = Milliseconds{-1};
    answered_ = written_ = now();
    neighbours_.clear();
    fenced_ = self_fenced_ = false;
    cluster_ = 0;
    slot_seq_ = 0;
  }

  void beat(Machine& m, const Network& watcher, bool again) {
    if (now() >= m.libvirt_hangs && now() >= m.libvirt_gone) answered_ = now();
    heartbeat::Message beat;
    beat.type = heartbeat::Message::Type::kBeat;
    beat.name = host_;
    beat.incarnation = incarnation_;
    beat.seq = ++seq_;
    beat.nonce = nonce_;
    beat.libvirt_ok = now() - answered_ < Milliseconds{5000};
    beat.watchdog = fenced_by_self_;
    beat.storage_ok = now() - written_ < kDeadline;
    beat.self_fence_ms = fenced_by_self_ ? static_cast<std::uint32_t>(kSelfFence.count()) : 0;
    if (!world_.reached_by_watcher(m)) return;
    const auto ack = watcher(beat);
    if (!ack) return;
    const bool strange = nonce_ != ack->nonce;
    nonce_ = ack->nonce;
    cluster_ = ack->vms;
    if (ack->seq == incarnation_ && ack->replaced) {
      incarnation_ = number();
      if (!again) this->beat(m, watcher, true);
      return;
    }
    if (ack->seq == incarnation_) {
      acked_ = now();
      fenced_ = ack->fenced;
      if (!fenced_) self_fenced_ = false;
    }
    if (strange && !again) this->beat(m, watcher, true);
  }

  void write_slot(const Machine& m, std::uint64_t challenge) {
    if (!world_.has_storage(m)) return;
    heartbeat::Message message;
    message.type = heartbeat::Message::Type::kSlot;
    message.name = host_;
    message.incarnation = incarnation_;
    message.seq = ++slot_seq_;
    message.target = heartbeat::nonces_text({nonce_, challenge}, heartbeat::kMaxName);
    message.echo = seq_;  // the last over the network
    slot = {message, true};
    shown_ = written_ = now();
  }

  void ask_neighbours(const Machine& m) {
    if (fenced_by_self_ || now() - last_contact() < kSelfFence / 3) return;
    for (const auto& other : others) {
      if (world_.reach_each_other(m, world_.machines.at(other))) neighbours_[other] = now();
    }
  }

  std::optional<Milliseconds> majority_heard() const {
    const std::size_t needed = cluster_ / 2;
    if (needed == 0 || neighbours_.size() < needed) return std::nullopt;
    std::vector<Milliseconds> heard;
    for (const auto& [name, at] : neighbours_) heard.push_back(at);
    std::sort(heard.begin(), heard.end(), std::greater<>());
    return heard[needed - 1];
  }

  Milliseconds last_contact() const { return std::max({*started_, acked_, shown_}); }

  Milliseconds cut_off() const {
    const Milliseconds floor = std::max(*started_, woken_ - kSelfFence + 3 * kInterval);
    const auto since = [&](Milliseconds time) { return now() - std::max(time, floor); };
    const Milliseconds lost = std::min(since(acked_), since(shown_));
    const auto heard = fenced_by_self_ ? std::nullopt : majority_heard();
    return heard ? std::min(lost, now() - std::max(*heard, floor)) : lost;
  }

  void guard(Machine& m) {
    if (fenced_ && !self_fenced_) return stop_everything(m, "a watcher says that this host counts as off");
    if (cut_off() < kSelfFence) {
      if (!fenced_) self_fenced_ = false;
      return;
    }
    if (!self_fenced_) stop_everything(m, "cut off");
  }
  void stop_everything(Machine& m, const std::string& why) {
    self_fenced_ = true;
    ++self_fenced;
    world_.tell(host_ + " stops its servers: " + why);
    const auto running = m.running;
    for (const auto& server : running) world_.ends(m, server, "destroyed");
  }

  World& world_;
  const std::string host_;
  const bool fenced_by_self_;
  std::optional<Milliseconds> started_, fed_;
  Milliseconds next_{0}, woken_{0}, last_turn_{0}, acked_{-1}, shown_{-1}, answered_{0}, written_{0};
  std::uint64_t incarnation_ = 0, seq_ = 0, slot_seq_ = 0, nonce_ = 0;
  std::size_t cluster_ = 0;
  std::map<std::string, Milliseconds> neighbours_;
  bool fenced_ = false, self_fenced_ = false;
};

}  // namespace rackline::failover::nights
