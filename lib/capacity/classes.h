// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "capacity/cluster.h"

namespace rackline::capacity {

// Where VMs may be, as classes of the model: by the rules about hosts, by their CPUs and architecture, by
// what they are plugged into and have their disks on, and by what is defined already. Hosts are those of the
// cluster, which has to have them all, and what is taken, before a class is asked for.
class Classes {
 public:
  Classes(Cluster& cluster, const Policy& policy, const Question& question)
      : cluster_(cluster), policy_(policy), question_(question) {}

  // True if the rule is one about where VMs may be; it has to live as long.
  bool take(const record::PlacementRule& rule);
  void add_storage(const std::vector<std::string>& directories);  // that a host shares
  // The VM has on one of the hosts what is reserved for it.
  void bind(const std::string& vm, const std::string& reservation, const std::vector<std::string>& hosts) {
    bound_[vm] = {reservation, hosts};
  }
  std::string reservation_of(const std::string& vm) const;

  // The rules about a VM and the hosts that it could move between as one class. `from` is the bin of its
  // host, plan::kNowhere for a request.
  int of(const std::string& vm, int from, bool live, const record::VmSample* sample);

 private:
  int class_for(std::vector<bool> allowed);
  std::vector<int> cpus_for(const std::string& vm) const;
  bool may_go(int from, int to, bool live, const std::vector<int>& cpus, const record::VmSample* vm) const;
  bool is_leaving(const std::string& host) const;

  Cluster& cluster_;
  const Policy& policy_;
  const Question& question_;
  std::map<std::string, std::vector<const record::PlacementRule*>> host_rules_;
  std::vector<const record::PlacementRule*> compatible_;
  bool compatible_by_vm_ = false;
  struct Bound {
    std::string reservation;
    std::vector<std::string> hosts;
  };
  std::map<std::string, Bound> bound_;
  std::map<std::vector<bool>, int> classes_;
  // Classes of VMs that no rule speaks of, by what their hosts have in common: with thousands of
  // hosts, comparing each VM's with all others would take longer than the search.
  std::map<std::tuple<std::string, int, bool, std::string>, int> plain_classes_;
  std::vector<std::vector<std::string>> storage_;  // all that any host shares, each by itself
  std::vector<int> cpus_;
};

}  // namespace rackline::capacity
