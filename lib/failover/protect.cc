// SPDX-License-Identifier: Apache-2.0
#include "failover/protect.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/joined.h"
#include "cluster/marks.h"
#include "failover/affinity.h"
#include "failover/journal.h"
#include "failover/recovery_verdict.h"
#include "migrate/records.h"

namespace rackline::failover {
namespace {

// Hosts that did not answer, as "h1, h3".
std::string silent_hosts(const View& view) {
  std::vector<std::string_view> silent;
  for (const auto& [name, host] : view.hosts) {
    if (!host.answered) silent.push_back(name);
  }
  return joined(silent);
}

bool has(const View& view, const std::string& vm) {
  return std::any_of(view.hosts.begin(), view.hosts.end(), [&vm](const auto& host) {
    const auto& vms = host.second.vms;
    return std::any_of(vms.begin(), vms.end(), [&vm](const record::VmSample& seen) { return seen.vm == vm; });
  });
}

bool has(const std::vector<Protected>& vms, const std::string& vm) {
  return std::any_of(vms.begin(), vms.end(), [&vm](const Protected& one) { return one.vm == vm; });
}

}  // namespace

Protector::Protector(const std::vector<record::Host>& inventory, RecoveryCluster& cluster,
                     store::Store& store, const Clock& clock, Milliseconds timeout, bool dry_run, Hooks hooks)
    : hosts_(migrate::migration_hosts(inventory)),
      cluster_(cluster),
      store_(store),
      clock_(clock),
      timeout_(timeout),
      dry_run_(dry_run),
      hooks_(std::move(hooks)) {
  for (const auto& host : inventory) inventory_.push_back(host.host);
}

// Hosts with a mark have nothing to say: what they believe about their VMs may be stale.
View Protector::look() {
  std::vector<std::string> asked = inventory_;
  std::erase_if(asked,
                [this](const std::string& host) { return cluster::fence_mark(store_, host).has_value(); });
  const auto now = clock_.wall();
  View view = cluster_.look(asked, timeout_);
  view.time = now;
  return view;
}

// Where it is: where it is active, else where it is defined. Throws Error(kRefused) when it is at two places.
std::optional<Protector::Found> Protector::find(const View& view, const std::string& vm,
                                                const std::string& uuid) const {
  std::vector<Found> active;
  std::vector<Found> defined;
  for (const auto& [name, host] : view.hosts) {
    for (const auto& sample : host.vms) {
      if (sample.vm != vm || (!uuid.empty() && sample.uuid != uuid)) continue;
      // Left behind by a migration: it lives where it went.
      if (sample.state == "shutoff" && sample.state_reason == "migrated") continue;  // @rule 01-left-behind
      (sample.state == "shutoff" ? defined : active).push_back({name, sample, std::nullopt});
    }
  }
  auto& found = active.empty() ? defined : active;
  if (found.empty()) return std::nullopt;
  if (found.size() > 1) {
    throw Error(Status::kRefused, "find", vm,
                std::string(active.empty() ? "it is defined" : "it is active") + " on " + found[0].host +
                    " and " + found[1].host,
                "one of them has to go first");
  }
  // @rule 01-seen-by-a-definition: true
  if (found.front().sample.state == "running" || silent_hosts(view).empty()) found.front().seen = view.time;
  return found.front();
}

Protected Protector::described(const Found& found, std::optional<Protected> before, Fitness& fitness) {
  const std::string uuid = found.sample.uuid.value_or("");
  Protected vm = before.value_or(Protected{});
  if (!before) {
    vm.priority = found.sample.priority.value_or(0);
    vm.anti_affinity = found.sample.anti_affinity;
  }
  vm.vm = found.sample.vm;
  vm.uuid = uuid;
  vm.host = found.host;
  if (found.seen) vm.seen = *found.seen;
  vm.refreshed = clock_.wall();
  const auto host = cluster_.host(found.host);
  vm.xml = ask(found.host, timeout_, [host, uuid] { return host->definition(uuid); });
  const auto facts = ask(found.host, timeout_, [host, name = vm.vm, uuid] { return host->look(name, uuid); });
  // Whoever has paused it does not want it to run, and a restart would make it.
  // @rule 04-paused-by-somebody: false
  const bool paused = found.sample.state == "paused" && found.sample.state_reason == "user";
  // One that ended with its host still wants to run, though its host is up again and says that it is off.
  vm.running = !vm.stay_off && !paused &&
               (found.sample.state != "shutoff" || (before && before->running && facts.lost));
  // It starts with all that it may have, whatever a balloon has taken back of it now.
  vm.memory_bytes = std::max(found.sample.memory_bytes.value_or(0), facts.memory_bytes);
  vm.vcpus = found.sample.vcpus.value_or(1);
  // A transient one has no autostart to switch off.
  if (facts.persistent) {
    const bool on = ask(found.host, timeout_, [host, uuid] { return host->autostart(uuid); });
    vm.autostart = on || vm.autostart;
  }
  fitness.find(vm);
  return vm;
}

namespace {

void wish(Protected& vm, const Wishes& wishes) {
  const auto without = [&wishes](const char* name) {
    return std::find(wishes.without.begin(), wishes.without.end(), name) != wishes.without.end();
  };
  if (without("after")) vm.after.clear();
  if (without("anti-affinity")) vm.anti_affinity.reset();
  if (without("check")) vm.check.reset();
  if (without("failback")) vm.affinity.failback = false;
  if (without("only")) vm.affinity.only = false;
  if (without("prefer")) vm.affinity.prefer.clear();
  if (without("together")) vm.affinity.together.reset();
  if (wishes.check) vm.check = wishes.check;
  if (!wishes.after.empty()) vm.after = wishes.after;
  if (wishes.anti_affinity) vm.anti_affinity = wishes.anti_affinity;
  const Affinity& wanted = wishes.affinity;
  Affinity& affinity = vm.affinity;
  if (!wanted.prefer.empty()) affinity.prefer = wanted.prefer;
  affinity.only = wanted.only || (affinity.only && wanted.prefer.empty());
  if (wanted.together) affinity.together = wanted.together;
  affinity.failback = affinity.failback || wanted.failback;
}

}  // namespace

// A name with a slip in it would keep those that wait for it down on the night when their host dies.
void Protector::refuse_unknown(const Wishes& wishes, const View& view,
                               const std::vector<Protected>& wished) const {
  for (const auto& before : wishes.after) {
    if (has(wished, before)) continue;
    if (has(view, before)) {
      hooks_.warn("--after " + before +
                  ": nobody protects it: what waits for it is started only while it runs");
      continue;
    }
    if (const auto silent = silent_hosts(view); !silent.empty())
      throw Error(Status::kUnreachable, "find", before, "no answer from " + silent);
    throw Error(Status::kNo, "find", before, "nobody protects it, and no host of the inventory has it");
  }
}

// Those that are to be started after it, of which some may have `gone` with it.
void Protector::tell_dependents(const std::string& vm, const std::vector<std::string>& gone) {
  for (const auto& other : protected_vms(store_)) {
    if (std::find(other.after.begin(), other.after.end(), vm) == other.after.end()) continue;
    if (std::find(gone.begin(), gone.end(), other.vm) != gone.end()) continue;
    hooks_.warn(other.vm + " is started after " + vm + ", which nobody protects now: only while that runs");
  }
}

Status Protector::tell_lost_dependencies(const View& view) {
  if (!silent_hosts(view).empty()) return Status::kDone;
  const auto vms = protected_vms(store_);
  Status status = Status::kDone;
  for (const auto& vm : vms) {
    for (const auto& before : vm.after) {
      if (has(vms, before) || has(view, before)) continue;
      hooks_.warn(vm.vm + " is to be started after " + before +
                  ", which nobody protects and no host has: it " + "would not be started (failover protect " +
                  vm.vm + " --without after)");
      status = Status::kNo;
    }
  }
  return status;
}

// Of all that are protected, when these wishes are fulfilled.
void Protector::refuse_contradiction(const std::vector<Protected>& wished) const {
  if (const auto cycle = dependency_cycle(wished); !cycle.empty()) {
    throw Error(Status::kRefused, "protect", cycle, "each would have to run before the other");
  }
  // @rule 05-contradicting-wishes
  if (const auto why = affinity_contradiction(wished, {inventory_.begin(), inventory_.end()}); !why.empty())
    throw Error(Status::kRefused, "protect", "as it is wished", why);
}

// Off, and read back. The store first: a crash between the two leaves it protected and the repeated command
// switches it off, the other way round nobody would start it any more.
void Protector::switch_autostart(const Protected& vm, bool on) {
  const auto host = cluster_.host(vm.host);
  const auto facts = ask(vm.host, timeout_, [host, vm] { return host->look(vm.vm, vm.uuid); });
  if (!facts.persistent) return;
  const bool now = ask(vm.host, timeout_, [host, vm, on] {
    if (host->autostart(vm.uuid) != on) host->set_autostart(vm.uuid, on);
    return host->autostart(vm.uuid);
  });
  if (now != on) {
    throw Error(Status::kNo, "switch autostart " + std::string(on ? "on" : "off"), vm.vm,
                "it reads back as the opposite");
  }
}

void Protector::store_it(const Protected& vm) {
  auto record = record_of(vm);
  if (dry_run_) {
    record.planned = true;
  } else {
    if (!put(store_, vm)) throw Error(Status::kBusy, "store", vm.vm, "somebody else has just changed it");
    switch_autostart(vm, false);
  }
  hooks_.stored(record);
}

void Protector::tell_pinned(const Protected& vm) {
  if (!vm.pinned) return;
  hooks_.warn(vm.vm + " is protected, but pinned to " + vm.host +
              ": it is not started elsewhere: " + *vm.pinned);
}

// libvirt knows it by its UUID, a person by its name.
void Protector::complain(const std::string& vm, const Error& error) const {
  const std::string text = error.what();
  hooks_.warn(text.find(vm) == std::string::npos ? vm + ": " + text : text);
}

void Protector::note(const std::string& text) const {
  if (hooks_.note) hooks_.note(text);
}

void Protector::grave(Status& status, Status more) const {
  // A refusal outranks what a later run may bring by itself.
  if (status == Status::kDone || more == Status::kRefused) status = more;
}

Status Protector::protect(const Wishes& wishes) {
  if (wishes.vms.empty() && !wishes.all) {
    if (wishes.standing) rule(wishes);
    return Status::kDone;
  }
  const View view = look();
  Fitness fitness(hosts_, view, cluster_, timeout_);
  std::vector<std::string> names = wishes.vms;
  std::set<std::string> except(wishes.except.begin(), wishes.except.end());
  if (wishes.all) {
    if (const auto standing = standing_rule(store_))
      except.insert(standing->except.begin(), standing->except.end());
  }
  const std::string silent = silent_hosts(view);
  for (const auto& [name, host] : view.hosts) {
    if (!wishes.all) continue;
    for (const auto& vm : host.vms) {
      const bool left_behind = vm.state == "shutoff" && vm.state_reason == "migrated";
      if (!except.contains(vm.vm) && !left_behind) names.push_back(vm.vm);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());

  auto all = protected_vms(store_);
  const auto stored = [&all](const std::string& vm) {
    return std::find_if(all.begin(), all.end(), [&vm](const Protected& p) { return p.vm == vm; });
  };
  // First: nothing is changed for a wish that cannot be.
  auto wished = all;
  for (const auto& name : names) {
    const auto found =
        std::find_if(wished.begin(), wished.end(), [&](const auto& p) { return p.vm == name; });
    Protected& vm = found != wished.end() ? *found : wished.emplace_back();
    vm.vm = name;
    wish(vm, wishes);
  }
  refuse_contradiction(wished);
  refuse_unknown(wishes, view, wished);
  if (wishes.standing) rule(wishes);

  Status status = Status::kDone;
  if (wishes.all && !silent.empty()) {
    hooks_.warn("protect: --all: no answer from " + silent + ": what is there is not protected");
    status = Status::kUnreachable;
  }
  for (const auto& name : names) {
    try {
      const auto found = find(view, name, "");
      if (!found) {
        if (!silent.empty()) throw Error(Status::kUnreachable, "find", name, "no answer from " + silent);
        throw Error(Status::kNo, "find", name, "no host of the inventory has it");
      }
      const auto before = stored(name);
      Protected vm = described(*found, before == all.end() ? std::nullopt : std::optional(*before), fitness);
      if (wishes.priority) vm.priority = *wishes.priority;
      wish(vm, wishes);
      // Its definition may put it into a group.
      for (auto& known : wished) {
        if (known.vm == name) known.anti_affinity = vm.anti_affinity;
      }
      refuse_contradiction(wished);
      store_it(vm);
      tell_pinned(vm);
    } catch (const Error& error) {
      complain(name, error);
      grave(status, error.status());
    }
  }
  take_in(wishes.vms);
  return status;
}

Status Protector::refresh() {
  const View view = look();
  Fitness fitness(hosts_, view, cluster_, timeout_);
  Status status = Status::kDone;
  // Hosts that have stopped answering meanwhile. To wait for them once for each VM would keep the
  // lock for minutes, and just then it is wanted.
  std::set<std::string> hung;
  for (const auto& before : protected_vms(store_)) {
    try {
      const auto found = find(view, before.vm, before.uuid);
      // A stopped one beside a host that does not answer, or is marked, may run there.
      const bool home_silent = !view.answered(before.host);
      const bool certain = found && (found->sample.state != "shutoff" || !home_silent);
      if (certain) {
        if (hung.contains(found->host))
          throw Error(Status::kUnreachable, "refresh", before.vm, found->host + " does not answer any more");
        try {
          const Protected now = described(*found, before, fitness);
          store_it(now);
          if (now.pinned != before.pinned) tell_pinned(now);
        } catch (const Error& error) {
          if (error.status() == Status::kTimeout) hung.insert(found->host);
          throw;
        }
      } else if (home_silent) {
        if (!cluster::fence_mark(store_, before.host))
          throw Error(Status::kUnreachable, "refresh", before.vm, before.host + " does not answer");
      } else {
        throw Error(Status::kNo, "refresh", before.vm, "no host that answers has it; it is kept as it was");
      }
    } catch (const Error& error) {
      complain(before.vm, error);
      grave(status, error.status());
    }
  }
  grave(status, take_new(view));
  grave(status, tell_lost_dependencies(view));
  return status;
}

bool Protector::has_open_restart(const std::string& vm) {
  auto journal = start_journal(store_, clock_);
  const auto open = open_starts(journal);
  return std::any_of(open.begin(), open.end(), [&vm](const Intent& start) { return start.vm == vm; });
}

Status Protector::unprotect(const std::vector<std::string>& vms) {
  Status status = Status::kDone;
  for (const auto& name : vms) {
    const auto vm = protected_vm(store_, name);
    if (dry_run_) {
      note(name + (vm ? " would no longer be protected" : " is not protected"));
      continue;
    }
    if (!vm) {
      leave_out(name);
      note(name + " is not protected");
      continue;
    }
    // Without it nobody would learn any more where that ended, nor could its hosts be cleared.
    if (has_open_restart(name)) {
      hooks_.warn("unprotect: " + name + ": a restart of it has no result; run failover --resume first");
      grave(status, Status::kRefused);
      continue;
    }
    if (!remove(store_, *vm))
      throw Error(Status::kBusy, "unprotect", name, "somebody else has just changed it");
    leave_out(name);
    note(name + " is no longer protected");
    tell_dependents(name, vms);
    if (!vm->autostart || !hosts_.contains(vm->host)) continue;
    try {
      switch_autostart(*vm, true);
    } catch (const Error& error) {
      hooks_.warn(name +
                  " is no longer protected, but its autostart could not be given back: " + error.what());
      grave(status, error.status());
    }
  }
  return status;
}

void require_private(const std::string& store_url) {
  constexpr std::string_view kScheme = "sqlite:";
  if (!store_url.starts_with(kScheme)) return;
  const std::string path = store_url.substr(kScheme.size());
  struct stat about = {};
  if (stat(path.c_str(), &about) != 0 || (about.st_mode & 077) == 0) return;  // @rule 20-definitions: true
  throw Error(Status::kRefused, "store definitions with their secrets", path, "others may read it",
              "chmod 600 " + path);
}

}  // namespace rackline::failover
