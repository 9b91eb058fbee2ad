// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "record/kinds_fence.h"
#include "record/kinds_inventory.h"

namespace rackline::bmc {

// One way to switch a host off.
struct FenceMethod {
  std::string host;  // that it switches
  std::string agent;
  std::int64_t level = 1;
  std::vector<std::string> options;  // lines for its stdin, without action and password
  std::string password_file;         // empty: it needs none
  std::string ca_file;               // authorities of the device's certificate; empty: the system's
  int attempts = 2;
  Milliseconds timeout{20'000};  // of one call
  Milliseconds delay{0};         // before the first attempt

  // Nobody is asked: a cut-off host stops its own VMs, and we wait until it must have.
  bool self() const { return agent == "self"; }
  // For people: "fence_ipmilan 10.0.0.11".
  std::string title() const;
  // The value of the option, by whichever of its names it is given; empty when there is none.
  std::string option(const std::string& name) const;
};

// All of a level's methods are needed: a host with two power supplies is off when both are.
using FenceLevel = std::vector<FenceMethod>;
using FenceLevels = std::vector<FenceLevel>;  // in the order in which they are tried

// The fence_method records of the inventory in the file. Throws Error(kUsage) as the inventory's reader does,
// and Error(kRefused) when there are some, and others than its owner may write the file or its owner is
// neither us nor root: it names programs.
std::vector<record::FenceMethod> read_fence_methods(const std::string& path);

// How management controllers are reached that the inventory names by `bmc` alone.
struct BmcAccess {
  std::string user;
  std::string password_file;
  int cipher = 3;  // suite of IPMI: what every controller has; ipmitool's own search costs 10 s where 17 is
                   // not known
};

// The ways to switch each host off: its fence_method records, or, where it has none, what follows from its
// `bmc`. A host without either has no levels.
// Throws Error(kUsage) for a method of an unknown host, options that an agent must not be told
// (method_options.h), a bmc of unknown form, and a switch that two hosts share (switch.h).
std::map<std::string, FenceLevels> fence_methods(const std::vector<record::Host>& hosts,
                                                 const std::vector<record::FenceMethod>& records,
                                                 const BmcAccess& access);

// The password in the file. Throws Error(kRefused) when others than its owner could read the
// file, when its owner is neither us nor root, when it is empty or holds a control character;
// Error(kUnreachable) when it cannot be read.
std::string read_password(const std::string& path);

}  // namespace rackline::bmc
