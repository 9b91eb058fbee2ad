// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "failover/clear.h"
#include "failover/protect.h"
#include "failover/recovery.h"
#include "failover_nights_hosts.h"
#include "failover_nights_power.h"
#include "failover_nights_setup.h"
#include "failover_nights_watch.h"
#include "fence/identity.h"
#include "fence/manual.h"
#include "fence/records.h"

namespace rackline::failover::nights {

// What a person was told.
struct Call {
  Milliseconds at;
  std::string about;  // the host or the server
  std::string text;
};

// One start of `heartbeat watch | fence | failover`, as the three programs build it of lib. It is killed
// with this object.
class Pipeline {
 public:
  Pipeline(World& world, store::MemoryStore& archive, std::map<std::string, AgentModel>& agents,
           const Setup& setup, std::vector<Call>& calls)
      : world_(world),
        setup_(setup),
        calls_(calls),
        store_(archive, life_),
        clock_(world.time, *life_),
        power_(world, {[this](Milliseconds time) { return sleep(time); },
                       [this](const std::string& host) { told_off(host); }}),
        guard_(power_, store_, setup.require_identity),
        cluster_(world, life_) {
    world_.time.revive();
    engine_ = std::make_unique<fence::FenceEngine>(
        setup_.fence, fence_world(), [this](const fence::FenceReport& report) { finished(report); });
    for (const auto& open : fence::FenceJournal(store_, clock_).open())
      world_.time.began(open.host, open.cause);
    engine_->settle();
    world_.time.settle();
    watch_ = std::make_unique<WatchModel>(
        world_, store_, agents, setup_.watch,
        WatchModel::Hooks{[this](const heartbeat::Transition& t) { heard(t); },
                          [this](const record::WatcherSuspect& doubt) { call("the watcher", doubt.reason); },
                          [this](const std::string& host) { contradicted(host); }});
    recovery_ = std::make_unique<Recovery>(
        setup_.recovery, setup_.inventory, cluster_, store_, clock_,
        [](const probe::Check&, Milliseconds) { return probe::Answer{true}; },
        Recovery::Hooks{.restarted = [this](const record::VmRestarted& r) { restarted(r); },
                        .not_restarted = [this](const record::VmNotRestarted& r) { not_restarted(r); },
                        .warn = [this](const std::string& text) { call("", text); }});
    safely([this] { recovery_->settle(); });
    due_ = world_.now();
  }
  ~Pipeline() {
    life_->dead = true;
    world_.time.kill();
    recovery_.reset();
    engine_.reset();
    world_.time.revive();
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  bool dead() const { return life_->dead; }
  void die_with_write(int number) { life_->writes_left = number; }

  // At every step of the world.
  void step() {
    if (!dead()) watch_->step();
  }
  std::optional<heartbeat::Message> hear(const heartbeat::Message& beat) {
    return dead() ? std::nullopt : std::optional(watch_->hear(beat));
  }
  std::uint64_t challenge() const { return watch_->challenge(); }

  // The loop of failover. Between two steps of the world; time may pass.
  void turn() {
    if (dead()) return;
    safely([this] {
      for (const auto& host : std::exchange(contradictions_, {})) recovery_->contradict({host});
      if (!fenced_.empty()) {
        const auto [record, at] = fenced_.front();
        fenced_.pop_front();
        recovery_->accept(record, at);
      } else if (world_.now() >= due_) {
        if (recovery_->pending()) recovery_->retry();
        recovery_->keep();
      } else {
        return;
      }
      due_ = world_.now() + Milliseconds{recovery_->pending() ? 5000 : 10'000};
    });
  }

  // What a person types beside it.
  void refresh() {
    by_hand([this] {
      Protector(setup_.inventory, cluster_, store_, clock_, NightCluster::kPatience, false,
                {.stored = [](const record::VmProtected&) {}, .warn = [](const std::string&) {}})
          .refresh();
    });
  }
  void unfence(const std::string& host) {
    by_hand([&] {
      auto world = fence_world();
      auto policy = setup_.fence;
      policy.lock_patience = Milliseconds{0};  // the store waits in the time of this machine
      world_.tell("fence unfence " + host + ": " + fence::unfence(world, policy, host).reason);
    });
  }
  void clear(const std::string& host) {
    by_hand([&] {
      const auto lock = store_.try_lock("failover");
      const auto record =
          failover::clear({host, false, false, NightCluster::kPatience}, setup_.inventory, cluster_, store_,
                          clock_, [this](const std::string& text) { world_.tell(text); });
      world_.tell("failover clear " + host + ": " + record.outcome + " " + record.reason.value_or(""));
    });
  }

  const std::map<std::string, std::string>& last_words() const { return last_words_; }

 private:
  // After the kill all waiting is over.
  class MortalClock final : public Clock {
   public:
    MortalClock(const NightTime& time, const ProcessLife& life) : time_(time), life_(life) {}
    std::chrono::sys_seconds wall() const override { return time_.wall(); }
    Milliseconds monotonic() const override {
      return time_.monotonic() + (life_.dead ? kForever * ++asked_ : kNone);
    }

   private:
    static constexpr Milliseconds kNone{0};
    mutable std::atomic<int> asked_{0};
    const NightTime& time_;
    const ProcessLife& life_;
  };

  fence::FenceEngine::World fence_world() {
    return {store_,
            guard_,
            {clock_, [this](Milliseconds time) { sleep(time); }},
            [this] { return dead(); },
            setup_.methods};
  }
  bool sleep(Milliseconds time) {
    if (dead()) return false;
    std::this_thread::get_id() == driver_ ? world_.time.pass(time) : world_.time.sleep(time);
    return !dead();
  }

  // A killed process says nothing; what else is thrown ends the program as well, and its pipe.
  template <class Work>
  void safely(const Work& work) {
    try {
      work();
    } catch (const std::exception& error) {
      if (dead()) return world_.tell("the pipeline was killed in the middle of its work");
      world_.tell(std::string("ended with: ") + error.what());
      life_->dead = true;
    }
  }

  template <class Work>
  void by_hand(const Work& work) {
    try {
      work();
    } catch (const Error& error) {
      world_.tell(std::string("a person's command: ") + error.what());
    }
  }

  void heard(const heartbeat::Transition& transition) {
    const auto& state = transition.record;
    world_.tell("heartbeat: " + state.host + " " + state.verdict + ": " + state.reason.value_or(""));
    using Kind = fence::FenceRequest::Kind;
    switch (transition.verdict) {
      case heartbeat::HostVerdict::kDown:
        return request(Kind::kDown, state);
      case heartbeat::HostVerdict::kIsolated:
        return request(Kind::kIsolated, state);
      case heartbeat::HostVerdict::kPartitioned:
        return request(Kind::kPartitioned, state);
      case heartbeat::HostVerdict::kHypervisorDown:
        return request(Kind::kHypervisorDown, state);
      case heartbeat::HostVerdict::kUp:
      case heartbeat::HostVerdict::kMaintenance:
        return alive(state.host);
      default:
        if (fence::shows_life(Kind::kHypervisorDown, state)) alive(state.host);
    }
  }
  void alive(const std::string& host) {
    told_alive_.insert(host);
    engine_->alive(host, clock_.wall());
  }
  void contradicted(const std::string& host) {
    told_alive_.insert(host);
    engine_->contradicted({host, clock_.wall()});
    contradictions_.push_back(host);
    call(host, fence::call_about_life(host));
  }
  void request(fence::FenceRequest::Kind kind, const record::HostState& state) {
    fence::FenceRequest request;
    request.kind = kind;
    request.state = state;
    request.state.time = world_.time.wall();
    request.read_at = world_.now();
    if (fence::shows_life(kind, state)) alive(state.host);
    // By its cause it is known which request a result answers.
    const std::string task = "task-" + std::to_string(++world_.tasks);
    request.state.cause = task;
    const std::string before = world_.time.task_of(state.host);
    world_.time.began(state.host, task);
    answered_at_once_ = false;
    asked_ = task;
    told_alive_.erase(state.host);
    engine_->request(request);
    if (answered_at_once_) {
      before.empty() ? world_.time.ended(state.host, task) : world_.time.began(state.host, before);
    }
    world_.time.settle();
  }
  void told_off(const std::string& host) {
    if (dead()) return;
    if (told_alive_.contains(host)) world_.fault(host + " is switched off after its life was told");
  }

  // On a thread of the engine, or within request().
  void finished(const fence::FenceReport& report) {
    if (dead()) return world_.time.ended(report.host, report.cause);
    if (report.outcome == fence::FenceReport::Outcome::kFenced) {
      world_.tell("fence: " + report.host + " is fenced: " + report.power.evidence);
      const Machine& m = world_.machines.at(report.host);
      constexpr Milliseconds kJustNow{5000};  // somebody may have switched it on since it was read
      if (m.power && world_.now() - m.powered > kJustNow && report.power.method != "self" &&
          !world_.undetectable)
        world_.fault(report.host + " is said to be fenced, and is on");
      fenced_.emplace_back(fence::with_identity(fence::fenced_record(report), guard_, setup_.methods),
                           world_.now());
      fenced_.back().first.time = world_.time.wall();
    } else {
      world_.tell("fence: " + report.host + " is not fenced: " + report.reason +
                  (report.retry ? " (retry)" : ""));
    }
    if (const auto text = call_for_person(report); !text.empty()) call(report.host, text);
    if (std::this_thread::get_id() == driver_) {
      answered_at_once_ = report.cause == asked_;
    } else if (!report.retry) {
      world_.time.ended(report.host, report.cause);
    }
  }

  void restarted(const record::VmRestarted& r) {
    world_.tell("failover: " + r.vm + " " + r.outcome + " on " + r.to);
    last_words_[r.vm].clear();
  }
  void not_restarted(const record::VmNotRestarted& r) {
    world_.tell("failover: " + r.vm + " is not restarted: " + r.outcome + ": " + r.reason);
    last_words_[r.vm] = r.reason;
  }
  void call(const std::string& about, const std::string& text) {
    world_.tell("CALL " + about + ": " + text);
    calls_.push_back({world_.now(), about, text});
  }

  World& world_;
  const Setup& setup_;
  std::vector<Call>& calls_;
  std::shared_ptr<ProcessLife> life_ = std::make_shared<ProcessLife>();
  ProcessStore store_;
  MortalClock clock_;
  NightPower power_;
  fence::IdentityGuard guard_;
  NightCluster cluster_;
  const std::thread::id driver_ = std::this_thread::get_id();
  std::deque<std::pair<record::HostFenced, Milliseconds>> fenced_;
  std::vector<std::string> contradictions_;
  std::set<std::string> told_alive_;
  std::map<std::string, std::string> last_words_;
  std::string asked_;
  bool answered_at_once_ = false;
  Milliseconds due_{0};
  std::unique_ptr<fence::FenceEngine> engine_;
  std::unique_ptr<WatchModel> watch_;
  std::unique_ptr<Recovery> recovery_;
};

}  // namespace rackline::failover::nights
