// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/time.h"
#include "migrate/hypervisor.h"
#include "migrate/move.h"

namespace rackline::migrate {

// The move of a VM, of which only the name is known, to `to`, or to where is still to be said (empty): all
// hosts are asked at once where it is. From `to` itself when it is there already. Throws Error: kUsage when
// there is no such host, kNo when no host has the VM, kUnreachable when only a host that does not answer
// could have it, kRefused when it is active on several, or only defined on several.
Move move_by_hand(const std::string& vm, const std::string& to,
                  const std::map<std::string, MigrationHost>& hosts, const HypervisorFactory& open,
                  Milliseconds timeout);

}  // namespace rackline::migrate
