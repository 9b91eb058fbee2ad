// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "failover/fitness.h"
#include "failover/protection.h"
#include "failover/recovery_cluster.h"
#include "failover/standing.h"
#include "migrate/move.h"
#include "record/kinds_capacity.h"
#include "record/kinds_failover.h"
#include "record/kinds_inventory.h"
#include "store/store.h"

namespace rackline::failover {

// What a person wants for the VMs named; what is not given stays as it was.
struct Wishes {
  std::vector<std::string> vms;
  bool all = false;                 // every one that a host knows
  std::vector<std::string> except;  // but these
  std::optional<bool> standing;     // whether what comes later is protected by itself
  std::string by;                   // who wants it
  std::optional<std::int64_t> priority;
  std::vector<std::string> after;
  std::optional<std::string> anti_affinity, check;
  Affinity affinity;  // hosts that are given anew say anew whether there are others
  // Wishes that are taken away again: after, anti-affinity, check, failback, only, prefer, together.
  std::vector<std::string> without;
};

// Keeps what failover must know of VMs, and is what starts them: libvirt's own autostart is off
// while they are protected, or a host that returns would start a second copy.
class Protector {
 public:
  struct Hooks {
    std::function<void(const record::VmProtected&)> stored;
    std::function<void(const record::ProtectionRule&)> ruled = {};
    std::function<void(const std::string&)> warn;
    std::function<void(const std::string&)> note = {};  // what was done and has no record
  };
  // The caller holds the store's lock "failover".
  Protector(const std::vector<record::Host>& inventory, RecoveryCluster& cluster, store::Store& store,
            const Clock& clock, Milliseconds timeout, bool dry_run, Hooks hooks);

  // All of these return kDone, or the gravest status of a VM that could not be done; the others are done.
  // Throws Error(kRefused) for a circle of --after, and Error(kNo) or Error(kUnreachable) for one that nobody
  // protects and no host has, before anything is changed.
  Status protect(const Wishes& wishes);
  Status refresh();
  Status unprotect(const std::vector<std::string>& vms);
  // Whether it is to run, for one that was killed: one that is to stay off is started by nobody until it is
  // wanted again. It is stopped by nobody either.
  Status want(const std::string& vm, bool running);
  // By the standing rule, if there is one: those of the view that nobody protects yet. Says nothing twice of
  // one that it cannot protect.
  Status take_new(const View& view);

 private:
  struct Found {
    std::string host;
    record::VmSample sample;
    // That it was there and nowhere else. A definition says so only when all hosts answer.
    std::optional<std::chrono::sys_seconds> seen;
  };
  View look();
  std::optional<Found> find(const View& view, const std::string& vm, const std::string& uuid) const;
  Protected described(const Found& found, std::optional<Protected> before, Fitness& fitness);
  void refuse_unknown(const Wishes& wishes, const View& view, const std::vector<Protected>& wished) const;
  void refuse_contradiction(const std::vector<Protected>& wished) const;
  void store_it(const Protected& vm);
  void tell_pinned(const Protected& vm);
  void tell_dependents(const std::string& vm, const std::vector<std::string>& gone);
  Status tell_lost_dependencies(const View& view);
  void note(const std::string& text) const;
  void complain(const std::string& vm, const Error& error) const;
  void rule(const Wishes& wishes);
  void say(const StandingRule& rule);
  void leave_out(const std::string& vm);
  void take_in(const std::vector<std::string>& vms);
  void switch_autostart(const Protected& vm, bool on);
  bool has_open_restart(const std::string& vm);
  void grave(Status& status, Status more) const;

  std::map<std::string, migrate::MigrationHost> hosts_;
  std::vector<std::string> inventory_;
  RecoveryCluster& cluster_;
  store::Store& store_;
  const Clock& clock_;
  Milliseconds timeout_;
  bool dry_run_;
  Hooks hooks_;
  std::set<std::string> complained_;  // in take_new()
};

// Throws Error(kRefused) when others may read the store's file: definitions with secrets go there.
void require_private(const std::string& store_url);

}  // namespace rackline::failover
