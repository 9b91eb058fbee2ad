// SPDX-License-Identifier: Apache-2.0
#include "ha/clear.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "cluster/marks.h"
#include "ha/protection.h"
#include "ha/recovery_verdict.h"
#include "store/journal.h"

namespace rackline::ha {
namespace {

class Clearing {
 public:
  Clearing(const ClearRequest& request, const std::vector<record::Host>& inventory, RecoveryCluster& cluster,
           store::Store& store, const Clock& clock, const std::function<void(const std::string&)>& warn)
      : request_(request),
        inventory_(inventory),
        cluster_(cluster),
        store_(store),
        clock_(clock),
        warn_(warn) {}

  record::HostCleared operator()() {
    const auto begun = clock_.monotonic();
    record_.host = request_.host;
    record_.outcome = "done";
    if (request_.dry_run) record_.planned = true;
    if (const auto mark = cluster::fence_mark(store_, request_.host)) {
      record_.id = mark->id;
      if (!mark->cause.empty()) record_.cause = mark->cause;
      work(*mark);
    } else {
      record_.outcome = "already";
      record_.reason = "it has no mark of a fencing";
    }
    record_.elapsed_ms = (clock_.monotonic() - begun).count();
    return record_;
  }

 private:
  void work(const cluster::FenceMark& mark) {
    view_ = look();
    if (!view_.answered(request_.host)) {
      throw Error(Status::kUnreachable, "clear", request_.host, view_.hosts[request_.host].error,
                  "it keeps its mark until it answers");
    }
    const auto stale = stale_here();
    for (const auto& vm : stale) {
      if (const auto why = objection(vm); !why.empty()) return refuse(why);
    }
    if (const auto open = open_restart(); !open.empty()) return refuse(open);
    std::vector<std::string> removed;
    for (const auto& vm : stale) {
      removed.push_back(vm.vm);
      if (!request_.dry_run) remove_copy(vm);
    }
    if (!removed.empty()) record_.removed = removed;
    if (request_.dry_run) return;
    // Believed when it is read back.
    view_ = look();
    if (!view_.answered(request_.host)) {
      throw Error(Status::kUnreachable, "clear", request_.host, view_.hosts[request_.host].error);
    }
    if (const auto left = stale_here(); !left.empty())
      return refuse(left.front().vm + " is still there after it was removed");
    tell_what_is_its_own();
    if (!remove(store_, mark)) refuse("it was fenced anew meanwhile");
  }

  View look() {
    std::vector<std::string> hosts;
    for (const auto& host : inventory_) {
      const auto mark = cluster::fence_mark(store_, host.host);
      const bool off =
          mark && mark->state == cluster::FenceMark::State::kFenced && host.host != request_.host;
      if (!off) hosts.push_back(host.host);
    }
    return cluster_.look(hosts, request_.timeout);
  }

  // Protected VMs that are there and whose place is elsewhere.
  std::vector<Protected> stale_here() {
    auto vms = protected_vms(store_);
    std::erase_if(vms, [this](const Protected& vm) {
      const auto places = view_.defined_on(vm.uuid);
      return vm.host == request_.host ||
             std::find(places.begin(), places.end(), request_.host) == places.end();
    });
    return vms;
  }

  bool active_here(const Protected& vm) const {
    const auto active = view_.active_on(vm.uuid);
    return std::find(active.begin(), active.end(), request_.host) != active.end();
  }

  std::string objection(const Protected& vm) const {
    if (!active_here(vm)) return {};
    const std::string what = vm.vm + " is active on " + request_.host + " although its place is " + vm.host;
    const auto active = view_.active_on(vm.uuid);
    if (std::find(active.begin(), active.end(), vm.host) == active.end()) {
      return what + ", where it is not seen running: nothing is stopped; look which copy is the right one";
    }
    return request_.destroy_stale ? ""
                                  : what + ": two copies write to its disks; --destroy-stale ends this one";
  }

  // A restart of which it is not known where it ended: the place in the store may be about to change.
  std::string open_restart() {
    for (const auto& item : store::Journal(store_, "failover", clock_).open()) {
      const Intent intent = intent_of(item.id, item.intent);
      if (intent.from != request_.host && intent.to != request_.host) continue;
      return "a restart of " + intent.vm + " on " + intent.to + " has no result; run failover --resume first";
    }
    return {};
  }

  void remove_copy(const Protected& vm) {
    const auto host = cluster_.host(request_.host);
    if (active_here(vm)) {
      warn_("ending the stale copy of " + vm.vm + " on " + request_.host);
      ask(request_.host, request_.timeout, [host, uuid = vm.uuid] { host->destroy(uuid); });
    }
    ask(request_.host, request_.timeout, [host, vm] {
      if (host->look(vm.vm, vm.uuid).present()) host->undefine(vm.uuid);
    });
  }

  void tell_what_is_its_own() {
    for (const auto& vm : protected_vms(store_)) {
      if (vm.host == request_.host && vm.running && view_.active_on(vm.uuid).empty()) {
        warn_(vm.vm + " was never restarted elsewhere and does not run: virsh start " + vm.vm);
      }
    }
  }

  void refuse(const std::string& why) {
    record_.outcome = "refused";
    record_.reason = why;
  }

  const ClearRequest& request_;
  const std::vector<record::Host>& inventory_;
  RecoveryCluster& cluster_;
  store::Store& store_;
  const Clock& clock_;
  const std::function<void(const std::string&)>& warn_;
  View view_;
  record::HostCleared record_;
};

}  // namespace

record::HostCleared clear(const ClearRequest& request, const std::vector<record::Host>& inventory,
                          RecoveryCluster& cluster, store::Store& store, const Clock& clock,
                          const std::function<void(const std::string&)>& warn) {
  const bool known = std::any_of(inventory.begin(), inventory.end(),
                                 [&](const record::Host& host) { return host.host == request.host; });
  if (!known) throw Error(Status::kUsage, "clear", request.host, "it is not in the inventory");
  return Clearing(request, inventory, cluster, store, clock, warn)();
}

}  // namespace rackline::ha
