// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "migrate/move.h"
#include "record/kinds_capacity.h"
#include "record/kinds_inventory.h"
#include "wait/pending.h"

namespace rackline::failover {

// What one host said when it was asked, or that it did not.
struct HostView {
  std::string host;
  bool answered = false;
  std::string error;  // why there was no answer
  record::HostSample sample;
  std::vector<record::VmSample> vms;  // running or only defined
};

// What all hosts that were asked said at about one time. Hosts that are fenced are not asked.
struct View {
  std::chrono::sys_seconds time{};  // before the first of them was asked
  std::set<std::string> alive;      // hosts that are marked as fenced and answered all the same
  std::map<std::string, HostView> hosts;

  bool answered(const std::string& host) const;
  // Everything that is not plainly off counts: paused, incoming, crashed with its process still there.
  std::vector<std::string> active_on(const std::string& uuid) const;
  std::vector<std::string> defined_on(const std::string& uuid) const;  // active or not
  // The same without the definitions that migrations have left behind: it went from there.
  std::vector<std::string> placed_on(const std::string& uuid) const;
  // Active VMs of that name that are not this one: it may have been defined anew, on the same disks.
  std::vector<std::string> namesake_on(const std::string& vm, const std::string& uuid) const;
  // The same of those that are only defined: this one cannot be defined beside them.
  std::vector<std::string> name_taken_on(const std::string& vm, const std::string& uuid) const;
  // As the host's sample has it; empty where it is not.
  std::string state_on(const std::string& host, const std::string& uuid) const;

 private:
  std::vector<std::string> hosts_with(const std::function<bool(const record::VmSample& vm)>& wanted) const;
};

// One host as failover changes it. All functions block, perhaps for ever, and throw Error when they fail.
class RecoveryHost {
 public:
  virtual ~RecoveryHost() = default;
  // The VM of that UUID.
  virtual migrate::VmFacts look(const std::string& name, const std::string& uuid) = 0;
  virtual std::string definition(const std::string& uuid) = 0;
  virtual void define(const std::string& xml) = 0;
  virtual void start(const std::string& uuid) = 0;
  virtual void destroy(const std::string& uuid) = 0;
  // Only the definition: disks and firmware variables stay. Refuses a VM that is active.
  virtual void undefine(const std::string& uuid) = 0;
  // What a VM of this description needs to start and is not here: the emulator, the machine type, the CPU
  // model, and apart from these the networks; nothing when all is here or cannot be known.
  virtual std::optional<std::string> incompatible(const migrate::VmDescription& /*vm*/) {
    return std::nullopt;
  }
  virtual std::optional<std::string> missing_network(const migrate::VmDescription& /*vm*/) {
    return std::nullopt;
  }
  virtual bool autostart(const std::string& uuid) = 0;
  virtual void set_autostart(const std::string& uuid, bool on) = 0;
};

// The seam between the decisions and libvirt.
class RecoveryCluster {
 public:
  virtual ~RecoveryCluster() = default;
  // Asks all of them at once; none delays the others, and none is waited for longer than `timeout`.
  virtual View look(const std::vector<std::string>& hosts, Milliseconds timeout) = 0;
  // Several looks, at the same time where the cluster can do that.
  struct Look {
    std::vector<std::string> hosts;
    Milliseconds timeout{0};
  };
  virtual std::vector<View> look_at_once(const std::vector<Look>& looks) {
    std::vector<View> views;
    for (const auto& one : looks) views.push_back(one.hosts.empty() ? View() : look(one.hosts, one.timeout));
    return views;
  }
  virtual std::shared_ptr<RecoveryHost> host(const std::string& name) = 0;
};

std::unique_ptr<RecoveryCluster> libvirt_cluster(const std::vector<record::Host>& inventory);

// Waits for a call to a host for no longer than `timeout`. What it was to do may then still happen.
// `work` must own all that it refers to. Throws what it throws, and Error(kTimeout).
template <class F>
auto ask(const std::string& host, Milliseconds timeout, F work) -> std::invoke_result_t<F> {
  auto wakeup = std::make_shared<wait::Wakeup>();
  wait::Pending<std::invoke_result_t<F>> pending(wakeup, std::move(work));
  if (!wakeup->wait_for(timeout, [&] { return pending.ready(); })) {
    throw Error(Status::kTimeout, "ask", host, "no answer within " + std::to_string(timeout.count()) + "ms");
  }
  return pending.get();
}

}  // namespace rackline::failover
