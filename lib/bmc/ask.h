// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "bmc/uuid.h"

namespace rackline::bmc {

// A controller and how it is reached.
struct Controller {
  std::string host, port;  // port empty: 623 for IPMI, 443 for Redfish
  std::string user;
  std::string password_file;  // empty: it needs none
  // IPMI
  bool lanplus = true;
  std::string cipher;  // empty: ipmitool's own choice
  std::string privilege, target;
  std::string ipmitool = "ipmitool";
  // Redfish
  std::string ca_file;    // empty: the authorities of the system
  bool insecure = false;  // whatever certificate it has
  std::string system;     // path of the system; empty: the last one that it names, as fence_redfish takes it
};

struct Identity {
  std::optional<Uuid> uuid;
  std::string why;  // there is none, one line without secrets
};

// The UUID of the system that a controller switches. The password goes to ipmitool as the name of its file,
// and into the process for Redfish; it stands in no argument. Never throws.
Identity ask_ipmi(const Controller& controller, Milliseconds timeout);
Identity ask_redfish(const Controller& controller, Milliseconds timeout);

}  // namespace rackline::bmc
