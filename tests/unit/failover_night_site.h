// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bmc/agent.h"
#include "failover/recovery_cluster.h"

namespace rackline::failover::night {

// Machines with power, networks and virtual servers, in memory. What must never be is written down at the
// instant at which it is: a virtual server that runs twice, a start on a host that does not serve.
class Site final : public RecoveryCluster {
 public:
  static constexpr std::int64_t kGiB = std::int64_t{1} << 30;
  static constexpr Milliseconds kCall{100};     // of a call to a libvirtd
  static constexpr Milliseconds kStart{500};    // of a virtual server
  static constexpr Milliseconds kBoot{40'000};  // of a machine

  struct Guest {
    std::string name;
    migrate::VmState state = migrate::VmState::kRunning;
    std::string reason = "unknown";  // how it ended, as libvirt says it
    std::int64_t memory = kGiB;
  };
  struct Machine {
    bool power = true;
    Milliseconds up_at{0};  // its system runs from then on
    // What it reaches and what works on it.
    bool net = true, storage = true, agent = true, libvirtd = true;
    std::uint64_t incarnation = 1;
    // Its power switch.
    bool bmc_deaf = false, bmc_lies = false;
    Milliseconds bmc_takes{100};
    int failing_starts = 0;
    bool dies_at_start = false;  // loses its power in the middle of the next one
    std::int64_t memory = 16 * kGiB;
    std::map<std::string, Guest> guests;  // by UUID
  };

  explicit Site(const Clock& clock) : clock_(clock) {}

  std::function<void(Milliseconds)> spend = [](Milliseconds) {};  // lets time pass
  // Why nothing may be started on that host; empty: it serves.
  std::function<std::string(const std::string&)> why_not = [](const std::string&) { return std::string(); };

  std::vector<std::string> started;                  // "a@h2", in this order
  std::vector<std::string> violations;               // of what must never be
  std::map<std::string, Milliseconds> locked_until;  // disks, by the name of the guest
  Milliseconds lock_outlives{0};                     // a host that lost its power

  Machine& at(const std::string& host) { return machines_[host]; }
  bool has(const std::string& host) const { return machines_.contains(host); }
  std::vector<std::string> hosts() const {
    std::vector<std::string> names;
    for (const auto& [name, machine] : machines_) names.push_back(name);
    return names;
  }
  // Its system runs.
  bool up(const Machine& machine) const { return machine.power && clock_.monotonic() >= machine.up_at; }
  bool up(const std::string& host) { return up(machines_[host]); }

  void add(const std::string& host, const std::string& name, std::int64_t memory = kGiB,
           migrate::VmState state = migrate::VmState::kRunning) {
    machines_[host].guests["uuid-" + name] = {name, state, "unknown", memory};
    look_for_twins();
  }
  void power(const std::string& host, bool on) {
    const std::lock_guard guard(mutex_);
    switch_power(host, on);
  }
  // How it ends, as libvirt says it, wherever it runs.
  void stop(const std::string& name, const std::string& reason) {
    const std::lock_guard guard(mutex_);
    for (auto& [host, machine] : machines_) {
      const auto found = machine.guests.find("uuid-" + name);
      if (found == machine.guests.end() || found->second.state == migrate::VmState::kShutoff) continue;
      found->second.state = migrate::VmState::kShutoff;
      found->second.reason = reason;
    }
  }
  void stop_all(const std::string& host) {
    const std::lock_guard guard(mutex_);
    for (auto& [uuid, guest] : machines_[host].guests) {
      if (guest.state == migrate::VmState::kShutoff) continue;
      guest.state = migrate::VmState::kShutoff;
      guest.reason = "destroyed";
    }
  }
  void move(const std::string& name, const std::string& to) {
    const std::lock_guard guard(mutex_);
    for (auto& [host, machine] : machines_) {
      const auto found = machine.guests.find("uuid-" + name);
      if (host == to || found == machine.guests.end() || found->second.state == migrate::VmState::kShutoff)
        continue;
      machines_[to].guests["uuid-" + name] = found->second;
      machine.guests.erase(found);
      return;
    }
  }
  // "h2", "h2(off)", "h1+h2": the hosts that have it, those that have no power left out.
  std::string whereabouts(const std::string& name) {
    const std::lock_guard guard(mutex_);
    std::string text;
    for (const auto& [host, machine] : machines_) {
      const auto found = machine.guests.find("uuid-" + name);
      if (!machine.power || found == machine.guests.end()) continue;
      text += (text.empty() ? "" : "+") + host;
      if (found->second.state == migrate::VmState::kShutoff) text += "(off)";
      if (found->second.state == migrate::VmState::kPaused) text += "(paused)";
    }
    return text;
  }

  bmc::AgentReply bmc(const std::string& host, bmc::PowerAction action, Milliseconds timeout,
                      const std::function<void(Milliseconds)>& sleep) {
    Milliseconds takes{0};
    bool deaf = false;
    {
      const std::lock_guard guard(mutex_);
      takes = machines_[host].bmc_takes;
      deaf = machines_[host].bmc_deaf || takes > timeout;
    }
    sleep(deaf ? timeout : takes);
    if (deaf) return {bmc::Power::kUnknown, false, "no answer"};
    const std::lock_guard guard(mutex_);
    Machine& machine = machines_[host];
    if (action == bmc::PowerAction::kStatus)
      return {machine.power ? bmc::Power::kOn : bmc::Power::kOff, true, {}};
    if (!machine.bmc_lies) switch_power(host, action == bmc::PowerAction::kOn);
    return {bmc::Power::kUnknown, true, {}};
  }

  View look(const std::vector<std::string>& hosts, Milliseconds timeout) override {
    spend(kCall);
    bool silent = false;
    {
      const std::lock_guard guard(mutex_);
      for (const auto& name : hosts) silent = silent || !answers(machines_[name]);
    }
    if (silent) spend(timeout);
    const std::lock_guard guard(mutex_);
    View view;
    for (const auto& name : hosts) view.hosts[name] = seen(name);
    return view;
  }
  std::shared_ptr<RecoveryHost> host(const std::string& name) override;

  static std::string xml_of(const std::string& vm) {
    return "<domain type='kvm'><name>" + vm +
           "</name><os><type arch='x86_64' machine='pc'>hvm</type></os><devices><disk type='file'><source "
           "file='/srv/" +
           vm + ".qcow2'/><target dev='vda'/></disk></devices></domain>";
  }

 private:
  class Handle;

  bool answers(const Machine& machine) const { return up(machine) && machine.net && machine.libvirtd; }

  void switch_power(const std::string& host, bool on) {
    Machine& machine = machines_[host];
    if (machine.power == on) return;
    machine.power = on;
    if (on) {
      machine.up_at = clock_.monotonic() + kBoot;
      ++machine.incarnation;
      return;
    }
    for (auto& [uuid, guest] : machine.guests) {
      if (guest.state == migrate::VmState::kShutoff) continue;
      guest.state = migrate::VmState::kShutoff;
      guest.reason = "unknown";
      locked_until[guest.name] = clock_.monotonic() + lock_outlives;
    }
  }

  HostView seen(const std::string& name) {
    const Machine& machine = machines_[name];
    HostView view;
    view.host = view.sample.host = name;
    view.answered = answers(machine);
    view.sample.state = view.answered ? "up" : "timeout";
    if (!view.answered) {
      view.error = "no answer";
      return view;
    }
    view.sample.cpus = 8;
    view.sample.memory_bytes = machine.memory;
    view.sample.memory_reserve_bytes = 0;
    view.sample.vms_running = 0;
    for (const auto& [uuid, guest] : machine.guests) {
      record::VmSample sample;
      sample.vm = guest.name;
      sample.uuid = uuid;
      sample.host = name;
      const bool off = guest.state == migrate::VmState::kShutoff;
      sample.state = off ? "shutoff" : guest.state == migrate::VmState::kRunning ? "running" : "paused";
      if (off) sample.state_reason = guest.reason;
      sample.memory_bytes = guest.memory;
      sample.vcpus = 1;
      if (!off) ++*view.sample.vms_running;
      view.vms.push_back(sample);
    }
    return view;
  }

  // Called with every change of the world, under the lock.
  void look_for_twins() {
    std::map<std::string, std::string> active;
    for (const auto& [name, machine] : machines_) {
      for (const auto& [uuid, guest] : machine.guests) {
        if (guest.state == migrate::VmState::kShutoff) continue;
        auto& where = active[guest.name];
        if (!where.empty()) violations.push_back(guest.name + " runs on " + where + " and on " + name);
        where = name;
      }
    }
  }

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Machine> machines_;
};

// One host as failover changes it: each call takes its time, and is done at its end.
class Site::Handle final : public RecoveryHost {
 public:
  Handle(Site& site, std::string name) : site_(site), name_(std::move(name)) {}

 private:
  template <class Work>
  auto call(Milliseconds takes, const Work& work) {
    site_.spend(takes);
    const std::lock_guard guard(site_.mutex_);
    Machine& machine = site_.machines_[name_];
    if (!site_.answers(machine)) throw Error(Status::kUnreachable, "ask", name_, "no answer");
    return work(machine);
  }

 public:
  migrate::VmFacts look(const std::string&, const std::string& uuid) override {
    return call(kCall, [&](Machine& machine) {
      migrate::VmFacts facts;
      const auto found = machine.guests.find(uuid);
      if (found == machine.guests.end()) return facts;
      facts.state = found->second.state;
      facts.name = found->second.name;
      facts.uuid = uuid;
      facts.persistent = true;
      facts.lost = facts.state == migrate::VmState::kShutoff && found->second.reason != "shutdown";
      facts.memory_bytes = found->second.memory;
      return facts;
    });
  }
  std::string definition(const std::string& uuid) override {
    return call(kCall, [&](Machine& machine) { return xml_of(existing(machine, uuid).name); });
  }
  void define(const std::string& xml) override {
    call(kCall, [&](Machine& machine) {
      const auto from = xml.find("<name>") + 6;
      const std::string vm = xml.substr(from, xml.find("</name>") - from);
      machine.guests.try_emplace("uuid-" + vm, Guest{vm, migrate::VmState::kShutoff, "unknown", size_of(vm)});
      return 0;
    });
  }
  void start(const std::string& uuid) override {
    call(Milliseconds{0}, [&](Machine& machine) {
      Guest& guest = existing(machine, uuid);
      if (guest.state != migrate::VmState::kShutoff)
        throw Error(Status::kNo, "start", uuid, "already active");
      site_.started.push_back(guest.name + "@" + name_);
      if (const auto why = site_.why_not(name_); !why.empty())
        site_.violations.push_back(guest.name + " is started on " + name_ + ", which does not serve: " + why);
      if (machine.failing_starts > 0) {
        --machine.failing_starts;
        throw Error(Status::kNo, "start", uuid, "Cannot get interface MTU on 'br7': No such device");
      }
      if (!machine.storage) throw Error(Status::kNo, "start", uuid, "Could not open: Input/output error");
      if (site_.locked_until[guest.name] > site_.clock_.monotonic())
        throw Error(Status::kNo, "start", uuid, "Failed to get \"write\" lock");
      if (machine.dies_at_start) {
        machine.dies_at_start = false;
        guest.state = migrate::VmState::kRunning;
        site_.switch_power(name_, false);
        throw Error(Status::kUnreachable, "start", uuid, "connection lost");
      }
      return 0;
    });
    call(kStart, [&](Machine& machine) {
      existing(machine, uuid).state = migrate::VmState::kRunning;
      site_.look_for_twins();
      return 0;
    });
  }
  void destroy(const std::string& uuid) override {
    call(kCall, [&](Machine& machine) {
      existing(machine, uuid).state = migrate::VmState::kShutoff;
      existing(machine, uuid).reason = "destroyed";
      return 0;
    });
  }
  void undefine(const std::string& uuid) override {
    call(kCall, [&](Machine& machine) {
      if (existing(machine, uuid).state != migrate::VmState::kShutoff)
        throw Error(Status::kRefused, "undefine", uuid, "it runs");
      machine.guests.erase(uuid);
      return 0;
    });
  }
  bool autostart(const std::string&) override { return false; }
  void set_autostart(const std::string&, bool) override {}

 private:
  static Guest& existing(Machine& machine, const std::string& uuid) {
    const auto found = machine.guests.find(uuid);
    if (found == machine.guests.end()) throw Error(Status::kNo, "find", uuid, "no such VM");
    return found->second;
  }
  std::int64_t size_of(const std::string& vm) const {
    for (const auto& [name, machine] : site_.machines_) {
      const auto found = machine.guests.find("uuid-" + vm);
      if (found != machine.guests.end()) return found->second.memory;
    }
    return kGiB;
  }

  Site& site_;
  std::string name_;
};

inline std::shared_ptr<RecoveryHost> Site::host(const std::string& name) {
  return std::make_shared<Handle>(*this, name);
}

}  // namespace rackline::failover::night
