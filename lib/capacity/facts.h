// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "decide/history.h"
#include "decide/hold.h"
#include "record/kinds_capacity.h"
#include "record/kinds_inventory.h"
#include "record/kinds_migration.h"

namespace rackline::capacity {

// One round of samples. The records are slots that the reader fills in place and that the next round fills
// again, so that a long stream is read without allocation once its largest round has been seen.
class Round {
 public:
  record::HostSample& host_slot() { return slot(hosts_, host_count_); }
  record::VmSample& vm_slot() { return slot(vms_, vm_count_); }
  // What was read into the slot belongs to the round.
  void keep_host() { ++host_count_; }
  void keep_vm() { ++vm_count_; }
  void clear();

  std::span<const record::HostSample> hosts() const { return {hosts_.data(), host_count_}; }
  std::span<const record::VmSample> vms() const { return {vms_.data(), vm_count_}; }
  bool empty() const { return host_count_ == 0 && vm_count_ == 0; }

  record::Time time{};         // of its end, or of its latest sample
  bool lines_skipped = false;  // some could not be read

 private:
  template <class K>
  static K& slot(std::vector<K>& records, std::size_t count) {
    if (records.size() == count) records.emplace_back();
    return records[count];
  }

  std::vector<record::HostSample> hosts_;
  std::vector<record::VmSample> vms_;
  std::size_t host_count_ = 0;
  std::size_t vm_count_ = 0;
};

// Whether the rule is a preference, kept as far as nothing else stands against it.
bool is_soft(const record::PlacementRule& rule);

// The rules that placements obey, each once however often a stream repeats it.
class Rules {
 public:
  // Throws Error(kUsage) for a rule that is not understood: it would be broken unknowingly.
  void add(const record::PlacementRule& rule);
  // Those in force. Soft ones are as good as others until they are given up.
  const std::vector<record::PlacementRule>& all() const { return rules_; }
  // Gives up the soft ones that bind one of the VMs, or all of them; returns them.
  std::vector<record::PlacementRule> give_up_for(const std::set<std::string>& vms);
  std::vector<record::PlacementRule> give_up_soft();
  bool any_soft() const;
  // Whether the rule speaks of the VM; one of compatible that names none speaks of all.
  static bool binds(const record::PlacementRule& rule, const std::string& vm);
  static bool names_host(const record::PlacementRule& rule, const std::string& host);

 private:
  std::vector<record::PlacementRule> rules_;
};

using decide::ByName;

// When VMs moved last, by UUID or, where that is not known, by name.
class History : public decide::History {
 public:
  using decide::History::add;
  using decide::History::cooling;
  // Dry runs and refusals are no moves. A failed one counts: it is not to be tried at once again.
  void add(const record::VmMoved& moved);
  // Of the VM, or of one of its name where no UUID was told.
  bool cooling(const record::VmSample& vm, record::Time now, std::chrono::milliseconds cooldown) const;
};

// Percent of a host's CPUs that it and its VMs want: those that were busy, and those that VMs waited for.
ByName<double> wanted_percents(const Round& round);

// Rounds that each host has wanted more than the CPU threshold.
class Hold : public decide::Hold {
 public:
  using decide::Hold::count;
  void count(const Round& round, double threshold_percent);
};

// True when it runs or at least holds the memory of a running one.
bool active(const record::VmSample& vm);

// What tells it from all others: its UUID, or its name where that is not known.
std::string_view identity(const record::VmSample& vm);

// CPUs that it would keep busy if it had to wait for none: what it used, and the time for which its virtual
// CPUs waited for one of the host.
record::Number wanted_cores(const record::VmSample& vm);

// Memory that it may have at most: what a balloon has taken back, the guest may want again.
std::int64_t promised_memory(const record::VmSample& vm);

}  // namespace rackline::capacity
