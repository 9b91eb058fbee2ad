// SPDX-License-Identifier: Apache-2.0
#include "failover/recovery_cluster.h"

#include <algorithm>
#include <future>
#include <mutex>
#include <utility>

#include "migrate/hypervisor.h"
#include "migrate/records.h"
#include "virt/survey.h"

namespace rackline::failover {
namespace {

// What migration already knows how to do on a host.
class LibvirtHost final : public RecoveryHost {
 public:
  explicit LibvirtHost(const migrate::MigrationHost& host) : hypervisor_(migrate::libvirt_hypervisor(host)) {}

  migrate::VmFacts look(const std::string& name, const std::string& uuid) override {
    return hypervisor_->look(name, uuid);
  }
  std::string definition(const std::string& uuid) override { return hypervisor_->definition(uuid); }
  void define(const std::string& xml) override { hypervisor_->define(xml); }
  void undefine(const std::string& uuid) override { hypervisor_->undefine(uuid); }
  void start(const std::string& uuid) override { hypervisor_->start(uuid); }
  void destroy(const std::string& uuid) override { hypervisor_->destroy(uuid); }
  std::optional<std::string> incompatible(const migrate::VmDescription& vm) override {
    return hypervisor_->incompatible(vm);
  }
  std::optional<std::string> missing_network(const migrate::VmDescription& vm) override {
    return hypervisor_->missing_network(vm);
  }
  bool autostart(const std::string& uuid) override { return hypervisor_->autostart(uuid); }
  void set_autostart(const std::string& uuid, bool on) override { hypervisor_->set_autostart(uuid, on); }

 private:
  std::shared_ptr<migrate::Hypervisor> hypervisor_;
};

class LibvirtCluster final : public RecoveryCluster {
 public:
  explicit LibvirtCluster(const std::vector<record::Host>& inventory)
      : inventory_(inventory), hosts_(migrate::migration_hosts(inventory)) {}

  View look(const std::vector<std::string>& hosts, Milliseconds timeout) override {
    std::vector<record::Host> asked;
    for (const auto& host : inventory_) {
      if (std::find(hosts.begin(), hosts.end(), host.host) != hosts.end()) asked.push_back(host);
    }
    // Where it runs is needed now; how busy it is would cost a window.
    virt::Survey survey(asked, {timeout, timeout, Milliseconds{0}});
    View view;
    for (const auto& host : asked) {
      HostView& unasked = view.hosts[host.host];
      unasked.host = host.host;
      unasked.error = "a stop was asked for";
    }
    survey.round([&view](virt::Survey::Seen seen) {
      HostView& host = view.hosts[seen.host.host];
      host.answered = seen.host.state == "up";
      host.error = seen.host.error.value_or("");
      host.sample = std::move(seen.host);
      host.vms = std::move(seen.vms);
    });
    return view;
  }

  std::vector<View> look_at_once(const std::vector<Look>& looks) override {
    std::vector<std::future<View>> asked;
    for (const auto& one : looks) {
      asked.push_back(std::async(std::launch::async, [this, &one] {
        return one.hosts.empty() ? View() : look(one.hosts, one.timeout);
      }));
    }
    std::vector<View> views;
    for (auto& answer : asked) views.push_back(answer.get());
    return views;
  }

  std::shared_ptr<RecoveryHost> host(const std::string& name) override {
    const std::lock_guard guard(mutex_);
    auto& host = open_[name];
    if (host == nullptr) host = std::make_shared<LibvirtHost>(hosts_.at(name));
    return host;
  }

 private:
  std::vector<record::Host> inventory_;
  std::map<std::string, migrate::MigrationHost> hosts_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<RecoveryHost>> open_;
};

}  // namespace

bool View::answered(const std::string& host) const {
  const auto found = hosts.find(host);
  return found != hosts.end() && found->second.answered;
}

std::vector<std::string> View::active_on(const std::string& uuid) const {
  return hosts_with([&uuid](const record::VmSample& vm) { return vm.uuid == uuid && vm.state != "shutoff"; });
}

std::vector<std::string> View::defined_on(const std::string& uuid) const {
  return hosts_with([&uuid](const record::VmSample& vm) { return vm.uuid == uuid; });
}

std::vector<std::string> View::placed_on(const std::string& uuid) const {
  return hosts_with([&uuid](const record::VmSample& vm) {
    return vm.uuid == uuid && !(vm.state == "shutoff" && vm.state_reason == "migrated");
  });
}

std::vector<std::string> View::namesake_on(const std::string& vm, const std::string& uuid) const {
  return hosts_with([&](const record::VmSample& other) {
    return other.vm == vm && other.uuid != uuid && other.state != "shutoff";
  });
}

std::vector<std::string> View::name_taken_on(const std::string& vm, const std::string& uuid) const {
  return hosts_with([&](const record::VmSample& other) { return other.vm == vm && other.uuid != uuid; });
}

std::string View::state_on(const std::string& host, const std::string& uuid) const {
  const auto seen = hosts.find(host);
  if (seen == hosts.end()) return {};
  const auto& vms = seen->second.vms;
  const auto vm = std::find_if(vms.begin(), vms.end(), [&](const auto& one) { return one.uuid == uuid; });
  return vm == vms.end() ? std::string() : vm->state;
}

std::vector<std::string> View::hosts_with(
    const std::function<bool(const record::VmSample& vm)>& wanted) const {
  std::vector<std::string> places;
  for (const auto& [name, host] : hosts) {
    if (std::any_of(host.vms.begin(), host.vms.end(), wanted)) places.push_back(name);
  }
  return places;
}

std::unique_ptr<RecoveryCluster> libvirt_cluster(const std::vector<record::Host>& inventory) {
  return std::make_unique<LibvirtCluster>(inventory);
}

}  // namespace rackline::failover
