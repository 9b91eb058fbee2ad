// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/state.h"
#include "failover/protection.h"
#include "failover/recovery_cluster.h"
#include "record/kinds_capacity.h"
#include "record/kinds_reserve.h"
#include "reserve/reserved_on_hosts.h"

namespace rackline::failover {

// Hosts for VMs that run nowhere, by the capacity planner, on what is given away: how busy the
// hosts are would take a window to measure, and it is about to change anyhow. Pure.
class Placement {
 public:
  // `closed`: hosts that do not serve; those of them that answer get nothing. `held` is reserved on hosts:
  // nothing is placed into it but what it is for. What may be lent is used: a failover is the need that it is
  // lent for.
  Placement(const View& view, const std::map<std::string, cluster::HostStatus>& closed,
            const std::vector<Protected>& vms, record::Time now,
            std::vector<reserve::ReservedOnHost> held = {});

  struct Answer {
    std::string host;    // empty: no host has room
    std::string reason;  // why that one, or why none
  };
  // In this order: where not all fit, the first ones do. `barred` hosts are not considered for a VM. Those
  // with a host are counted there from now on.
  std::map<std::string, Answer> place(const std::vector<Protected>& in_order,
                                      const std::map<std::string, std::set<std::string>>& barred);

  // Counts it on that host, whatever the planner thinks of it; and no longer.
  void assign(const Protected& vm, const std::string& host);
  void release(const Protected& vm);

  // The first host whose death the others could not make up for, with the reason; empty when there is none.
  std::string weakness() const;

 private:
  struct Unit;
  // (recovery_affinity.cc) Those that prefer hosts or run together.
  std::map<std::string, Answer> place_by_affinity(const std::vector<Protected>& in_order,
                                                  const std::map<std::string, std::set<std::string>>& barred);
  void add_to_unit(Unit& unit, const Protected& vm, const std::set<std::string>& barred) const;
  Answer best_of(const Unit& unit) const;
  std::set<std::string> all_but(const std::function<bool(const std::string&)>& wanted) const;
  std::map<std::string, std::string> companions(const Protected& vm) const;

  std::map<std::string, Answer> ask(const std::vector<Protected>& vms,
                                    const std::map<std::string, std::set<std::string>>& barred) const;
  void count(const Protected& vm, const std::string& host, int sign);
  std::vector<record::Reservation> reserved_for_others(const std::vector<Protected>& vms) const;

  record::Time now_;
  std::vector<record::HostSample> hosts_;
  std::vector<record::VmSample> vms_;
  std::map<std::string, Protected> protected_;
  std::vector<reserve::ReservedOnHost> held_;
};

}  // namespace rackline::failover
