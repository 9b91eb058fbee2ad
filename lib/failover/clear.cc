// SPDX-License-Identifier: Apache-2.0
#include "failover/clear.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/error.h"
#include "cluster/marks.h"
#include "failover/journal.h"
#include "failover/protection.h"
#include "failover/recovery_verdict.h"

namespace rackline::failover {
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
    if (request_.dry_run && record_.outcome == "done") record_.outcome = "planned";
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
    adopt_what_is_only_here();
    const auto stale = stale_here();
    for (const auto& vm : stale) {
      if (const auto why = objection(vm); !why.empty()) return refuse(why);
    }
    if (const auto open = open_restart(); !open.empty()) return refuse(open);
    std::vector<std::string> removed;
    for (const auto& vm : stale) {
      removed.push_back(vm.vm);
      if (!request_.dry_run) remove_copy(vm);  // @rule 04-cleared-when-clean
    }
    if (!removed.empty()) record_.removed = removed;
    if (request_.dry_run) return;
    // Believed when it is read back.
    view_ = look();
    if (!view_.answered(request_.host)) {
      throw Error(Status::kUnreachable, "clear", request_.host, view_.hosts[request_.host].error);
    }
    // @rule 04-cleared-when-clean, 04-cleared-when-read-back
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
    const auto now = clock_.wall();
    View view = cluster_.look(hosts, request_.timeout);
    view.time = now;
    return view;
  }

  // Protected VMs that are there and whose place is elsewhere.
  std::vector<Protected> stale_here() {
    auto vms = protected_vms(store_);
    std::erase_if(vms, [this](const Protected& vm) {
      const auto places = view_.defined_on(vm.uuid);
      return vm.host == request_.host || adopted_.contains(vm.vm) ||
             std::find(places.begin(), places.end(), request_.host) == places.end();
    });
    return vms;
  }

  // One that was moved here meanwhile, or that nobody else has: the copy here is the only one, and its place
  // is here. Only when all others answer or are proven to be off.
  void adopt_what_is_only_here() {
    for (const auto& host : inventory_) {
      const auto seen = view_.hosts.find(host.host);
      if (seen != view_.hosts.end() && !seen->second.answered) return;
    }
    for (const auto& vm : stale_here()) {
      const auto active = view_.active_on(vm.uuid);
      const bool only_one_that_runs = active.size() == 1 && active_here(vm);
      const bool nobody_else_has_it =
          active.empty() && view_.defined_on(vm.uuid).size() == 1 && view_.answered(vm.host);
      if (!only_one_that_runs && !nobody_else_has_it) continue;
      warn_(vm.vm + " is on " + request_.host + " and nowhere else: its place is there");
      adopted_.insert(vm.vm);
      if (request_.dry_run) continue;
      Protected moved = vm;
      moved.host = request_.host;
      moved.seen = view_.time;
      if (!put(store_, moved))
        throw Error(Status::kBusy, "store", vm.vm, "somebody else has just changed it");
    }
  }

  bool active_here(const Protected& vm) const {
    const auto active = view_.active_on(vm.uuid);
    return std::find(active.begin(), active.end(), request_.host) != active.end();
  }

  std::string objection(const Protected& vm) const {
    if (!active_here(vm)) {
      // With all answers in it would have been adopted.
      if (view_.defined_on(vm.uuid).size() > 1 || !view_.answered(vm.host))  // @rule 16-only-copy-known: true
        return {};
      return vm.vm + " is defined on " + request_.host + " and on no other host that answers, also not on " +
             vm.host + ", which was its place: whether this copy is the right one is known when all answer";
    }
    const std::string what = vm.vm + " is active on " + request_.host + " although its place is " + vm.host;
    const auto active = view_.active_on(vm.uuid);
    if (std::find(active.begin(), active.end(), vm.host) == active.end()) {  // @rule 16-the-right-copy
      return what + ", where it is not seen running: nothing is stopped; look which copy is the right one";
    }
    if (request_.destroy_stale) return {};  // @rule 16-stale-copy: true
    return what + ": two copies write to its disks; --destroy-stale ends this one";
  }

  // A restart of which it is not known where it ended: the place in the store may be about to change.
  std::string open_restart() {
    auto journal = start_journal(store_, clock_);
    for (const auto& intent : open_starts(journal)) {
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
        warn_(vm.vm + " was never restarted elsewhere and does not run: failover keep starts it");
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
  std::set<std::string> adopted_;  // whose place is here by now
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

}  // namespace rackline::failover
