// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reserve/model.h"
#include "virt/tuning.h"

namespace rackline::reserve {

// What follows from reservations for the settings of running VMs: a pure function, so that it can
// be tried without a hypervisor.

// What was set for a VM, and what was there before; kept in the ledger's store until it is
// undone.
struct Applied {
  std::string vm, host, id;
  struct Value {
    std::int64_t before = 0, set = 0;
    static const store::Fields kFields;
  };
  std::map<std::string, Value> settings;
  static const store::Fields kFields;
};
Applied applied_from(const std::string& key, const std::string& text);

struct Step {
  std::string id, vm, host, setting;
  enum class Kind { kSet, kUndo, kAlready, kUnsupported, kAbsent } kind = Kind::kSet;
  std::optional<std::int64_t> wanted = {}, found = {};
  bool drifted = false;  // it was set before, and somebody has changed it since
  std::string reason = {};
};

// `hosts` are those that answered, by name; with `complete` they are all there are. `claims` are those that
// hold something for a VM now.
//
// A weight guarantees nothing by itself: what c of a host's n CPUs are worth depends on what the others weigh
// together. With u for the weight of all VMs without a reservation and r for the reserved CPUs,
// each reservation weighs c * u / (n - r), which leaves it c CPUs when everybody burns. So the weights follow
// when neighbours come and go: apply is repeated, by cron for example.
std::vector<Step> enforce(const std::map<std::string, virt::HostTuning>& hosts, bool complete,
                          const std::vector<Claim>& claims, const std::vector<Applied>& applied);

}  // namespace rackline::reserve
