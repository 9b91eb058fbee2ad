// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bmc/uuid.h"

namespace rackline::bmc {

// What controllers answer, as bytes from a machine that nobody trusts. Nothing is thrown for any of them.

// The 16 bytes of Get System GUID (IPMI 2.0, 20.14) as `ipmitool raw 0x06 0x37` prints them.
std::optional<Uuid> guid_of_ipmitool(std::string_view output);

// The paths of the systems that a Redfish service names under Systems, in its order.
std::vector<std::string> systems_of_redfish(std::string_view body);

// The UUID of one system of Redfish.
std::optional<Uuid> uuid_of_redfish(std::string_view body);

}  // namespace rackline::bmc
