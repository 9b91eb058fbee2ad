// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fence/identity.h"
#include "fence/manual.h"
#include "record/kinds_fence.h"

namespace rackline::fence {

// A report of Outcome::kFenced.
record::HostFenced fenced_record(const FenceReport& report);
// Any other.
record::HostNotFenced not_fenced_record(const FenceReport& report);
record::HostUnfenced unfenced_record(const UnfenceReport& report);
record::HostIdentity identity_record(const IdentityFinding& finding);
// Says whether the switches that did it are known to be the host's own.
record::HostFenced with_identity(record::HostFenced record, IdentityGuard& guard,
                                 const std::map<std::string, bmc::FenceLevels>& methods);
record::HostPower power_record(const HostPowerReport& report);
// What to tell a person, with the command that comes next where one is needed; empty where there is nothing
// to tell.
std::string call_for_person(const FenceReport& report);
// The same for a host that is marked as fenced and shows life.
std::string call_about_life(const std::string& host);

// nullopt for "unknown".
record::Text power_text(bmc::Power power);

}  // namespace rackline::fence
