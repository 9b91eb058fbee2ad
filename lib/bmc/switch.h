// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bmc/method.h"

namespace rackline::bmc {

// The switch of a method in one spelling, by which two methods are compared: what kind of device, where it
// is, and which plug.
struct SwitchPlace {
  // Kind, address and port; more where an address can be read in two ways, and for the program itself, since
  // a copy of it switches the same.
  std::vector<std::string> devices;
  std::vector<std::string> plugs;  // none: the device has one, or takes its own

  // Whether a command to one may be a command to the other.
  bool meets(const SwitchPlace& other) const;
  // The name under which what was learnt of the switch is kept.
  std::string key() const;
};

SwitchPlace switch_place(const FenceMethod& method);

// Power is switched only on the host that is meant: one switch belongs to one host. Throws Error(kUsage)
// naming two hosts and the switch that they share. The methods of one host may share what they want.
void refuse_shared_switches(const std::map<std::string, FenceLevels>& methods);

}  // namespace rackline::bmc
