// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/marks.h"
#include "failover_nights_agent.h"
#include "failover_nights_store.h"
#include "heartbeat/membership.h"

namespace rackline::failover::nights {

// heartbeat watch in simulated time: the real Membership, told what its machine hears of the world.
class WatchModel {
 public:
  struct Hooks {
    std::function<void(const heartbeat::Transition&)> transition;
    std::function<void(const record::WatcherSuspect&)> doubt;
    std::function<void(const std::string& host)> contradicted;  // marked as fenced, and it beats
  };

  WatchModel(World& world, store::Store& store, std::map<std::string, AgentModel>& agents,
             heartbeat::WatchPolicy policy, Hooks hooks)
      : world_(world),
        store_(store),
        agents_(agents),
        hooks_(std::move(hooks)),
        nonce_(static_cast<std::uint64_t>(world.dice.pick(1, 2'000'000'000))),
        membership_(policy, names(world), nonce_, world.now()) {
    read_marks();
  }

  std::uint64_t challenge() const { return challenge_; }

  heartbeat::Message hear(const heartbeat::Message& beat) {
    const auto host = *membership_.find(beat.name);
    const auto heard = membership_.beat(host, beat, now());
    if (heard == heartbeat::Membership::Heard::kFresh && fenced_.contains(beat.name) &&
        told_[beat.name] == 0) {
      told_[beat.name] = 1;
      hooks_.contradicted(beat.name);
    }
    heartbeat::Message ack;
    ack.type = heartbeat::Message::Type::kAck;
    ack.nonce = nonce_;
    ack.seq = beat.incarnation;
    ack.echo = beat.seq;
    ack.name = beat.name;
    ack.fenced = membership_.fenced(host);
    ack.replaced = heard == heartbeat::Membership::Heard::kTwin && membership_.may_return(host, now());
    ack.vms = static_cast<std::uint16_t>(membership_.size());
    return ack;
  }

  void step() {
    if (now() >= next_marks_) {
      next_marks_ = now() + Milliseconds{1000};
      read_marks();
    }
    read_storage();
    while (!answers_.empty() && answers_.front().at <= now()) {
      membership_.libvirt(answers_.front().host, answers_.front().answer, now());
      answers_.pop_front();
    }
    while (!told_by_peers_.empty() && told_by_peers_.front().at <= now()) {
      membership_.told(told_by_peers_.front().host, told_by_peers_.front().reached, now());
      told_by_peers_.pop_front();
    }
    auto round = membership_.tick(now());
    for (const auto& wish : round.wishes) fulfil(wish);
    if (!begun_ && membership_.settled(now())) {
      begun_ = true;
      for (const auto& transition : membership_.snapshot(now())) hooks_.transition(transition);
    }
    if (round.doubt) hooks_.doubt(*round.doubt);
    for (const auto& transition : round.transitions) hooks_.transition(transition);
  }

 private:
  static std::vector<std::string> names(const World& world) {
    std::vector<std::string> all;
    for (const auto& [name, machine] : world.machines) all.push_back(name);
    return all;
  }
  Milliseconds now() const { return world_.now(); }
  const Machine& machine(std::size_t host) const { return world_.machines.at(membership_.name(host)); }

  void read_marks() {
    std::set<std::string, std::less<>> all, maintenance;
    fenced_.clear();
    for (const auto& mark : cluster::fence_marks(store_)) {
      all.insert(mark.host);
      if (mark.state == cluster::FenceMark::State::kFenced)
        fenced_.insert(mark.host);
      else
        told_.erase(mark.host);
    }
    for (const auto& mark : cluster::maintenance_marks(store_)) maintenance.insert(mark.host);
    std::erase_if(told_, [&](const auto& told) { return !fenced_.contains(told.first); });
    membership_.set_fenced(all);
    membership_.set_maintenance(maintenance);
  }

  void read_storage() {
    if (now() >= world_.storage_paused) {
      storage_read_ = now();
      if (challenge_ == 0) challenge_ = nonce_;
      membership_.challenged(now());
    }
    membership_.storage_works(storage_read_ && now() - *storage_read_ < Milliseconds{2000}, now());
    if (storage_read_ != now()) return;
    for (auto& [name, agent] : agents_) {
      if (agent.slot.written) membership_.slot(*membership_.find(name), agent.slot.message, now());
    }
  }

  void fulfil(const heartbeat::Membership::Wish& wish) {
    const Machine& m = machine(wish.host);
    const bool reached = world_.reached_by_watcher(m);
    const auto soon = now() + NightTime::kStep;
    if (wish.connect) membership_.connects(wish.host, reached && now() >= m.libvirt_gone);
    if (wish.libvirt && reached && now() >= m.libvirt_hangs) {
      answers_.push_back(
          {soon, wish.host,
           now() < m.libvirt_gone ? heartbeat::LibvirtAnswer::kRefused : heartbeat::LibvirtAnswer::kAnswers});
    }
    if (!wish.peers) return;
    for (const auto helper : membership_.peers_of(wish.host, 3)) {
      if (!world_.reached_by_watcher(machine(helper))) continue;
      const bool heard = world_.reach_each_other(machine(helper), m);
      // One that hears nothing waits before it says so.
      told_by_peers_.push_back({heard ? soon : now() + Milliseconds{800}, wish.host, heard});
    }
    std::stable_sort(told_by_peers_.begin(), told_by_peers_.end(),
                     [](const Told& a, const Told& b) { return a.at < b.at; });
  }

  struct Answer {
    Milliseconds at;
    std::size_t host;
    heartbeat::LibvirtAnswer answer;
  };
  struct Told {
    Milliseconds at;
    std::size_t host;
    bool reached;
  };
  World& world_;
  store::Store& store_;
  std::map<std::string, AgentModel>& agents_;
  Hooks hooks_;
  std::uint64_t nonce_, challenge_ = 0;
  heartbeat::Membership membership_;
  std::deque<Answer> answers_;
  std::deque<Told> told_by_peers_;
  std::optional<Milliseconds> storage_read_;
  Milliseconds next_marks_{0};
  std::set<std::string, std::less<>> fenced_;
  std::map<std::string, int> told_;
  bool begun_ = false;
};

}  // namespace rackline::failover::nights
