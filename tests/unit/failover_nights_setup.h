// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bmc/switch.h"
#include "bmc/uuid.h"
#include "failover/recovery_start.h"
#include "failover_nights_agent.h"
#include "failover_nights_hosts.h"
#include "fence/identity.h"
#include "fence/rules.h"
#include "heartbeat/membership.h"

namespace rackline::failover::nights {

// How a night's cluster is set up.
struct Setup {
  std::vector<record::Host> inventory;
  std::map<std::string, bmc::FenceLevels> methods;
  fence::FencePolicy fence;
  RecoveryPolicy recovery;
  heartbeat::WatchPolicy watch;
  bool require_identity = false;
};

// Draws the cluster: hosts, controllers and what is wrong with them, policies, servers.
class Builder {
 public:
  Builder(World& world, Setup& setup, std::map<std::string, AgentModel>& agents, store::Store& store)
      : world_(world), setup_(setup), agents_(agents), store_(store) {}

  void build() {
    auto& dice = world_.dice;
    const int hosts = dice.pick(3, 6);
    const int servers = dice.pick(hosts, 2 * hosts);
    const bool tight = dice.one_in(5);
    const bool self = dice.one_in(4);
    const bool outlets = dice.one_in(3);
    setup_.watch.storage = self || !dice.one_in(6);
    world_.locks_outlive = dice.one_in(3);
    for (int i = 1; i <= hosts; ++i) {
      const std::string name = "h" + std::to_string(i);
      Machine& m = world_.machines[name];
      m.name = name;
      if (tight) m.memory_gib = servers / (hosts - 1) + 1;
      record::Host host;
      host.host = name;
      host.uri = "fake://" + name;
      host.shared_storage = std::vector<std::string>{"/srv"};
      setup_.inventory.push_back(host);
      bmc::FenceLevels levels{{method(name, "fence_ipmilan", {"ip=10.0.0.1" + std::to_string(i)}, 1)}};
      world_.controllers["10.0.0.1" + std::to_string(i)].switches = name;
      if (outlets) {
        levels.push_back({method(name, "fence_apc", {"ip=10.0.1.1", "plug=" + std::to_string(i)}, 2)});
        world_.controllers["10.0.1.1" + std::to_string(i)].switches = name;
      }
      if (self) levels.push_back({method(name, "self", {}, 3)});
      setup_.methods[name] = levels;
      agents_.emplace(std::piecewise_construct, std::forward_as_tuple(name),
                      std::forward_as_tuple(world_, name, self));
    }
    for (auto& [name, agent] : agents_) {
      for (const auto& [other, m] : world_.machines) {
        if (other != name) agent.others.push_back(other);
      }
    }
    for (auto& [address, controller] : world_.controllers) {
      if (dice.one_in(4)) controller.slow = dice.time(500, 6000);
      if (dice.one_in(4)) controller.late = dice.time(500, 8000);
      if (dice.one_in(6)) controller.failing = 40;
      if (dice.one_in(12)) controller.liar = true;
    }
    setup_.fence.fence_isolated = dice.one_in(4);
    setup_.fence.fence_partitioned = dice.one_in(4);
    setup_.fence.fence_hypervisor_down = dice.one_in(4);
    setup_.recovery.max_total = setup_.recovery.max_per_host =
        1;  // one after the other: the same night again
    setup_.recovery.poll = Milliseconds{1};
    setup_.recovery.lock_timeout = Milliseconds{0};
    if (dice.one_in(4)) {
      for (auto& [name, levels] : setup_.methods) levels[0][0].delay = dice.time(500, 8000);
    }
    for (int i = 1; i <= servers; ++i) {
      const std::string name = "s" + std::to_string(i);
      world_.servers[name] = {name, "uuid-" + name, dice.pick(0, 2), Milliseconds{0}};
      Machine& m = world_.machines.at("h" + std::to_string(i % hosts + 1));
      m.defined[name] = "unknown";
      m.running.insert(name);
      Protected vm;
      vm.vm = name;
      vm.uuid = "uuid-" + name;
      vm.host = m.name;
      vm.priority = world_.servers[name].priority;
      vm.memory_bytes = NightCluster::kGiB;
      vm.xml = NightCluster::xml_of(name);
      put(store_, vm);
    }
    if (dice.one_in(6)) swap_controllers();
    if (dice.one_in(10)) share_a_controller();
  }

 private:
  static bmc::FenceMethod method(const std::string& host, const std::string& agent,
                                 std::vector<std::string> options, std::int64_t level) {
    bmc::FenceMethod method;
    method.host = host;
    method.agent = agent;
    method.level = level;
    method.options = std::move(options);
    return method;
  }

  // Two cables are in each other's place. Half of the nights begin with fence verify.
  void swap_controllers() {
    std::swap(world_.controllers.at("10.0.0.11").switches, world_.controllers.at("10.0.0.12").switches);
    if (world_.dice.one_in(2)) {
      world_.undetectable = true;
      return world_.tell("h1 and h2 have each other's controller, and nobody has looked");
    }
    world_.tell("h1 and h2 have each other's controller, and fence verify was run");
    struct Source final : fence::IdentitySource {
      explicit Source(World& all) : world(all) {}
      static bmc::Identity of(const std::string& host) {
        bmc::Identity identity;
        identity.uuid = bmc::parse_uuid("4c4c4544-0000-1000-8000-00000000000" + host.substr(1));
        return identity;
      }
      bmc::Identity of_switch(const bmc::FenceMethod& method, Milliseconds) override {
        return of(world.controllers.at(method.option("ip") + method.option("plug")).switches);
      }
      bmc::Identity of_host(const record::Host& host, Milliseconds) override { return of(host.host); }
      World& world;
    } source(world_);
    fence::verify_identities(store_, source, setup_.inventory, setup_.methods, world_.time,
                             Milliseconds{1000}, true);
  }

  // The inventory names one controller for two hosts, in another spelling: it is refused, and the second
  // host is left without.
  void share_a_controller() {
    auto shared = setup_.methods;
    shared.at("h2")[0][0].options = {world_.dice.one_in(2) ? "ipaddr=10.0.0.11" : "ip=010.0.0.11:623"};
    try {
      bmc::refuse_shared_switches(shared);
      world_.fault("two hosts with one controller were accepted");
    } catch (const Error&) {
      world_.tell("h2 has no controller of its own");
    }
    setup_.methods.at("h2").erase(setup_.methods.at("h2").begin());
  }

  World& world_;
  Setup& setup_;
  std::map<std::string, AgentModel>& agents_;
  store::Store& store_;
};

}  // namespace rackline::failover::nights
