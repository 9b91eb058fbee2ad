// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "failover/recovery_cluster.h"
#include "failover_nights_store.h"
#include "failover_nights_world.h"

namespace rackline::failover::nights {

// The machines of the world as failover sees them through libvirt. A call takes its time.
class NightCluster final : public RecoveryCluster {
 public:
  NightCluster(World& world, std::shared_ptr<ProcessLife> life) : world_(world), life_(std::move(life)) {}

  static constexpr std::int64_t kGiB = std::int64_t{1} << 30;
  static constexpr Milliseconds kAnswer{20}, kBetweenLooks{100}, kPatience{3000}, kLongest{60'000};

  static std::string xml_of(const std::string& vm) {
    return "<domain type='kvm'><name>" + vm +
           "</name><os><type arch='x86_64' machine='pc'>hvm</type></os><devices><disk type='file'><source "
           "file='/srv/" +
           vm + ".qcow2'/><target dev='vda'/></disk></devices></domain>";
  }

  View look(const std::vector<std::string>& hosts, Milliseconds timeout) override {
    View view;
    const auto ask_all = [&] {
      bool all = true;
      for (const auto& name : hosts) {
        HostView& seen = view.hosts[name];
        if (seen.answered) continue;
        const Machine& m = world_.machines.at(name);
        seen.host = seen.sample.host = name;
        seen.answered = world_.libvirt_answers(m);
        seen.sample.state = seen.answered ? "up" : "timeout";
        seen.error = seen.answered ? "" : "no answer";
        if (seen.answered) fill(seen, m);
        all = all && seen.answered;
      }
      return all;
    };
    life_->check();
    world_.time.pass(kAnswer);
    if (ask_all()) return view;
    world_.time.pass(timeout - kAnswer);
    ask_all();
    return view;
  }
  std::shared_ptr<RecoveryHost> host(const std::string& name) override {
    return std::make_shared<Handle>(*this, name);
  }

 private:
  struct Handle final : RecoveryHost {
    Handle(NightCluster& all, std::string host) : cluster(all), world(all.world_), name(std::move(host)) {}
    NightCluster& cluster;
    World& world;
    std::string name;

    Machine& open() {
      cluster.life_->check();
      world.time.pass(kAnswer);
      Machine& m = world.machines.at(name);
      if (world.libvirt_answers(m)) return m;
      if (world.reached_by_watcher(m) && world.now() < m.libvirt_gone)
        throw Error(Status::kUnreachable, "ask", name, "Connection refused");
      world.time.pass(kPatience);
      cluster.life_->check();
      throw Error(Status::kTimeout, "ask", name, "no answer within 3000ms");
    }
    static std::string vm_of(const std::string& uuid) { return uuid.substr(std::string("uuid-").size()); }
    Machine& with(const std::string& uuid) {
      Machine& m = open();
      if (!m.defined.contains(vm_of(uuid))) throw Error(Status::kNo, "find", uuid, "no such domain");
      return m;
    }

    migrate::VmFacts look(const std::string&, const std::string& uuid) override {
      migrate::VmFacts facts;
      world.time.pass(kBetweenLooks);  // the pause of a starter is in the time of this machine
      Machine& m = open();
      const std::string vm = vm_of(uuid);
      if (!m.defined.contains(vm)) return facts;
      facts.state = m.running.contains(vm) ? migrate::VmState::kRunning : migrate::VmState::kShutoff;
      facts.name = vm;
      facts.uuid = uuid;
      facts.persistent = true;
      facts.memory_bytes = kGiB;
      const std::string& how = m.defined[vm];
      facts.lost = !m.running.contains(vm) && how != "shutdown";
      return facts;
    }
    std::string definition(const std::string& uuid) override {
      with(uuid);
      return xml_of(vm_of(uuid));
    }
    void define(const std::string& xml) override {
      const auto from = xml.find("<name>") + 6;
      const std::string vm = xml.substr(from, xml.find("</name>") - from);
      open().defined.emplace(vm, "unknown");
    }
    void start(const std::string& uuid) override {
      Machine& m = with(uuid);
      const std::string vm = vm_of(uuid);
      if (m.running.contains(vm)) throw Error(Status::kNo, "start", vm, "domain is already running");
      if (m.failing_starts > 0) {
        --m.failing_starts;
        throw Error(Status::kNo, "start", vm, "Cannot get interface MTU on 'br7': No such device");
      }
      if (world.now() < world.servers.at(vm).locked)
        throw Error(Status::kNo, "start", vm, "Failed to get \"write\" lock");
      if (!world.has_storage(m)) throw Error(Status::kNo, "start", vm, "Input/output error");
      const bool hangs = m.hanging_starts > 0;
      if (hangs) --m.hanging_starts;
      // One that hangs may have begun, or never will.
      if (!hangs || world.dice.one_in(2)) world.runs_now(m, vm);
      if (!hangs) return;
      world.tell("the start of " + vm + " on " + name + " hangs");
      world.time.pass(kLongest);
      throw Error(Status::kTimeout, "ask", name, "no answer within 60000ms");
    }
    void destroy(const std::string& uuid) override {
      Machine& m = with(uuid);
      world.ends(m, vm_of(uuid), "destroyed");
    }
    void undefine(const std::string& uuid) override {
      Machine& m = with(uuid);
      if (m.running.contains(vm_of(uuid))) throw Error(Status::kRefused, "undefine", uuid, "it runs");
      m.defined.erase(vm_of(uuid));
    }
    bool autostart(const std::string& uuid) override {
      with(uuid);
      return false;
    }
    void set_autostart(const std::string& uuid, bool) override { with(uuid); }
  };

  void fill(HostView& seen, const Machine& m) {
    seen.sample.cpus = 32;
    seen.sample.memory_bytes = m.memory_gib * kGiB;
    seen.sample.memory_reserve_bytes = 0;
    seen.sample.vms_running = static_cast<std::int64_t>(m.running.size());
    for (const auto& [vm, how] : m.defined) {
      record::VmSample sample;
      sample.vm = vm;
      sample.uuid = "uuid-" + vm;
      sample.host = m.name;
      sample.state = m.running.contains(vm) ? "running" : "shutoff";
      if (!m.running.contains(vm)) sample.state_reason = how;
      sample.memory_bytes = kGiB;
      sample.vcpus = 1;
      seen.vms.push_back(sample);
    }
  }

  World& world_;
  std::shared_ptr<ProcessLife> life_;
};

}  // namespace rackline::failover::nights
