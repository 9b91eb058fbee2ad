// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/marks.h"
#include "cluster/state.h"
#include "failover/journal.h"
#include "failover/protection.h"
#include "failover/recovery_cluster.h"
namespace rackline::failover {

// Which VMs are to be started, and which must not be, from what was seen of the world just
// before. Pure: no host is asked here and nothing is written.

struct Situation {
  std::vector<std::string> inventory;
  View view;
  std::map<std::string, cluster::FenceMark> marks;  // by host
  std::map<std::string, cluster::MaintenanceMark> maintenance;
  std::map<std::string, cluster::HostStatus> closed;  // hosts that do not serve: nothing is placed there
  // Fenced, and they show life: the id of the mark that proves nothing any more. Empty: the one that is
  // there.
  std::map<std::string, std::set<std::string>> contradicted;
  std::string disarmed;              // why nothing is started by itself; empty: it is
  std::set<std::string> unreadable;  // VMs with an open entry of the journal that is torn
  std::vector<Protected> vms;
  std::map<std::string, Intent> intents;  // open ones, by VM
  // The fences whose work is to be done, the latest last. Only with a mark of the same id and state kFenced.
  std::vector<cluster::FenceMark> fences;
  // Where a start that is done went, by the journal's id; nothing when none is done.
  std::function<std::optional<std::string>(const std::string& id)> done;

  std::chrono::sys_seconds time{};  // when the marks were read; the hosts are asked right after that

  // All that the store says of the hosts. What was heard of a contradicted fence stays.
  void read_marks(store::Store& store, std::chrono::sys_seconds now);
  // Asks the hosts, the fenced ones as well: one that answers contradicts its fence. Those and the ones in
  // maintenance get less time, as they are likely to be off.
  void look(RecoveryCluster& cluster, Milliseconds timeout);
  bool fenced(const std::string& host) const;  // proven to be off, and nothing was done to that since
  // Hosts that have to be asked: neither proven to be off nor known to be silent.
  std::vector<std::string> to_ask() const;
  // Those in maintenance: what they say counts, and their silence is planned.
  std::vector<std::string> to_ask_in_maintenance() const;
  // Why it must not be started: healing is switched off, or, rule 1, it could be running somewhere. Empty
  // when it may be.
  std::string could_run(const Protected& vm) const;
  // The part of that: a host in maintenance is silent, and a person may have moved it there before.
  std::string could_be_in_maintenance(const Protected& vm) const;
};

struct Verdict {
  enum class What {
    kStart,    // on any host that suits, or on `to` where an earlier start was begun
    kVerify,   // it runs on `to`, and an earlier start of ours has no result
    kAlready,  // it runs on `to`
    kRefused,  // it could run somewhere
    kUnknown,  // an earlier start may still be under way
    kTwice,    // it runs on two hosts
  };
  What what = What::kStart;
  Protected vm;
  cluster::FenceMark fence;  // on whose proof it rests
  std::string from;          // the host that died
  std::string to;            // empty: any
  std::string reason;
  std::optional<Intent> intent;  // open
  // It is known nowhere, and only that says that it was on the dead host.
  bool lost = false;
  // The open intent's target has been fenced since, and may be on its way back: that start is history,
  // whatever became of it.
  bool intent_is_history = false;
  // No host has died: it should run and is off (keep.h). `fence` then only names the start.
  bool keep = false;
  bool only_there = false;    // nowhere but on `prefer`, yet
  std::string prefer, avoid;  // hosts to be tried first, or not at all; empty: none
};

std::vector<Verdict> judge(const Situation& situation);

}  // namespace rackline::failover
