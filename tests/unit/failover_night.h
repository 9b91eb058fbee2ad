// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/marks.h"
#include "cluster/state.h"
#include "failover/clear.h"
#include "failover/recovery.h"
#include "failover/recovery_service.h"
#include "failover_night_site.h"
#include "failover_night_store.h"
#include "failover_night_time.h"
#include "fence/engine.h"
#include "fence/manual.h"
#include "fence/records.h"
#include "heartbeat/membership.h"

namespace rackline::failover::night {

// A cluster and its manager in simulated time: the membership of heartbeat, the engine of fence and the
// recovery of failover, as their programs join them, over a Site. The agents of the hosts are played here.
class Night {
 public:
  static constexpr Milliseconds kSelfFence{30'000};

  explicit Night(int hosts) : site(clock) {
    recovery_policy.max_total = 1;  // an order that can be foretold
    recovery_policy.poll = Milliseconds{0};
    watch_policy.storage = true;
    // The workers of fence wait by themselves.
    store.lock_missed = [this, driver = std::this_thread::get_id()](std::string_view) {
      const bool waits = std::this_thread::get_id() == driver;
      if (waits) pass(Milliseconds{1000});
      return waits;
    };
    for (int i = 1; i <= hosts; ++i) {
      record::Host host;
      host.host = "h" + std::to_string(i);
      host.uri = "fake://" + host.host;
      host.shared_storage = std::vector<std::string>{"/srv"};
      inventory.push_back(host);
      site.at(host.host);
      bmc::FenceMethod method;
      method.host = host.host;
      method.agent = "fake";
      method.options = {"plug=" + host.host};
      methods[host.host] = {{method}};
    }
    site.spend = [this](Milliseconds time) { pass(time); };
    site.why_not = [this](const std::string& host) { return why_not(host); };
  }
  ~Night() { manager_off(); }
  Night(const Night&) = delete;
  Night& operator=(const Night&) = delete;

  // The machine on which heartbeat watch, fence and failover run.
  void manager_on() {
    const std::lock_guard guard(stepping_);
    stopping_ = false;
    std::vector<std::string> names;
    for (const auto& host : inventory) names.push_back(host.host);
    membership_.emplace(watch_policy, names, ++nonce_, clock.monotonic());
    begun_ = false;
    engine_ =
        std::make_unique<fence::FenceEngine>(fence_policy, fence_world(engine_switch_, engine_time()),
                                             [this](const fence::FenceReport& report) { finished(report); });
    recovery_ = std::make_unique<Recovery>(
        recovery_policy, inventory, site, store, clock,
        [](const probe::Check&, Milliseconds) { return probe::Answer{true}; },
        Recovery::Hooks{
            .restarted =
                [this](const record::VmRestarted& r) { note(r.vm + " " + r.outcome + " on " + r.to); },
            .not_restarted =
                [this](const record::VmNotRestarted& r) { note(r.vm + " " + r.outcome + ": " + r.reason); },
            .warn = [this](const std::string& text) { warn(text); }});
    service_ = std::make_unique<RecoveryService>(*recovery_, [this](const std::string& text) { warn(text); });
    tended_ = clock.monotonic();
    starting_ = true;
  }
  void manager_off() {
    stopping_ = true;
    clock.free_run(true);
    engine_.reset();
    clock.free_run(false);
    const std::lock_guard guard(stepping_);
    service_.reset();
    recovery_.reset();
    membership_.reset();
    fenced_.clear();
  }

  // At that time: what happens to the world, in the middle of whatever is under way.
  void at(Milliseconds time, std::function<void()> event) { events_.emplace(time, std::move(event)); }
  // What a person does then, or as soon as the manager has its hands free.
  void command(Milliseconds time, std::function<void()> work) { commands_.emplace(time, std::move(work)); }

  void run(Milliseconds until) {
    while (clock.monotonic() < until) {
      step();
      while (!commands_.empty() && commands_.begin()->first <= clock.monotonic()) {
        const auto work = std::move(commands_.begin()->second);
        commands_.erase(commands_.begin());
        work();
      }
      tend();
    }
  }
  // From any thread but those of fence.
  void pass(Milliseconds time) {
    for (const auto until = clock.monotonic() + time; clock.monotonic() < until;) step();
  }

  // --- what a person does ---
  void clear(const std::string& host) {
    const auto lock = store.try_lock("failover");
    const auto record = failover::clear({host, false, false, Milliseconds{3000}}, inventory, site, store,
                                        clock, [this](const std::string& text) { warn(text); });
    note("clear " + host + ": " + record.outcome + " " + record.reason.value_or(""));
  }
  void unfence(const std::string& host) {
    auto world = person_world();
    const auto report = fence::unfence(world, fence_policy, host);
    note("unfence " + host + ": " + report.reason);
  }
  void confirm(const std::string& host) {
    auto world = person_world();
    try {
      finished(fence::confirm_off(world, fence_policy, host, "ann",
                                  [](const std::string&) { return std::string(); }));
    } catch (const Error& error) {
      note("confirm " + host + ": " + error.what());
      command(clock.monotonic() + std::chrono::seconds{1}, [this, host] { confirm(host); });
    }
  }

  void note(const std::string& text) {
    const std::lock_guard guard(noting_);
    log.push_back(std::to_string(clock.monotonic().count() / 1000) + " " + text);
  }
  void warn(const std::string& text) {
    note("! " + text);
    const std::lock_guard guard(noting_);
    calls.push_back(text);
  }

  Timeline clock;
  TroubledStore store;
  Site site;
  std::vector<record::Host> inventory;
  std::map<std::string, bmc::FenceLevels> methods;
  heartbeat::WatchPolicy watch_policy;
  fence::FencePolicy fence_policy;
  RecoveryPolicy recovery_policy;
  bool watcher_storage = true;
  std::vector<std::string> calls;  // what a person is told
  std::vector<std::string> log;    // with the second

 private:
  // A switch as one of those who use it waits for it.
  struct Switch final : bmc::PowerSwitch {
    Switch(Site& its_site, std::function<void(Milliseconds)> its_sleep)
        : site(its_site), sleep(std::move(its_sleep)) {}
    bmc::AgentReply call(const bmc::FenceMethod& method, bmc::PowerAction action,
                         Milliseconds timeout) override {
      return site.bmc(method.option("plug"), action, timeout, sleep);
    }
    Site& site;
    std::function<void(Milliseconds)> sleep;
  };

  bmc::FenceTime engine_time() {
    return {clock, [this](Milliseconds time) { clock.sleep(time); }};
  }
  fence::FenceEngine::World fence_world(bmc::PowerSwitch& power, bmc::FenceTime time) {
    return {store, power, std::move(time), [this] { return stopping_.load(); }, methods};
  }
  fence::FenceEngine::World person_world() {
    return fence_world(persons_switch_, {clock, [this](Milliseconds time) { pass(time); }});
  }

  std::string why_not(const std::string& host) {
    try {
      return cluster::why_not(cluster::host_status(store, host, clock.wall()));
    } catch (const Error&) {
      return {};  // nobody can know
    }
  }

  void step() {
    const std::lock_guard guard(stepping_);
    clock.step();
    while (!events_.empty() && events_.begin()->first <= clock.monotonic()) {
      const auto event = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      event();
    }
    const bool second = clock.monotonic() % Milliseconds{1000} == Milliseconds{0};
    if (second) agents();
    if (!membership_) return;
    if (second) marks();
    watch();
  }

  // A host that is cut off from its watcher, the storage and most others stops its servers, and so does one
  // that is told that it counts as off.
  void agents() {
    const auto now = clock.monotonic();
    std::size_t connected = 0;
    for (const auto& name : site.hosts()) connected += reachable(name) && site.at(name).agent ? 1 : 0;
    for (const auto& name : site.hosts()) {
      auto& machine = site.at(name);
      if (!site.up(machine) || !machine.agent) {
        contact_.erase(name);
        continue;
      }
      const bool peers = machine.net && connected * 2 > inventory.size();
      const bool watched = machine.net && membership_;
      if (watched || machine.storage || peers || !contact_.contains(name)) contact_[name] = now;
      const bool told = watched && fenced_now_.contains(name);
      if (told || now - contact_[name] >= kSelfFence) site.stop_all(name);
      beat(name, machine);
    }
  }
  bool reachable(const std::string& name) { return site.up(name) && site.at(name).net; }

  void beat(const std::string& name, const Site::Machine& machine) {
    if (!membership_) return;
    const auto index = membership_->find(name);
    heartbeat::Message message;
    message.name = name;
    message.incarnation = machine.incarnation;
    message.seq = ++seq_;
    message.nonce = nonce_;
    message.target = heartbeat::nonces_text({nonce_}, heartbeat::kMaxName);
    message.echo = seq_;
    message.libvirt_ok = machine.libvirtd;
    message.storage_ok = machine.storage;
    if (machine.net) membership_->beat(*index, message, clock.monotonic());
    if (machine.storage && watcher_storage) membership_->slot(*index, message, clock.monotonic());
  }

  // What heartbeat reads of the marks, and writes of hosts that are not well.
  void marks() try {
    const auto now = clock.wall();
    std::set<std::string, std::less<>> maintenance;
    fenced_now_.clear();
    for (const auto& mark : cluster::maintenance_marks(store)) {
      if (mark.holds(now)) maintenance.insert(mark.host);
    }
    for (const auto& mark : cluster::fence_marks(store)) {
      if (mark.state == cluster::FenceMark::State::kFenced) fenced_now_.insert(mark.host);
    }
    membership_->set_maintenance(maintenance);
    membership_->set_fenced(fenced_now_);
    if (!begun_) return;
    for (std::size_t i = 0; i < membership_->size(); ++i) {
      const auto& host = membership_->name(i);
      const auto verdict = membership_->verdict(i);
      const bool contradicted = fenced_now_.contains(host) && membership_->heard(i, clock.monotonic());
      if (contradicted && contradicted_.insert(host).second) {
        engine_->contradicted({host, clock.wall()});
        to_contradict_.push_back(host);
        warn(fence::call_about_life(host));
      }
      const bool well =
          verdict == heartbeat::HostVerdict::kUp || verdict == heartbeat::HostVerdict::kMaintenance;
      const auto known = cluster::health_mark(store, host);
      if (well && !contradicted) {
        if (known) cluster::remove_health(store, host);
        continue;
      }
      const std::string word = contradicted ? "fence_contradicted" : "suspect";
      if (known && known->verdict == word && now - known->renewed < cluster::HealthMark::kRenewed) continue;
      cluster::put(store, cluster::HealthMark{host, word, "", known ? known->since : now, now});
    }
  } catch (const Error&) {
    // The marks that were read before go on to count.
  }

  void watch() {
    const auto now = clock.monotonic();
    membership_->storage_works(watcher_storage, now);
    if (watcher_storage) membership_->challenged(now);
    auto round = membership_->tick(now);
    for (const auto& wish : round.wishes) {
      const std::string& name = membership_->name(wish.host);
      const bool there = reachable(name);
      if (wish.libvirt && there && site.at(name).libvirtd)
        membership_->libvirt(wish.host, heartbeat::LibvirtAnswer::kAnswers, now);
      if (wish.peers) membership_->told(wish.host, there && site.at(name).agent, now);
      if (wish.connect) membership_->connects(wish.host, there);
    }
    if (round.doubt) warn(round.doubt->reason);
    if (!begun_ && membership_->settled(now)) {
      begun_ = true;
      for (const auto& transition : membership_->snapshot(now)) hear(transition);
    }
    for (const auto& transition : round.transitions) hear(transition);
  }

  // As fence reads it.
  void hear(const heartbeat::Transition& transition) {
    auto state = transition.record;
    state.time = clock.wall();
    state.id = "d" + std::to_string(++seq_);
    note("heartbeat: " + state.host + " " + state.verdict + " " + state.reason.value_or(""));
    using Kind = fence::FenceRequest::Kind;
    static const std::map<heartbeat::HostVerdict, Kind> kinds{
        {heartbeat::HostVerdict::kDown, Kind::kDown},
        {heartbeat::HostVerdict::kIsolated, Kind::kIsolated},
        {heartbeat::HostVerdict::kPartitioned, Kind::kPartitioned},
        {heartbeat::HostVerdict::kHypervisorDown, Kind::kHypervisorDown}};
    const auto kind = kinds.find(transition.verdict);
    if (kind == kinds.end()) {
      const bool suspect = transition.verdict == heartbeat::HostVerdict::kSuspect;
      if (!suspect || fence::shows_life(Kind::kHypervisorDown, state)) engine_->alive(state.host, state.time);
      return;
    }
    if (fence::shows_life(kind->second, state)) engine_->alive(state.host, state.time);
    clock.begins(state.host);
    engine_->request({kind->second, state, clock.monotonic()});
  }

  // A result of fence, on one of its threads.
  void finished(const fence::FenceReport& report) {
    if (const auto call = call_for_person(report); !call.empty()) warn(call);
    if (report.outcome == fence::FenceReport::Outcome::kFenced) {
      note("fence: " + report.host + " is fenced");
      auto record = fence::fenced_record(report);
      record.time = clock.wall();
      const std::lock_guard guard(noting_);
      fenced_.emplace_back(std::move(record), clock.monotonic());
    }
    if (!report.retry) clock.rests(report.host);
  }

  // The loop of failover.
  void tend() {
    if (!service_) return;
    if (std::exchange(starting_, false)) service_->begin();
    for (const auto& host : std::exchange(to_contradict_, {})) recovery_->contradict({host});
    std::optional<std::pair<record::HostFenced, Milliseconds>> next;
    {
      const std::lock_guard guard(noting_);
      if (!fenced_.empty()) {
        next = fenced_.front();
        fenced_.pop_front();
      }
    }
    if (next) {
      service_->take(next->first, next->second);
    } else if (clock.monotonic() - tended_ >= service_->patience()) {
      service_->idle();
    } else {
      return;
    }
    tended_ = clock.monotonic();
  }

  std::mutex stepping_, noting_;
  std::multimap<Milliseconds, std::function<void()>> events_, commands_;
  std::optional<heartbeat::Membership> membership_;
  std::uint64_t nonce_ = 0, seq_ = 0;
  bool begun_ = false, starting_ = false;
  std::atomic<bool> stopping_ = false;
  std::set<std::string, std::less<>> fenced_now_;
  std::set<std::string> contradicted_;
  std::vector<std::string> to_contradict_;
  std::map<std::string, Milliseconds> contact_;
  std::deque<std::pair<record::HostFenced, Milliseconds>> fenced_;
  Milliseconds tended_{0};
  Switch engine_switch_{site, [this](Milliseconds time) { clock.sleep(time); }};
  Switch persons_switch_{site, [this](Milliseconds time) { pass(time); }};
  std::unique_ptr<fence::FenceEngine> engine_;
  std::unique_ptr<Recovery> recovery_;
  std::unique_ptr<RecoveryService> service_;
};

}  // namespace rackline::failover::night
