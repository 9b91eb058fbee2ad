// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "failover/protection.h"
#include "failover/recovery_cluster.h"
#include "failover/standing.h"
#include "record/kinds_failover.h"

namespace rackline::failover {

// The VMs that are active in `view` and that nobody would start again, by host and name, with the
// reason. Pure.
std::vector<record::VmUnprotected> unprotected_vms(const View& view, const std::vector<Protected>& vms,
                                                   const std::optional<StandingRule>& rule);

// Tells of them when it changes who they are, not once for each look.
class UnprotectedWatch {
 public:
  struct Hooks {
    std::function<void(const record::VmUnprotected&)> found;
    std::function<void(const std::string&)> warn;
  };
  explicit UnprotectedWatch(Hooks hooks) : hooks_(std::move(hooks)) {}

  // `found`: all that there are in this look. A host of which it says nothing keeps what was seen there.
  void seen(const View& view, const std::vector<record::VmUnprotected>& found);
  // The host is off: those that ran there are lost until a person starts them.
  void fenced(const std::string& host);

 private:
  Hooks hooks_;
  std::map<std::string, record::VmUnprotected> known_;  // by UUID
};

}  // namespace rackline::failover
