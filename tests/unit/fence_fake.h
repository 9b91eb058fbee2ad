// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "fence/engine.h"
#include "store_urls.h"

namespace rackline::fence {

// As FakeClock, for several threads.
class SharedClock final : public Clock {
 public:
  std::chrono::sys_seconds wall() const override {
    return std::chrono::sys_seconds{std::chrono::seconds{1'800'000'000 + elapsed_ / 1000}};
  }
  Milliseconds monotonic() const override { return Milliseconds{elapsed_}; }
  void advance(Milliseconds by) { elapsed_ += by.count(); }

 private:
  std::atomic<std::int64_t> elapsed_{0};
};

// Power switches in memory, by the option "plug". A call takes simulated time.
class FakeSwitch final : public bmc::PowerSwitch {
 public:
  explicit FakeSwitch(SharedClock& clock) : clock_(clock) {}

  struct Plug {
    bmc::Power power = bmc::Power::kOn;
    bool deaf = false;  // every call takes all the time it is given
    bool liar = false;  // it says yes and does nothing
    bool mute = false;  // it does what it is told, and its state cannot be read
    int offs = 0, ons = 0, readings = 0;
    std::function<void()> on_command, on_status;
  };

  bmc::AgentReply call(const bmc::FenceMethod& method, bmc::PowerAction action,
                       Milliseconds timeout) override {
    std::unique_lock guard(mutex_);
    Plug& plug = plugs[method.option("plug")];
    if (action == bmc::PowerAction::kStatus && plug.on_status) plug.on_status();
    if (plug.deaf) {
      clock_.advance(timeout);
      return {bmc::Power::kUnknown, false, "no answer"};
    }
    clock_.advance(Milliseconds{10});
    if (action == bmc::PowerAction::kStatus) {
      ++plug.readings;
      if (plug.mute) return {bmc::Power::kUnknown, false, "no such sensor"};
      return {plug.power, true, {}};
    }
    ++(action == bmc::PowerAction::kOff ? plug.offs : plug.ons);
    if (plug.on_command) {
      guard.unlock();  // it may wait for what is done with other switches
      plug.on_command();
      guard.lock();
    }
    if (!plug.liar) plug.power = action == bmc::PowerAction::kOff ? bmc::Power::kOff : bmc::Power::kOn;
    return {bmc::Power::kUnknown, true, {}};
  }

  std::map<std::string, Plug> plugs;

 private:
  SharedClock& clock_;
  std::mutex mutex_;
};

inline bmc::FenceMethod fake_method(const std::string& plug, std::int64_t level = 1) {
  bmc::FenceMethod method;
  method.agent = "fake";
  method.level = level;
  method.options = {"plug=" + plug};
  return method;
}

inline bmc::FenceMethod self_method(std::int64_t level = 1) {
  bmc::FenceMethod method;
  method.agent = "self";
  method.level = level;
  return method;
}

inline FenceRequest down(const std::string& host, const Clock& clock) {
  FenceRequest request;
  request.state.time = clock.wall();
  request.state.id = "d-" + host;
  request.state.cause = "c-" + host;
  request.state.host = host;
  request.state.verdict = "dead";
  request.state.net = request.state.store = "silent";
  request.state.libvirt = "timeout";
  request.state.silent_ms = 3000;
  request.read_at = clock.monotonic();
  return request;
}

// Five hosts, a store, and an engine that is made anew by restart(), as after a crash.
class FenceCluster {
 public:
  FenceCluster()
      : power(clock), store(store::Store::open("sqlite:" + (scratch_.path() / "state.db").string())) {
    for (const char* host : {"h1", "h2", "h3", "h4", "h5"}) methods[host] = {{fake_method(host)}};
    policy.retry_for = Milliseconds{0};
  }

  FenceEngine::World world() {
    return {*store,
            power,
            {clock, [this](Milliseconds time) { slept(time); }},
            [this] { return stopping; },
            methods};
  }

  // The results of one engine that gets these requests, one after the other.
  std::vector<FenceReport> run(const std::vector<FenceRequest>& requests, bool settle = false) {
    std::vector<FenceReport> reports;
    FenceEngine engine(policy, world(), [&](const FenceReport& report) { reports.push_back(report); });
    if (settle) engine.settle();
    engine.wait();
    for (const auto& request : requests) {
      engine.request(request);
      engine.wait();
    }
    return reports;
  }
  FenceReport run_one(const FenceRequest& request) { return run({request}).at(0); }

  FenceJournal journal() { return {*store, clock}; }
  std::optional<cluster::FenceMark> mark(const std::string& host) {
    return cluster::fence_mark(*store, host);
  }

  SharedClock clock;
  FakeSwitch power;
  FencePolicy policy;
  std::map<std::string, bmc::FenceLevels> methods;
  bool stopping = false;
  std::function<void()> on_sleep;

 private:
  void slept(Milliseconds time) {
    clock.advance(time);
    if (on_sleep) on_sleep();
  }
  store::ScratchDirectory scratch_;

 public:
  std::unique_ptr<store::Store> store;
};

}  // namespace rackline::fence
