// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "failover/protection.h"
#include "failover/recovery_cluster.h"
#include "store/store.h"

namespace rackline::failover {

// Hosts with VMs in memory. Starts are counted and a VM that runs twice is remembered for ever, so that
// "never twice, not even for a moment" can be asserted.
class FakeCluster final : public RecoveryCluster {
 public:
  struct Vm {
    std::string name, uuid;
    migrate::VmState state = migrate::VmState::kRunning;
    std::int64_t memory = kGiB;
    std::int64_t ballooned = 0;  // that its balloon has taken back of it
    bool autostart = false;
    bool lost = false;
    std::string reason = "unknown";  // how it ended, of one that is off
  };
  struct Host {
    bool silent = false;            // gives no answer
    int failing_starts = 0;         // so many fail
    bool dies_at_start = false;     // begins the start and is silent from then on
    bool paused_starts = false;     // what is started stays paused
    Milliseconds hangs{0};          // so long before it tells a definition
    Milliseconds look_hangs{0};     // so long before it is seen to be silent
    Milliseconds start_hangs{0};    // so long before a start has an answer
    bool start_fails_late = false;  // that it did not start
    Milliseconds starts_behind{0};  // the connection breaks, and so long after that it starts all the same
    std::string unknown_network;    // what it knows nothing of
    std::string failure = "no such bridge";  // of a start
    std::string no_machine;                  // a machine type that it does not have
    std::int64_t memory = 16 * kGiB;
    std::map<std::string, Vm> vms;  // by UUID
  };
  static constexpr std::int64_t kGiB = std::int64_t{1} << 30;

  ~FakeCluster() override {
    for (auto& thread : behind_) thread.join();
  }
  Host& at(const std::string& name) { return hosts_[name]; }
  void add(const std::string& host, const std::string& name,
           migrate::VmState state = migrate::VmState::kRunning) {
    hosts_[host].vms["uuid-" + name] = {name, "uuid-" + name, state, kGiB, false};
    count();
  }
  // A stopped VM of that name which is another one.
  void add_namesake(const std::string& host, const std::string& name) {
    const std::lock_guard guard(mutex_);
    const std::string uuid = "other-" + name;
    hosts_[host].vms[uuid] = {name, uuid, migrate::VmState::kShutoff, kGiB, false};
  }
  // "h2", "h2(off)", "h1 h2": the hosts that have it.
  std::string whereabouts(const std::string& name) {
    const std::lock_guard guard(mutex_);
    std::string text;
    for (const auto& [host, it] : hosts_) {
      const auto found = it.vms.find("uuid-" + name);
      if (found == it.vms.end()) continue;
      text += (text.empty() ? "" : " ") + host;
      if (found->second.state == migrate::VmState::kShutoff) text += "(off)";
      if (found->second.state == migrate::VmState::kPaused) text += "(paused)";
    }
    return text;
  }
  // Power off: all that ran there does not run any more.
  void kill(const std::string& host) {
    const std::lock_guard guard(mutex_);
    hosts_[host].silent = true;
    for (auto& [uuid, vm] : hosts_[host].vms) vm.state = migrate::VmState::kShutoff;
  }

  std::vector<std::string> started;  // in this order: VM@HOST
  std::set<std::string> ran_twice;   // at any moment
  std::vector<std::string> asked;    // hosts that were looked at
  int most_at_once = 0, most_on_one_host = 0;
  Milliseconds start_takes{0};
  std::function<void(const std::string&)> on_look, on_define;  // with the host, just before it is done there

  View look(const std::vector<std::string>& hosts, Milliseconds timeout) override {
    Milliseconds longest{0};
    View view;
    {
      const std::lock_guard guard(mutex_);
      for (const auto& name : hosts) longest = std::max(longest, hosts_[name].look_hangs);
      view = seen_now(hosts);
    }
    std::this_thread::sleep_for(std::min(longest, timeout));
    return view;
  }
  std::shared_ptr<RecoveryHost> host(const std::string& name) override {
    return std::make_shared<Handle>(*this, name);
  }

 private:
  View seen_now(const std::vector<std::string>& hosts) {
    View view;
    for (const auto& name : hosts) {
      asked.push_back(name);
      if (on_look) on_look(name);
      HostView& seen = view.hosts[name];
      seen.host = name;
      const Host& host = hosts_[name];
      seen.answered = !host.silent;
      seen.sample.host = name;
      seen.sample.state = host.silent ? "timeout" : "up";
      if (host.silent) continue;
      seen.sample.cpus = 8;
      seen.sample.memory_bytes = host.memory;
      seen.sample.memory_reserve_bytes = 0;
      seen.sample.vms_running = 0;
      for (const auto& [uuid, vm] : host.vms) {
        record::VmSample sample;
        sample.vm = vm.name;
        sample.uuid = uuid;
        sample.host = name;
        sample.state = word(vm.state);
        if (vm.state != migrate::VmState::kRunning) sample.state_reason = vm.reason;
        sample.memory_bytes = vm.memory - vm.ballooned;
        sample.vcpus = 1;
        if (vm.state != migrate::VmState::kShutoff) ++*seen.sample.vms_running;
        seen.vms.push_back(sample);
      }
    }
    return view;
  }

  struct Handle final : RecoveryHost {
    Handle(FakeCluster& fake, std::string host) : cluster(fake), name(std::move(host)) {}
    FakeCluster& cluster;
    std::string name;

    Host& open() const {
      Host& host = cluster.hosts_[name];
      if (host.silent) throw Error(Status::kUnreachable, "ask", name, "no answer");
      return host;
    }
    Vm& existing(const std::string& uuid) const {
      Host& host = open();
      if (!host.vms.contains(uuid)) throw Error(Status::kNo, "find", uuid, "no such VM");
      return host.vms[uuid];
    }
    migrate::VmFacts look(const std::string&, const std::string& uuid) override {
      const std::lock_guard guard(cluster.mutex_);
      migrate::VmFacts facts;
      Host& host = open();
      if (!host.vms.contains(uuid)) return facts;
      facts.state = host.vms[uuid].state;
      facts.name = host.vms[uuid].name;
      facts.uuid = uuid;
      facts.persistent = true;
      facts.lost = host.vms[uuid].lost;
      facts.memory_bytes = host.vms[uuid].memory;
      return facts;
    }
    std::string definition(const std::string& uuid) override {
      std::this_thread::sleep_for(cluster.hosts_[name].hangs);
      const std::lock_guard guard(cluster.mutex_);
      const Vm& vm = existing(uuid);
      return cluster.definitions.contains(vm.name) ? cluster.definitions[vm.name] : xml_of(vm.name);
    }
    void define(const std::string& xml) override {
      const std::lock_guard guard(cluster.mutex_);
      if (cluster.on_define) cluster.on_define(name);
      const auto from = xml.find("<name>") + 6;
      const std::string vm = xml.substr(from, xml.find("</name>") - from);
      Host& host = open();
      if (host.vms.contains("uuid-" + vm)) return;
      host.vms["uuid-" + vm] = {vm, "uuid-" + vm, migrate::VmState::kShutoff, kGiB, false};
    }
    void start(const std::string& uuid) override {
      Milliseconds hangs{0};
      {
        const std::lock_guard guard(cluster.mutex_);
        Vm& vm = existing(uuid);
        if (vm.state != migrate::VmState::kShutoff) throw Error(Status::kNo, "start", uuid, "already active");
        cluster.started.push_back(vm.name + "@" + name);
        Host& host = cluster.hosts_[name];
        if (host.failing_starts > 0) {
          --host.failing_starts;
          throw Error(Status::kNo, "start", uuid, host.failure);
        }
        if (host.dies_at_start) {
          host.silent = true;
          throw Error(Status::kUnreachable, "start", uuid, "connection lost");
        }
        hangs = host.start_hangs;
        if (host.starts_behind > Milliseconds{0}) {
          cluster.behind_.emplace_back([uuid, on = name, after = host.starts_behind, &all = cluster] {
            std::this_thread::sleep_for(after);
            const std::lock_guard later(all.mutex_);
            auto& vms = all.hosts_[on].vms;
            if (vms.contains(uuid)) vms[uuid].state = migrate::VmState::kRunning;
            all.count();
          });
          throw Error(Status::kUnreachable, "start", uuid, "connection lost");
        }
        cluster.most_at_once = std::max(cluster.most_at_once, ++cluster.now_);
        cluster.most_on_one_host = std::max(cluster.most_on_one_host, ++cluster.on_host_[name]);
      }
      std::this_thread::sleep_for(cluster.start_takes + hangs);
      const std::lock_guard guard(cluster.mutex_);
      --cluster.now_;
      --cluster.on_host_[name];
      Host& host = cluster.hosts_[name];
      if (host.start_fails_late) throw Error(Status::kNo, "start", uuid, "no room in the end");
      existing(uuid).state = host.paused_starts ? migrate::VmState::kPaused : migrate::VmState::kRunning;
      cluster.count();
    }
    void destroy(const std::string& uuid) override {
      const std::lock_guard guard(cluster.mutex_);
      existing(uuid).state = migrate::VmState::kShutoff;
    }
    void undefine(const std::string& uuid) override {
      const std::lock_guard guard(cluster.mutex_);
      if (existing(uuid).state != migrate::VmState::kShutoff)
        throw Error(Status::kRefused, "undefine", uuid, "it runs");
      if (!cluster.definitions_stick) cluster.hosts_[name].vms.erase(uuid);
    }
    std::optional<std::string> incompatible(const migrate::VmDescription& vm) override {
      const std::lock_guard guard(cluster.mutex_);
      if (vm.machine != open().no_machine) return std::nullopt;
      return name + " has no machine type " + vm.machine;
    }
    std::optional<std::string> missing_network(const migrate::VmDescription& vm) override {
      const std::lock_guard guard(cluster.mutex_);
      for (const auto& network : vm.networks) {
        if (network.source == open().unknown_network) return name + " has no bridge " + network.source;
      }
      return std::nullopt;
    }
    bool autostart(const std::string& uuid) override {
      const std::lock_guard guard(cluster.mutex_);
      return existing(uuid).autostart;
    }
    void set_autostart(const std::string& uuid, bool on) override {
      const std::lock_guard guard(cluster.mutex_);
      if (!cluster.autostart_sticks) existing(uuid).autostart = on;
    }
  };

  static const char* word(migrate::VmState state) {
    switch (state) {
      case migrate::VmState::kRunning:
        return "running";
      case migrate::VmState::kShutoff:
        return "shutoff";
      default:
        return "paused";
    }
  }
  // Called with every change of the world.
  void count() {
    std::map<std::string, int> active;
    for (const auto& [name, host] : hosts_) {
      for (const auto& [uuid, vm] : host.vms) {
        if (vm.state != migrate::VmState::kShutoff && ++active[vm.name] > 1) ran_twice.insert(vm.name);
      }
    }
  }

 public:
  static std::string xml_of(const std::string& vm) {
    return "<domain type='kvm'><name>" + vm +
           "</name><os><type arch='x86_64' machine='pc'>hvm</type></os><devices><disk type='file'><source "
           "file='/srv/" +
           vm + ".qcow2'/><target dev='vda'/></disk></devices></domain>";
  }
  // With more devices.
  static std::string xml_with(const std::string& vm, const std::string& devices) {
    std::string xml = xml_of(vm);
    return xml.insert(xml.find("</devices>"), devices);
  }
  std::map<std::string, std::string> definitions;  // of those that are not as xml_of() has them
  bool autostart_sticks = false;
  bool definitions_stick = false;  // an undefine says yes and does nothing

 private:
  std::mutex mutex_;
  std::map<std::string, Host> hosts_;
  int now_ = 0;
  std::map<std::string, int> on_host_;
  std::vector<std::thread> behind_;
};

// A store that dies with the n-th write, before or after it is on disk: as if the program had been killed.
class MortalStore final : public store::Store {
 public:
  struct Killed {};
  explicit MortalStore(store::Store& real) : real_(real) {}
  int writes_left = -1;  // none: lives for ever
  bool after = false;    // the last write is still on disk

  std::optional<store::Entry> get(std::string_view key) override {
    check();
    return real_.get(key);
  }
  std::vector<store::Entry> list(std::string_view prefix) override {
    check();
    return real_.list(prefix);
  }
  std::optional<std::int64_t> commit(const store::Transaction& transaction) override {
    const std::lock_guard guard(mutex_);
    check();
    if (writes_left > 0) --writes_left;
    if (writes_left != 0) return real_.commit(transaction);
    dead_ = true;
    if (after) real_.commit(transaction);
    throw Killed{};
  }
  std::optional<store::Lock> try_lock(std::string_view name) override {
    auto lock = real_.try_lock(name);
    if (!lock) return std::nullopt;
    return store::Lock(std::make_unique<Lease>(std::move(*lock), lock_is_lost));
  }
  std::shared_ptr<std::atomic<bool>> lock_is_lost = std::make_shared<std::atomic<bool>>(false);

 private:
  struct Lease final : store::Lock::Holder {
    Lease(store::Lock real, std::shared_ptr<std::atomic<bool>> gone)
        : lock(std::move(real)), is_lost(std::move(gone)) {}
    bool lost() const override { return *is_lost; }
    store::Lock lock;
    std::shared_ptr<std::atomic<bool>> is_lost;
  };
  void check() const {
    if (dead_) throw Killed{};
  }
  store::Store& real_;
  std::mutex mutex_;
  std::atomic<bool> dead_ = false;
};

// Hosts h1 to hN of the fake cluster, as an inventory has them.
inline std::vector<record::Host> fake_hosts(FakeCluster& cluster, int count) {
  std::vector<record::Host> hosts;
  for (int i = 1; i <= count; ++i) {
    record::Host& host = hosts.emplace_back();
    host.host = "h" + std::to_string(i);
    host.uri = "fake://" + host.host;
    host.shared_storage = std::vector<std::string>{"/srv"};
    cluster.at(host.host);
  }
  return hosts;
}

// What is stored of a protected VM that was last seen on the host.
inline Protected fake_protected(const std::string& name, const std::string& host) {
  Protected vm;
  vm.vm = name;
  vm.uuid = "uuid-" + name;
  vm.host = host;
  vm.memory_bytes = FakeCluster::kGiB;
  vm.xml = FakeCluster::xml_of(name);
  return vm;
}

}  // namespace rackline::failover
